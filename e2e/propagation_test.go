//go:build e2e

package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// TestTwoProcessesOneSession asks a service in a process of its own, twice.
func TestTwoProcessesOneSession(t *testing.T) {
	project, session := names(t)
	model := mocks.NewServer(mocks.Chat("Sunny."), mocks.Chat("Take a hat."))
	defer model.Close()
	url, stop := startService(t, project, model.URL+"/v1")

	tp := newProvider(t, project)
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	own := &http.Client{Transport: instrumented{tp.Tracer("http")}}
	ctx := openinference.WithTags(adas(t, session), "not to be sent")
	for _, question := range []string{"How is Oslo?", "What to wear?"} {
		_, err := openinference.Turn(ctx, tracer, "turn", question, func(ctx context.Context, question string) (string, error) {
			return post(ctx, own, url, question)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	shutdown(t, tp)
	stop()

	server.wantPage(t, project, session, page{
		User: "ada", Turns: 2, FirstInput: "How is Oslo?", LastOutput: "Take a hat.",
		Prompt: 6, Completion: 4, Cost: cost(6, 4),
	})
	spans := server.spans(t, project, session, 6)
	if got, want := tree(spans), "turn(answer(ChatCompletion)) turn(answer(ChatCompletion))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, s := range spans {
		if tags := s.Attributes["tag.tags"]; s.Attributes["user.id"] != "ada" || s.Name != "turn" && tags != nil {
			t.Errorf("%s: got user %v and tags %v, want ada, and tags here only", s.Name, s.Attributes["user.id"], tags)
		}
	}
	out, err := exec.Command("./accept.sh", project, session, "ada", "2", server.url).CombinedOutput()
	if err != nil {
		t.Errorf("accept.sh: %v\n%s", err, out)
	}
	for _, req := range model.Requests() {
		if req.Header.Get("Traceparent") == "" || req.Header.Get("Baggage") != "" {
			t.Errorf("the model got traceparent %q and baggage %q, want one and none", req.Header.Get("Traceparent"), req.Header.Get("Baggage"))
		}
	}
}

// startService returns the URL of a service in a process of its own, and what ends
// it in good order.
func startService(t *testing.T, project, model string) (url string, stop func()) {
	t.Helper()
	service := exec.CommandContext(t.Context(), "go", "run", "./testdata/service", server.grpc, project, model)
	service.Stderr = os.Stderr
	in, err := service.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url), func() {
		in.Close()
		if err := service.Wait(); err != nil {
			t.Errorf("service: %v", err)
		}
	}
}

func post(ctx context.Context, client *http.Client, url, question string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(question))
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return string(answer), err
}

// instrumented does what otelhttp.NewTransport does.
type instrumented struct{ tracer trace.Tracer }

func (i instrumented) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, span := i.tracer.Start(req.Context(), req.Method)
	defer span.End()
	req = req.Clone(ctx)
	propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}, openinference.Propagator{}).
		Inject(ctx, propagation.HeaderCarrier(req.Header))
	return http.DefaultTransport.RoundTrip(req)
}
