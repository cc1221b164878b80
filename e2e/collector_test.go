//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

// collector is an OpenTelemetry Collector that a test has started.
type collector struct {
	grpc string // host:port for spans
	run  *exec.Cmd
	log  *strings.Builder
}

// startCollector starts the Collector of deploy with one of its configurations, once
// it has found that valid, and builds it first where that is needed.
func startCollector(t testing.TB, settings []string, args ...string) *collector {
	t.Helper()
	build := exec.Command("../deploy/build.sh")
	build.Stderr = os.Stderr
	program, err := build.Output()
	if err != nil {
		t.Fatalf("build the Collector: %v", err)
	}
	grpcPort, metricsPort, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{grpc: "127.0.0.1:" + grpcPort, log: new(strings.Builder)}
	args = append([]string{"--config", "../deploy/collector.yaml"}, args...)
	args = append(args,
		"--set=processors::tail_sampling::decision_wait_after_root_received=1s",
		"--set=service::telemetry::metrics::readers=[{pull: {exporter: {prometheus: {host: 127.0.0.1, port: "+metricsPort+"}}}}]")
	environment := append(os.Environ(), append(settings, "COLLECTOR_LISTEN="+c.grpc, "PHOENIX_INSECURE=true")...)

	validate := exec.Command(strings.TrimSpace(string(program)), append([]string{"validate"}, args...)...)
	validate.Env = environment
	if out, err := validate.CombinedOutput(); err != nil {
		t.Fatalf("validate: %v\n%s", err, out)
	}
	c.run = exec.Command(validate.Path, args...)
	c.run.Env, c.run.Stdout, c.run.Stderr = environment, c.log, c.log
	if err := c.run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stop(t) })
	if !eventually(func() bool {
		conn, err := net.Dial("tcp", c.grpc)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}) {
		c.stop(t)
		t.Fatalf("the Collector does not listen:\n%s", c.log)
	}
	return c
}

// stop ends the Collector, which decides on what it holds and sends it first.
func (c *collector) stop(t testing.TB) {
	t.Helper()
	if c.run.ProcessState != nil {
		return
	}
	if err := errors.Join(c.run.Process.Signal(os.Interrupt), c.run.Wait()); err != nil {
		t.Errorf("stop the Collector: %v\n%s", err, c.log)
	}
}

// turns are the numbers of a session's traces, all and failed.
type turns struct{ All, Failed int }

// sessions returns what Phoenix has of a project.
func (p *phoenix) sessions(t *testing.T, project string) map[string]turns {
	t.Helper()
	found := make(map[string]turns)
	query := url.Values{"parent_id": {"null"}, "limit": {"1000"}}
	var reply struct{ Data []span }
	p.call(t, http.MethodGet, "/v1/projects/"+project+"/spans?"+query.Encode(), nil, &reply)
	for _, root := range reply.Data {
		session := root.Attributes["session.id"].(string)
		n := found[session]
		n.All++
		if root.StatusCode == "ERROR" {
			n.Failed++
		}
		found[session] = n
	}
	return found
}

// wantSessions waits until Phoenix has just these sessions of a project.
func (p *phoenix) wantSessions(t *testing.T, project string, want map[string]turns) {
	t.Helper()
	var got map[string]turns
	if !eventually(func() bool {
		got = p.sessions(t, project)
		return maps.Equal(got, want)
	}) {
		t.Fatalf("sessions (-want +got):\n%s", gocmp.Diff(want, got))
	}
}

// converse has conversations of two turns through a Collector. In every tenth the
// second turn fails.
func converse(t *testing.T, to *collector, project string, conversations int, question string) (sent map[string]turns) {
	t.Helper()
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(to.grpc), export.WithProject(project),
		export.WithErrorHandler(func(err error) { t.Error(err) }))
	if err != nil {
		t.Fatal(err)
	}
	var replies []http.HandlerFunc
	for i := range conversations {
		second := mocks.Chat("Take a hat.")
		if i%10 == 9 {
			second = mocks.Error(http.StatusTooManyRequests, "Slow down.")
		}
		replies = append(replies, mocks.Chat("Sunny."), second)
	}
	client := newClient(t, tp, replies...)
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	answer := func(ctx context.Context, question string) (string, error) {
		resp, err := client.CreateChatCompletion(ctx, ask(question))
		if err != nil {
			return "", err
		}
		return resp.Choices[0].Message.Content, nil
	}
	sent = make(map[string]turns)
	for i := range conversations {
		_, session := names(t)
		want := turns{All: 2, Failed: i % 10 / 9}
		var got turns
		for range want.All {
			got.All++
			if _, err := openinference.Turn(adas(t, session), tracer, "turn", question, answer); err != nil {
				got.Failed++
			}
		}
		if got != want {
			t.Fatalf("got turns %+v, want %+v", got, want)
		}
		sent[session] = want
	}
	shutdown(t, tp)
	return sent
}

// TestCollector keeps every failure, and half of the sessions: those that
// SessionSampler keeps.
func TestCollector(t *testing.T) {
	project, _ := names(t)
	c := startCollector(t, []string{"PHOENIX_ENDPOINT=" + server.grpc, "KEEP=[0-7]"})
	want := converse(t, c, project, 200, "How is Oslo?")

	sampler := export.SessionSampler(0.5)
	for session, n := range want {
		switch decision := sampler.ShouldSample(sdktrace.SamplingParameters{ParentContext: adas(t, session)}).Decision; {
		case decision == sdktrace.RecordAndSample:
		case n.Failed > 0:
			want[session] = turns{All: n.Failed, Failed: n.Failed}
		default:
			delete(want, session)
		}
	}
	server.wantSessions(t, project, want)
	c.stop(t) // what it still holds would come now
	server.wantSessions(t, project, want)
	for session, n := range want {
		calls := server.spans(t, project, session, 2*n.All)
		if got := tree(calls); got != strings.TrimSpace(strings.Repeat("turn(ChatCompletion) ", n.All)) {
			t.Errorf("got %s, want %d turns with a call each", got, n.All)
		}
	}
}

// TestCollectorOutlivesPhoenix restarts a Collector that holds more than goes into one
// request for a Phoenix that asks for a key and is not there at first.
func TestCollectorOutlivesPhoenix(t *testing.T) {
	const key = "the-admin-secret-of-32-characters-2"
	project, _ := names(t)
	nobody, _, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	settings := []string{"PHOENIX_API_KEY=" + key, "QUEUE_DIRECTORY=" + t.TempDir()}
	c := startCollector(t, append(settings, "PHOENIX_ENDPOINT=127.0.0.1:"+nobody), "--config", "../deploy/persistent.yaml")
	want := converse(t, c, project, 20, "Read this: "+strings.Repeat("x", 200<<10))
	c.stop(t)

	p, err := startPhoenix("PHOENIX_ENABLE_AUTH=true", "PHOENIX_SECRET=another-secret-of-32-characters-2", "PHOENIX_ADMIN_SECRET="+key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	p.key = key
	startCollector(t, append(settings, "PHOENIX_ENDPOINT="+p.grpc), "--config", "../deploy/persistent.yaml")
	p.wantSessions(t, project, want)
}
