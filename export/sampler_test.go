package export_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
)

// traceID returns one of many trace IDs, the same for the same number.
func traceID(n uint64) trace.TraceID {
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:8], n+1)
	binary.BigEndian.PutUint64(id[8:], n*0x9E3779B97F4A7C15) // spread evenly
	return id
}

// keeps reports what s decides of a span.
func keeps(s sdktrace.Sampler, ctx context.Context, n uint64, attrs ...attribute.KeyValue) bool {
	return s.ShouldSample(sdktrace.SamplingParameters{ParentContext: ctx, TraceID: traceID(n), Attributes: attrs}).Decision == sdktrace.RecordAndSample
}

func TestSessionSamplerKeepsTheRatio(t *testing.T) {
	const n = 50_000
	for _, ratio := range []float64{0.001, 0.01, 0.1, 0.5, 0.9} {
		for name, session := range map[string]func(int) string{
			"counted":   func(i int) string { return fmt.Sprint("chat-", i) },
			"long":      func(i int) string { return strings.Repeat("x", 100) + fmt.Sprint(i) },
			"same ends": func(i int) string { return fmt.Sprintf("user-%d/main", i) },
			"none":      func(int) string { return "" },
		} {
			s := export.SessionSampler(ratio)
			kept := 0
			for i := range n {
				if keeps(s, t.Context(), uint64(i), sessionID(session(i))) {
					kept++
				}
			}
			if off := math.Abs(float64(kept)-n*ratio) / math.Sqrt(n*ratio*(1-ratio)); off > 4 {
				t.Errorf("%s: kept %d of %d, %.1f standard deviations from %v", name, kept, n, off, ratio)
			}
		}
	}
}

func TestSessionSamplerSplitsNoSession(t *testing.T) {
	half, other, more := export.SessionSampler(0.5), export.SessionSampler(0.5), export.SessionSampler(0.6)
	for i := range 1_000 {
		id := fmt.Sprint("chat-", i)
		want := keeps(half, t.Context(), 0, sessionID(id))
		for n := range uint64(10) {
			for what, got := range map[string]bool{
				"another trace":     keeps(half, t.Context(), n, sessionID(id)),
				"another process":   keeps(other, t.Context(), n, sessionID(id)),
				"other attributes":  keeps(half, t.Context(), n, kindOf(openinference.KindLLM), sessionID(id), userID("ada")),
				"padded":            keeps(half, t.Context(), n, sessionID(" "+id+" ")),
				"of the context":    keeps(half, openinference.WithSession(t.Context(), id), n),
				"not the context's": keeps(half, openinference.WithSession(t.Context(), "chat-0"), n, sessionID(id)),
				"larger ratio":      keeps(more, t.Context(), n, sessionID(id)) && want,
			} {
				if got != want {
					t.Errorf("%s, %s: kept %v, want %v", id, what, got, want)
				}
			}
		}
	}
}

func TestSessionSamplerWithoutSession(t *testing.T) {
	s, byTrace := export.SessionSampler(0.3), sdktrace.TraceIDRatioBased(0.3)
	for n := range uint64(1_000) {
		want := keeps(byTrace, t.Context(), n)
		if keeps(s, t.Context(), n) != want || keeps(s, t.Context(), n, sessionID(" ")) != want {
			t.Errorf("trace %d: got another decision than that of TraceIDRatioBased, %v", n, want)
		}
	}
}

func TestSessionSamplerLimits(t *testing.T) {
	for ratio, want := range map[float64]bool{-1: false, 0: false, 1: true, 2: true} {
		if got := keeps(export.SessionSampler(ratio), t.Context(), 1, sessionID("chat-42")); got != want {
			t.Errorf("ratio %v: kept %v, want %v", ratio, got, want)
		}
	}
}

func TestSessionSamplerKeepsTheTraceState(t *testing.T) {
	state, err := trace.ParseTraceState("vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	ctx := trace.ContextWithRemoteSpanContext(t.Context(), remote(0).WithTraceState(state))
	got := export.SessionSampler(0.5).ShouldSample(sdktrace.SamplingParameters{
		ParentContext: ctx, TraceID: traceID(1), Attributes: []attribute.KeyValue{sessionID("chat-42")},
	})
	if got.Tracestate.String() != "vendor=1" {
		t.Errorf("got trace state %q, want that of the parent", got.Tracestate)
	}
}

// TestSampledSessionsAreWhole runs sessions of three turns in two services.
func TestSampledSessionsAreWhole(t *testing.T) {
	spans := make(map[string]int)
	for _, sampler := range []sdktrace.Sampler{
		export.SessionSampler(0.3),
		sdktrace.ParentBased(export.SessionSampler(0.3)),
	} {
		r := tracetest.NewSpanRecorder()
		tp := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(export.NewSpanProcessor(r)))
		tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
		for i := range 200 {
			for range 3 {
				ctx, turn := tracer.Start(openinference.WithSession(t.Context(), fmt.Sprint("chat-", i)), "turn", openinference.KindChain)
				ctx, query := tp.Tracer("sql").Start(ctx, "SELECT")
				_, step := tracer.Start(ctx, "step", openinference.KindTool)
				step.End()
				query.End()
				turn.End()
			}
		}
		for _, s := range r.Ended() {
			spans[session(s)]++
		}
	}
	for id, n := range spans {
		if n != 2*3*2 {
			t.Errorf("%s: got %d spans of %d", id, n, 2*3*2)
		}
	}
	if len(spans) < 30 || len(spans) > 90 {
		t.Errorf("got %d of 200 sessions, want about 60", len(spans))
	}
}
