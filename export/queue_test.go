package export_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-openinference/openinference/export"
)

const key = "s3cr3t-key"

// answerWith refuses every request with code, and repeats the credentials.
func answerWith(code codes.Code) func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
	return func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		return nil, status.Error(code, "not with "+key)
	}
}

func TestFailureIsReportedOnceWithCure(t *testing.T) {
	tests := []struct {
		name   string
		answer func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) // over gRPC
		status int                                                                   // over HTTP
		want   []string
	}{
		{name: "wrong key", answer: answerWith(codes.Unauthenticated), want: []string{"rejected the API key; set PHOENIX_API_KEY or export.WithAPIKey", "2 spans lost"}},
		{name: "wrong key over HTTP", status: http.StatusUnauthorized, want: []string{"rejected the API key; set PHOENIX_API_KEY or export.WithAPIKey", "2 spans lost"}},
		{name: "forbidden", answer: answerWith(codes.PermissionDenied), want: []string{"rejected the API key"}},
		{name: "forbidden over HTTP", status: http.StatusForbidden, want: []string{"rejected the API key"}},
		{name: "exhausted", answer: answerWith(codes.ResourceExhausted), want: []string{"refused the size or the rate of requests", "2 spans lost"}},
		{name: "too large over HTTP", status: http.StatusRequestEntityTooLarge, want: []string{"refused the size or the rate of requests"}},
		{name: "no such service", answer: answerWith(codes.Unimplemented), want: []string{"takes no spans at this address", "PHOENIX_COLLECTOR_ENDPOINT"}},
		{name: "no such path", status: http.StatusNotFound, want: []string{"takes no spans at this address", "/v1/traces"}},
		{name: "anything else", answer: answerWith(codes.Internal), want: []string{"did not take the spans", "2 spans lost", "Internal"}},
		{name: "anything else over HTTP", status: http.StatusInternalServerError, want: []string{"did not take the spans", "2 spans lost", "500"}},
		{
			name: "partial success",
			answer: func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
				return &coltracepb.ExportTraceServiceResponse{
					PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "too old"},
				}, nil
			},
			want: []string{"took the spans in part", "too old (1 spans rejected)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			global := globalErrors(t)
			c := &collector{answer: tt.answer, status: tt.status}
			endpoint := "http://" + c.serveHTTP(t)
			if tt.answer != nil {
				endpoint = c.serveGRPC(t)
			}
			var errs handled
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint), export.WithAPIKey(key), errs.option())
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn")
			record(tp, "turn")
			err = tp.Shutdown(withinHang(t))
			wantError(t, err, append(tt.want, "export: Phoenix at ")...)
			if strings.Contains(err.Error(), key) {
				t.Errorf("the error has the key in it: %v", err)
			}
			if got := errs.all(); len(got) != 1 || got[0].Error() != err.Error() {
				t.Errorf("got %v handled, want what Shutdown returned: %v", got, err)
			}
			if got := global.all(); len(got) != 0 {
				t.Errorf("got %v in otel.Handle, want nothing beside the handler", got)
			}
		})
	}
}

// globalErrors collects what reaches otel.Handle.
func globalErrors(t *testing.T) *handled {
	t.Helper()
	before := otel.GetErrorHandler()
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	var errs handled
	otel.SetErrorHandler(otel.ErrorHandlerFunc(errs.handle))
	return &errs
}

func TestErrorsReachOtelByDefault(t *testing.T) {
	export.ClearVariables(t)
	global := globalErrors(t)
	c := &collector{answer: answerWith(codes.Unauthenticated)}
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), export.WithErrorHandler(nil))
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	wantError(t, tp.Shutdown(withinHang(t)), "rejected the API key")
	if got := len(global.all()); got != 1 {
		t.Errorf("got %d errors in otel.Handle, want 1", got)
	}
}

