package export_test

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

// app is an application that calls a model, with the collector that its spans
// go to. The collector is down until serve is called.
type app struct {
	*collector
	*handled
	serve  func()
	tp     *sdktrace.TracerProvider
	client *openai.Client
}

// newApp returns an app whose spans go over the transport to a URL with the
// scheme and the host, or 127.0.0.1.
func newApp(t *testing.T, transport, scheme, host string) *app {
	t.Helper()
	addr := unused(t)
	_, port, _ := net.SplitHostPort(addr)
	a := &app{collector: new(collector), handled: new(handled)}
	endpoint := scheme + "://" + net.JoinHostPort(host, port)
	switch transport {
	case "gRPC":
		a.serve = func() { a.serveGRPCAt(t, addr) }
	case "HTTP":
		a.serve = func() { a.serveHTTPAt(t, addr) }
		endpoint += "/v1/traces"
	}
	var err error
	a.tp, err = export.Arize(t.Context(), export.WithEndpoint(endpoint), export.WithAPIKey(key), export.WithSpaceID("space-1"), a.option())
	if err != nil {
		t.Fatal(err)
	}
	model := mocks.NewServer(mocks.Chat("It is sunny there."))
	t.Cleanup(model.Close)
	a.client = openinference.NewClientWithConfig(model.Config(), openinference.WithTracerProvider(a.tp))
	return a
}

// call calls the model n times, each of which is a span.
func (a *app) call(t *testing.T, n int) {
	t.Helper()
	for range n {
		resp, err := a.client.CreateChatCompletion(withinHang(t), openai.ChatCompletionRequest{
			Model:    openai.GPT4oMini,
			Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "How is Oslo?"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := resp.Choices[0].Message.Content, "It is sunny there."; got != want {
			t.Errorf("got answer %q, want %q", got, want)
		}
	}
}

// arrive waits until the collector has n spans.
func (a *app) arrive(t *testing.T, n int) {
	t.Helper()
	await(t, func() bool { return len(a.spans()) >= n })
	if got := len(a.spans()); got != n {
		t.Errorf("got %d spans, want %d", got, n)
	}
}

// report waits for the nth report, which has the parts in it.
func (a *app) report(t *testing.T, n int, parts ...string) {
	t.Helper()
	await(t, func() bool { return len(a.all()) >= n })
	wantError(t, a.all()[n-1], parts...)
}

// shutdown wants no error from Shutdown and n reports in all.
func (a *app) shutdown(t *testing.T, n int) {
	t.Helper()
	if err := a.tp.Shutdown(withinHang(t)); err != nil {
		t.Errorf("got %v from Shutdown, want nil", err)
	}
	a.reports(t, n)
}

// shutdownFails gives Shutdown little time and wants an error with the parts
// in it, and n reports in all.
func (a *app) shutdownFails(t *testing.T, n int, parts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantError(t, a.tp.Shutdown(ctx), parts...)
	a.reports(t, n)
}

func (a *app) reports(t *testing.T, n int) {
	t.Helper()
	if got := a.all(); len(got) != n {
		t.Errorf("got reports %v, want %d", got, n)
	}
}

// await waits until ok returns true.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	for ctx := withinHang(t); !ok(); time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatal("waited in vain")
		}
	}
}

// refuse answers the first n requests with err.
func (a *app) refuse(n int64, err error) {
	a.answer = func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		if a.seen.Load() <= n {
			return nil, err
		}
		return nil, nil
	}
}

