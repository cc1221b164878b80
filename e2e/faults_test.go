//go:build e2e

package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

// TestPhoenixGoesAway stops Phoenix while an application runs, starts one in
// its place, and stops that for good.
func TestPhoenixGoesAway(t *testing.T) {
	project, session := names(t)
	p, err := startPhoenix()
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}
	reports := make(chan error, 100)
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(p.grpc), export.WithProject(project),
		export.WithErrorHandler(func(err error) { reports <- err }))
	if err != nil {
		stop()
		t.Fatal(err)
	}
	client := newClient(t, tp, mocks.Chat("It is sunny there."))
	call := func() {
		if _, err := client.CreateChatCompletion(adas(t, session), ask("How is Oslo?")); err != nil {
			t.Errorf("model call: %v", err)
		}
	}
	wantReport := func(part string) {
		t.Helper()
		select {
		case err := <-reports:
			if !strings.Contains(err.Error(), part) {
				t.Errorf("got report %q, want %q in it", err, part)
			}
		case <-time.After(time.Minute):
			t.Errorf("got no report, want one with %q", part)
		}
	}

	call()
	if err := tp.ForceFlush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	p.spans(t, project, session, 1)

	stop()
	call()
	call()
	wantReport("no Phoenix at " + p.grpc + "; start it with `phoenix serve`; spans wait for it")

	restart(t, p) // takes longer than a request has
	call()
	if err := tp.ForceFlush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
	p.spans(t, project, session, 3)

	stop()
	call()
	err = tp.Shutdown(t.Context())
	if err == nil || !strings.Contains(err.Error(), "1 span lost") {
		t.Errorf("got %v from Shutdown, want 1 span lost", err)
	}
	wantReport("1 span lost")
	if len(reports) > 0 {
		t.Errorf("got another report %q, want two", <-reports)
	}
}

// restart starts a Phoenix without data on the ports of p.
func restart(t *testing.T, p *phoenix) {
	t.Helper()
	_, httpPort, _ := net.SplitHostPort(strings.TrimPrefix(p.url, "http://"))
	_, grpcPort, _ := net.SplitHostPort(p.grpc)
	start := exec.Command("./start_phoenix.sh", httpPort, grpcPort)
	start.Stderr = os.Stderr
	out, err := start.Output()
	if err != nil {
		t.Fatalf("start Phoenix again: %v", err)
	}
	pid, _, _ := strings.Cut(strings.TrimPrefix(string(out), "PHOENIX_PID="), " ")
	p.pid = pid
}