func TestForceFlushReturnsFailuresSinceTheLast(t *testing.T) {
	export.ClearVariables(t)
	c := &collector{answer: answerWith(codes.Unauthenticated)}
	var errs handled
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), errs.option())
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	wantError(t, tp.ForceFlush(withinHang(t)), "1 span lost")
	if err := tp.ForceFlush(withinHang(t)); err != nil {
		t.Errorf("got %v from a second ForceFlush, want nil", err)
	}
	record(tp, "turn")
	record(tp, "turn")
	wantError(t, tp.ForceFlush(withinHang(t)), "2 spans lost")
	err = tp.Shutdown(withinHang(t))
	wantError(t, err, "3 spans lost")
	if got := strings.Count(err.Error(), "rejected the API key"); got != 1 {
		t.Errorf("got the same error %d times from Shutdown, want them added up: %v", got, err)
	}
	if got := len(errs.all()); got != 2 {
		t.Errorf("got %d errors handled, want 2", got)
	}
}

func TestForceFlushSends(t *testing.T) {
	forEachTransport(t, func(t *testing.T, c *collector, endpoint string) {
		tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint))
		if err != nil {
			t.Fatal(err)
		}
		record(tp, "turn")
		if err := tp.ForceFlush(withinHang(t)); err != nil {
			t.Fatal(err)
		}
		c.only(t)
		if err := tp.Shutdown(withinHang(t)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestShutdownWithNothingListening(t *testing.T) {
	export.ClearVariables(t)
	tests := []struct {
		name     string
		endpoint func(addr string) string
	}{
		{
			name:     "gRPC",
			endpoint: func(addr string) string { return addr },
		},
		{
			name:     "HTTP",
			endpoint: func(addr string) string { return "http://" + addr + "/v1/traces" },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint := tt.endpoint(unused(t))
			var errs handled
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint), errs.option())
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn")
			record(tp, "turn")
			// As documented: no deadline. The SDK's own way is 10 seconds and nil.
			err = tp.Shutdown(context.WithoutCancel(withinHang(t)))
			wantError(t, err, "no Phoenix at "+endpoint+"; start it with `phoenix serve`; 2 spans lost: ", "connection refused")
			if got := errs.all(); len(got) != 1 {
				t.Errorf("got %v handled, want one error", got)
			}
			if err := tp.Shutdown(t.Context()); err != nil {
				t.Errorf("got %v from a second Shutdown, want nil", err)
			}
		})
	}
}

// TestShutdownWithNothingListeningInTime gives Shutdown less time than it takes
// to be sure that nothing listens.
func TestShutdownWithNothingListeningInTime(t *testing.T) {
	export.ClearVariables(t)
	addr := unused(t)
	var errs handled
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(addr), errs.option())
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	wantError(t, tp.Shutdown(ctx), "no Phoenix at "+addr, "1 span lost")
}

func TestShutdownWithCancelledContext(t *testing.T) {
	export.ClearVariables(t)
	processor, err := export.PhoenixProcessor(t.Context(), export.WithEndpoint(unused(t)), new(handled).option())
	if err != nil {
		t.Fatal(err)
	}
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor))
	record(tp, "turn")
	record(tp, "turn")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = processor.Shutdown(ctx)
	wantError(t, err, "2 spans lost")
	record(tp, "late")
	if err := processor.Shutdown(ctx); err != nil {
		t.Errorf("got %v from a second Shutdown, want nil", err)
	}
}

func TestShutdownWaitsForSlowCollector(t *testing.T) {
	export.ClearVariables(t)
	c := &collector{answer: func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		time.Sleep(4 * time.Second) // longer than Shutdown waits for a connection
		return nil, nil
	}}
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)))
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	c.only(t)
}

func TestShutdownWaitsForCollectorThatCameUpLate(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	var c collector
	addr := unused(t)
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(addr))
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	time.Sleep(100 * time.Millisecond) // for a first attempt that fails
	c.serveGRPCAt(t, addr)
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	c.only(t)
}