// slowDown is a refusal with the advice to come back in a second.
func slowDown(t *testing.T) error {
	t.Helper()
	s, err := status.New(codes.ResourceExhausted, "slow down").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

const (
	outage = 3 * time.Second // longer than both variables of TestFaults
	always = 1 << 30         // requests
)

func TestFaults(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2000")
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "2500")
	tests := []struct {
		name   string
		scheme string // http by default
		host   string // 127.0.0.1 by default
		test   func(t *testing.T, a *app)
	}{
		{
			name: "down until the end",
			test: func(t *testing.T, a *app) {
				a.call(t, 2)
				a.report(t, 1, "spans wait for it")
				a.shutdownFails(t, 2, "no Arize at ", "2 spans lost", "connection refused")
			},
		},
		{
			name: "dies with a request",
			test: func(t *testing.T, a *app) {
				a.answer = func(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
					if a.seen.Load() > 1 {
						return nil, nil
					}
					<-ctx.Done()
					return nil, ctx.Err()
				}
				a.serve()
				a.call(t, 1)
				await(t, func() bool { return a.seen.Load() == 1 })
				a.stop()
				a.serve()
				a.arrive(t, 1)
				if err := a.tp.Shutdown(withinHang(t)); err != nil {
					t.Errorf("got %v from Shutdown, want nil", err)
				}
			},
		},
		{
			name: "slow",
			test: func(t *testing.T, a *app) {
				called := make(chan struct{})
				a.answer = func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
					<-called // a call that waits for the collector would hang
					return nil, nil
				}
				a.serve()
				a.call(t, 5)
				close(called)
				a.arrive(t, 5)
				a.shutdown(t, 0)
			},
		},
		{
			name: "stuck",
			test: func(t *testing.T, a *app) {
				stuck, _ := stuckCollector(t)
				a.answer = stuck.answer
				a.serve()
				a.call(t, 3)
				a.shutdownFails(t, 1, "Shutdown's context ended before Arize", "3 spans lost")
			},
		},
		{
			name: "stuck for too long",
			test: func(t *testing.T, a *app) {
				stuck, _ := stuckCollector(t)
				a.answer = func(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
					if a.seen.Load() > 1 {
						return stuck.answer(ctx)
					}
					return nil, nil
				}
				a.serve()
				a.call(t, 1)
				a.arrive(t, 1)
				a.call(t, 1)
				a.report(t, 1, "did not answer in time", "1 span lost")
				a.shutdownFails(t, 1, "did not answer in time")
			},
		},
		{
			name: "wrong key",
			test: func(t *testing.T, a *app) {
				a.refuse(always, status.Error(codes.Unauthenticated, "not with "+key))
				a.serve()
				a.call(t, 1)
				a.report(t, 1, "rejected", "1 span lost")
				a.call(t, 3)
				a.shutdownFails(t, 2, "rejected", "4 spans lost")
				a.report(t, 2, "rejected", "3 spans lost")
			},
		},
		{
			name: "wrong key for a while",
			test: func(t *testing.T, a *app) {
				a.refuse(3, status.Error(codes.Unauthenticated, "not with "+key))
				a.serve()
				for requests := range int64(4) {
					await(t, func() bool { return a.seen.Load() == requests })
					a.call(t, 1)
				}
				a.report(t, 1, "rejected", "1 span lost")
				a.report(t, 2, "rejected", "2 spans lost")
				a.arrive(t, 1)
				a.reports(t, 2)
				wantError(t, a.tp.Shutdown(withinHang(t)), "3 spans lost")
			},
		},
		{
			name: "too busy",
			test: func(t *testing.T, a *app) {
				a.refuse(always, slowDown(t))
				a.serve()
				a.call(t, 1)
				a.report(t, 1, "1 span lost", "slow down")
				a.shutdownFails(t, 1, "1 span lost")
			},
		},
		{
			name: "too large",
			test: func(t *testing.T, a *app) {
				a.refuse(always, status.Error(codes.ResourceExhausted, "5000000 vs. 4194304"))
				a.serve()
				a.call(t, 1)
				a.report(t, 1, "refused the size or the rate", "1 span lost", "5000000 vs. 4194304")
				a.shutdownFails(t, 1, "refused the size or the rate")
			},
		},
		{
			name: "partial success",
			test: func(t *testing.T, a *app) {
				a.answer = func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
					return &coltracepb.ExportTraceServiceResponse{
						PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "too old"},
					}, nil
				}
				a.serve()
				a.call(t, 1)
				a.report(t, 1, "took the spans in part", "too old")
				a.shutdownFails(t, 1, "took the spans in part", "too old")
			},
		},
		{
			name:   "no TLS",
			scheme: "https",
			test: func(t *testing.T, a *app) {
				a.serve()
				a.call(t, 2)
				a.report(t, 1, "no TLS with Arize", "spans wait for it")
				a.shutdownFails(t, 2, "no TLS with Arize", "2 spans lost")
			},
		},
		{
			name: "no such name",
			host: "collector.invalid",
			test: func(t *testing.T, a *app) {
				a.call(t, 2)
				a.report(t, 1, "no Arize at ", "spans wait for it", "collector.invalid")
				a.shutdownFails(t, 2, "no Arize at ", "2 spans lost")
			},
		},
		{
			name: "down at a flush",
			test: func(t *testing.T, a *app) {
				a.call(t, 1)
				wantError(t, a.tp.ForceFlush(t.Context()), "no Arize at ", "no connection within 3s")
				a.serve()
				if err := a.tp.ForceFlush(withinHang(t)); err != nil {
					t.Errorf("got %v from ForceFlush, want nil", err)
				}
				a.arrive(t, 1)
				a.shutdown(t, 1)
			},
		},
		{
			name: "down at start and in the middle",
			test: func(t *testing.T, a *app) {
				a.call(t, 2)
				a.report(t, 1, "no Arize at ", "127.0.0.1", "check the network", "spans wait for it", "connection refused")
				a.serve()
				a.arrive(t, 2)
				a.stop()
				a.call(t, 2)
				a.report(t, 2, "no Arize at ", "spans wait for it")
				time.Sleep(outage)
				a.call(t, 1)
				a.serve()
				a.arrive(t, 5)
				a.shutdown(t, 2)
			},
		},
	}
	for _, tt := range tests {
		for _, transport := range []string{"gRPC", "HTTP"} {
			t.Run(tt.name+" over "+transport, func(t *testing.T) {
				t.Parallel()
				a := newApp(t, transport, cmp.Or(tt.scheme, "http"), cmp.Or(tt.host, "127.0.0.1"))
				tt.test(t, a)
			})
		}
	}
}