// TestShutdownWithoutHandshake talks to a server that accepts connections and
// then says nothing.
func TestShutdownWithoutHandshake(t *testing.T) {
	export.ClearVariables(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	tp, err := export.Arize(t.Context(), export.WithEndpoint("https://"+l.Addr().String()),
		export.WithAPIKey(key), export.WithSpaceID("space-1"), new(handled).option())
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	wantError(t, tp.Shutdown(t.Context()), "no Arize at "+l.Addr().String(), "1 span lost: no connection within 3s")
}

func TestTimeoutVariable(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
	c, _ := stuckCollector(t)
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), new(handled).option())
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	wantError(t, tp.Shutdown(withinHang(t)), "did not answer in time; OTEL_EXPORTER_OTLP_TIMEOUT", "1 span lost")
}

// stuckCollector answers nothing until release is called or the test ends.
func stuckCollector(t *testing.T) (c *collector, release func()) {
	t.Helper()
	released := make(chan struct{})
	release = sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	return &collector{answer: func(ctx context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		select {
		case <-released:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}, release
}

func TestShutdownHonoursDeadline(t *testing.T) {
	export.ClearVariables(t)
	c, _ := stuckCollector(t)
	var errs handled
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), errs.option())
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = tp.Shutdown(ctx)
	wantError(t, err, "Shutdown's context ended before Phoenix", "1 span lost")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want it to be context.DeadlineExceeded", err)
	}
	if got := len(errs.all()); got != 1 {
		t.Errorf("got %d errors handled, want 1", got)
	}
}

func TestFlushOutlivesItsContext(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
	c, release := stuckCollector(t)
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)))
	if err != nil {
		t.Fatal(err)
	}
	record(tp, "turn")
	for range 20 { // more than the queue has places
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := tp.ForceFlush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v from ForceFlush, want the context's error", err)
		}
		cancel()
	}
	for range 3 {
		record(tp, "turn")
	}
	release()
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	if got := len(c.spans()); got != 4 {
		t.Errorf("got %d spans, want 4", got)
	}
}

func TestFullQueue(t *testing.T) {
	tests := []struct {
		name  string
		queue string // OTEL_BSP_MAX_QUEUE_SIZE
		opts  []export.Option
		attrs []attribute.KeyValue
		spans int
		taken int
		want  string
	}{
		{name: "spans", queue: "4", spans: 10, taken: 4, want: "(4 spans, OTEL_BSP_MAX_QUEUE_SIZE, or 64 MiB, export.WithMaxQueueBytes)"},
		{name: "one span", queue: "1", spans: 2, taken: 1, want: "(1 span, "},
		{
			name:  "bytes",
			attrs: []attribute.KeyValue{attribute.String("input.value", strings.Repeat("x", 10<<20))},
			spans: 8,
			taken: 6,
			want:  "(2048 spans, OTEL_BSP_MAX_QUEUE_SIZE, or 64 MiB, export.WithMaxQueueBytes)",
		},
		{
			name:  "one span of too many bytes",
			attrs: []attribute.KeyValue{attribute.String("input.value", strings.Repeat("x", 70<<20))},
			spans: 2,
			taken: 1,
			want:  "64 MiB",
		},
		{
			name:  "bytes of the option",
			opts:  []export.Option{export.WithMaxQueueBytes(3 << 19)},
			attrs: []attribute.KeyValue{attribute.String("input.value", strings.Repeat("x", 1<<19))},
			spans: 8,
			taken: 2,
			want:  "or 1.5 MiB, export.WithMaxQueueBytes)",
		},
		{
			name:  "bytes of an option without effect",
			opts:  []export.Option{export.WithMaxQueueBytes(-1)},
			attrs: []attribute.KeyValue{attribute.String("input.value", strings.Repeat("x", 10<<20))},
			spans: 8,
			taken: 6,
			want:  "or 64 MiB, export.WithMaxQueueBytes)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", tt.queue)
			c, release := stuckCollector(t)
			var errs handled
			tp, err := export.Phoenix(t.Context(), append(tt.opts, export.WithEndpoint(c.serveGRPC(t)), errs.option())...)
			if err != nil {
				t.Fatal(err)
			}
			for range tt.spans {
				record(tp, "turn", trace.WithAttributes(tt.attrs...))
			}
			if got := errs.all(); len(got) != 1 {
				t.Errorf("got %v handled while spans were dropped, want one error", got)
			} else {
				wantError(t, got[0], "the queue for Phoenix", tt.want, "spans are being dropped")
			}
			release()
			err = tp.Shutdown(withinHang(t))
			dropped := fmt.Sprintf("; %d span", tt.spans-tt.taken)
			wantError(t, err, tt.want, dropped, "lost")
			if got := errs.all(); len(got) != 2 || got[1].Error() != err.Error() {
				t.Errorf("got %v handled, want the number of spans as from Shutdown: %v", got, err)
			}
			if got := len(c.spans()); got != tt.taken {
				t.Errorf("got %d spans, want %d", got, tt.taken)
			}
		})
	}
}

func TestDroppedSpansAreReportedWhenQueueDrains(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "2")
	c, release := stuckCollector(t)
	reported := make(chan error, 10)
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), export.WithErrorHandler(func(err error) { reported <- err }))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		record(tp, "turn")
	}
	wantError(t, <-reported, "spans are being dropped")
	release()
	wantError(t, <-reported, "3 spans lost")
	record(tp, "another")
	err = tp.Shutdown(withinHang(t))
	wantError(t, err, "3 spans lost")
	if got := len(c.spans()); got != 3 {
		t.Errorf("got %d spans, want 3", got)
	}
}

func TestUnsampledSpansTakeNoRoom(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
	var c collector
	var errs handled
	processor, err := export.PhoenixProcessor(t.Context(), export.WithEndpoint(c.serveGRPC(t)), errs.option())
	if err != nil {
		t.Fatal(err)
	}
	// Recorded for other processors, but not sampled.
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor), sdktrace.WithSampler(recordOnly{}))
	for range 3 {
		record(tp, "turn")
	}
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	if got := errs.all(); len(got) != 0 || len(c.spans()) != 0 {
		t.Errorf("got errors %v and %d spans, want none", got, len(c.spans()))
	}
}

type recordOnly struct{}

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}

func (recordOnly) Description() string { return "recordOnly" }

func TestLargeSpansAreSentEarly(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
	arrived := make(chan struct{}, 10)
	c := &collector{answer: func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		arrived <- struct{}{}
		return nil, nil
	}}
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		record(tp, "turn", trace.WithAttributes(attribute.String("input.value", strings.Repeat("x", 3<<20))))
	}
	<-arrived
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	if got := len(c.spans()); got != 3 {
		t.Errorf("got %d spans, want 3", got)
	}
}

func TestSenselessBatchVariables(t *testing.T) {
	for _, value := range []string{"-1", "0", "many"} {
		t.Run(value, func(t *testing.T) {
			export.ClearVariables(t)
			t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", value)
			t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", value)
			var c collector
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)))
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn")
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
			c.only(t)
		})
	}
}

func TestShutdownFreesWhatIsLost(t *testing.T) {
	export.ClearVariables(t)
	c, _ := stuckCollector(t)
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), new(handled).option())
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	for range 6 {
		record(tp, "turn", trace.WithAttributes(attribute.String("input.value", strings.Repeat("x", 10<<20))))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	wantError(t, tp.Shutdown(ctx), "6 spans lost")
	if got := heap() - before; got > 30<<20 {
		t.Errorf("got %d MiB on the heap after Shutdown, want them free", got>>20)
	}
	runtime.KeepAlive(tp)
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // for pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestNoGoroutineIsLeft(t *testing.T) {
	forEachTransport(t, func(t *testing.T, c *collector, endpoint string) {
		before := runtime.NumGoroutine()
		for range 3 {
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint))
			if err != nil {
				t.Fatal(err)
			}
			record(tp, "turn")
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
		}
		// The connections of the HTTP client are pooled, and the server has
		// goroutines for them: a fixed few, not one for each provider.
		const pooled = 4
		for wait := 0; runtime.NumGoroutine() > before+pooled; wait++ {
			if wait == 100 {
				stacks := make([]byte, 1<<20)
				t.Fatalf("got %d goroutines, want at most %d:\n%s", runtime.NumGoroutine(), before+pooled, stacks[:runtime.Stack(stacks, true)])
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}