// TestRateLimit has the timeouts of the default, which are longer than a
// second.
func TestRateLimit(t *testing.T) {
	export.ClearVariables(t)
	for _, transport := range []string{"gRPC", "HTTP"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, transport, "http", "127.0.0.1")
			a.refuse(1, slowDown(t))
			a.serve()
			a.call(t, 2)
			a.shutdown(t, 0)
			a.arrive(t, 2)
		})
	}
}

// TestStuckCollectorTakesLimitedMemory has 400 MB of conversations.
func TestStuckCollectorTakesLimitedMemory(t *testing.T) {
	const (
		spans = 2000
		limit = 160 << 20 // of bytes, over the 64 MiB of the queue
	)
	forEachTransport(t, func(t *testing.T, c *collector, endpoint string) {
		stuck, release := stuckCollector(t)
		c.answer = stuck.answer
		var errs handled
		tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint), errs.option())
		if err != nil {
			t.Fatal(err)
		}
		before := heap()
		for range spans {
			record(tp, "turn", trace.WithAttributes(attribute.String("input.value", strings.Repeat("x", 200_000))))
		}
		grown := heap() - before
		t.Logf("%d MiB more on the heap", grown>>20)
		if grown > limit {
			t.Errorf("got %d MiB more on the heap, want at most %d", grown>>20, limit>>20)
		}
		runtime.KeepAlive(tp)
		release()
		err = tp.Shutdown(withinHang(t))
		taken := len(c.spans())
		wantError(t, err, "the queue for Phoenix", fmt.Sprintf("%d spans lost", spans-taken))
		if got := len(errs.all()); got != 2 {
			t.Errorf("got %v, want that spans are dropped, and how many", errs.all())
		}
	})
}
