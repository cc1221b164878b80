package openinference_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

func newTracer(r *recorder, opts ...openinference.Option) *openinference.Tracer {
	return openinference.NewTracer(append(opts, openinference.WithTracerProvider(r.provider))...)
}

func TestTracerStart(t *testing.T) {
	r := newRecorder()
	ctx := openinference.WithUser(openinference.WithSession(context.Background(), "s1"), "ada")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_, span := newTracer(r).Start(ctx, "search", openinference.KindRetriever,
		trace.WithAttributes(openinference.SessionIDKey.String("mine"), attribute.String("a", "1"), attribute.String("a", "2")),
		trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindClient))
	span.SetInput("query")
	span.SetOutput(map[string]any{"documents": []string{"<a>"}})
	span.End()

	got := r.only(t)
	wantAttrs(t, got, map[attribute.Key]string{
		openinference.OpenInferenceSpanKindKey: "RETRIEVER",
		openinference.SessionIDKey:             "mine", // the caller's own stands
		openinference.UserIDKey:                "ada",
		"a":                                    "2",
		openinference.InputValueKey:            "query",
		openinference.InputMIMETypeKey:         "text/plain",
		openinference.OutputValueKey:           `{"documents":["<a>"]}`,
		openinference.OutputMIMETypeKey:        "application/json",
	})
	if !got.StartTime().Equal(at) || got.SpanKind() != trace.SpanKindClient {
		t.Errorf("got start %v and kind %v, want the caller's options", got.StartTime(), got.SpanKind())
	}
}

func TestSpanValues(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = make(chan int)
	tests := []struct {
		name       string
		in         any
		want, mime string
	}{
		{"string", "a <b>", "a <b>", "text/plain"},
		{"number", 42, "42", "application/json"},
		{"nil", nil, "", ""},
		{"no JSON", make(chan int), "0x", "text/plain"},
		{"panics", panicky{}, "openinference_test.panicky", "text/plain"},
		{"bad text", "\xff", "\uFFFD", "text/plain"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handled(t)
			r := newRecorder()
			_, span := newTracer(r).Start(context.Background(), "step", openinference.KindTool)
			span.SetInput(tt.in)
			span.End()
			got := r.only(t)
			if value := attr(got, openinference.InputValueKey); !strings.HasPrefix(value, tt.want) || tt.want == "" && value != "" {
				t.Errorf("got %q, want %q", value, tt.want)
			}
			wantAttrs(t, got, map[attribute.Key]string{openinference.InputMIMETypeKey: tt.mime})
		})
	}
}

type panicky struct{}

func (panicky) MarshalJSON() ([]byte, error) { panic("no") }

func TestCall(t *testing.T) {
	r := newRecorder()
	double := openinference.Traced(newTracer(r), "double", openinference.KindTool, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	if got, err := double(context.Background(), 21); got != 42 || err != nil {
		t.Errorf("got %d, %v, want 42", got, err)
	}
	span := r.only(t)
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.OpenInferenceSpanKindKey: "TOOL",
		openinference.InputValueKey:            "21",
		openinference.OutputValueKey:           "42",
	})
	if span.Name() != "double" || span.Status().Code != codes.Ok {
		t.Errorf("got span %q with status %v, want double, Ok", span.Name(), span.Status())
	}
}

func TestCallFails(t *testing.T) {
	r := newRecorder()
	boom := errors.New("boom")
	_, err := openinference.Call(context.Background(), newTracer(r), "step", openinference.KindChain, "in",
		func(context.Context, string) (string, error) { return "half", fmt.Errorf("look up: %w", boom) })
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want the function's error", err)
	}
	span := r.only(t)
	if got := span.Status(); got.Code != codes.Error || got.Description != "look up: boom" {
		t.Errorf("got status %v, want Error, look up: boom", got)
	}
	wantException(t, span, "*errors.errorString", "look up: boom")
	wantAttrs(t, span, map[attribute.Key]string{openinference.InputValueKey: "in", openinference.OutputValueKey: ""})
}

func TestCallPanics(t *testing.T) {
	r := newRecorder()
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("got panic %v, want the function's", got)
			}
		}()
		openinference.Call(context.Background(), newTracer(r), "step", openinference.KindChain, "in",
			func(context.Context, string) (string, error) { panic("boom") })
	}()
	if got := r.only(t).Status(); got.Code != codes.Error || !strings.Contains(got.Description, "boom") {
		t.Errorf("got status %v, want Error with the panic", got)
	}
}

func TestNilTracer(t *testing.T) {
	got, err := openinference.Call(context.Background(), nil, "step", openinference.KindChain, 1, func(_ context.Context, n int) (int, error) { return n, nil })
	if got != 1 || err != nil {
		t.Errorf("got %v, %v, want 1", got, err)
	}
	fn := openinference.Traced(nil, "step", openinference.KindChain, func(_ context.Context, n int) (int, error) { return n, nil })
	if got, err := fn(context.Background(), 2); got != 2 || err != nil {
		t.Errorf("got %v, %v, want 2", got, err)
	}
}

// TestTurn runs three turns under one span of a web server.
func TestTurn(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("yes"))
	ctx, server := r.provider.Tracer("http").Start(context.Background(), "GET /ws")
	tracer := newTracer(r)
	for range 3 {
		_, err := openinference.Turn(ctx, tracer, "turn", "hi", func(ctx context.Context, in string) (string, error) {
			return openinference.Turn(ctx, tracer, "inner", in, func(ctx context.Context, in string) (string, error) {
				ask(t, ctx, client, in)
				return "yes", nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	server.End()
	traces := map[trace.TraceID]bool{}
	for _, span := range r.Ended() {
		if span.Name() != "turn" {
			if span.Parent().IsValid() == (span.Name() == "GET /ws") {
				t.Errorf("%s has parent %v", span.Name(), span.Parent())
			}
			continue
		}
		traces[span.SpanContext().TraceID()] = true
		if span.Parent().IsValid() {
			t.Errorf("the turn has a parent: %v", span.Parent())
		}
		if links := span.Links(); len(links) != 1 || !links[0].SpanContext.Equal(server.SpanContext()) {
			t.Errorf("got links %v, want the server's span", links)
		}
		wantAttrs(t, span, map[attribute.Key]string{openinference.OpenInferenceSpanKindKey: "CHAIN"})
	}
	if len(traces) != 3 || traces[server.SpanContext().TraceID()] {
		t.Errorf("got %d traces of turns, want 3 of their own", len(traces))
	}
}

func TestNearestSpanContext(t *testing.T) {
	r := newRecorder()
	other := r.provider.Tracer("other")
	ctx, foreign := other.Start(context.Background(), "GET /")
	if got := openinference.NearestSpanContext(ctx); got.IsValid() {
		t.Errorf("got %v under a foreign span, want none", got)
	}
	ctx, turn := newTracer(r).Start(ctx, "turn", openinference.KindChain)
	ctx, query := other.Start(ctx, "SELECT")
	if got := openinference.NearestSpanContext(ctx); !got.Equal(turn.SpanContext()) {
		t.Errorf("got %v below a query, want the turn", got)
	}
	root, elsewhere := other.Start(ctx, "job", trace.WithNewRoot())
	if got := openinference.NearestSpanContext(root); got.IsValid() {
		t.Errorf("got %v in another trace, want none", got)
	}
	for _, s := range []trace.Span{elsewhere, query, turn, foreign} {
		s.End()
	}
}

// TestSpanIsFoundWithoutItsContext: a goroutine may take the span along and leave the
// context.
func TestSpanIsFoundWithoutItsContext(t *testing.T) {
	r := newRecorder()
	ctx, turn := newTracer(r).Start(context.Background(), "turn", openinference.KindChain)
	ctx = trace.ContextWithSpan(context.Background(), trace.SpanFromContext(ctx))
	if got := openinference.NearestSpanContext(ctx); !got.Equal(turn.SpanContext()) {
		t.Errorf("got %v, want the turn", got)
	}
	turn.End()
}

func TestSpanFromContext(t *testing.T) {
	r := newRecorder()
	_, err := openinference.Call(context.Background(), newTracer(r), "turn", openinference.KindAgent, "hi", func(ctx context.Context, _ string) (string, error) {
		ctx, query := r.provider.Tracer("sql").Start(ctx, "SELECT")
		openinference.SpanFromContext(ctx).SetAgent("guide")
		query.End()
		return "yes", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantAttrs(t, r.Ended()[1], map[attribute.Key]string{openinference.AgentNameKey: "guide"})

	none := openinference.SpanFromContext(context.Background())
	none.SetInput("hi")
	none.SetName("none")
	none.SetError(errors.New("boom"))
	none.SetDocuments(openinference.Document{ID: "1"})
	none.SetReranking(openinference.Reranking{Query: "q"})
	none.SetTool(openinference.Tool{Name: "clock"})
	none.SetGraphNode("a", "", "")
	none.End()
	if none.IsRecording() || none.SpanContext().IsValid() {
		t.Error("got a span where there is none")
	}
}

// TestUnsampledSpanIsNobodysAncestor: what is not recorded cannot be annotated, and
// is no turn.
func TestUnsampledSpanIsNobodysAncestor(t *testing.T) {
	r := newRecorder(sdktrace.WithSampler(sdktrace.NeverSample()))
	ctx, span := newTracer(r).Start(context.Background(), "turn", openinference.KindChain)
	defer span.End()
	if got := openinference.NearestSpanContext(ctx); got.IsValid() {
		t.Errorf("got %v, want none", got)
	}
}

func TestRecordErrorKeepsTheStack(t *testing.T) {
	r := newRecorder()
	_, span := newTracer(r).Start(context.Background(), "step", openinference.KindTool)
	span.RecordError(errors.New("boom"), trace.WithStackTrace(true))
	span.RecordError(nil)
	span.SetError(nil)
	span.End()
	got := r.only(t)
	if len(got.Events()) != 1 || got.Status().Code != codes.Unset {
		t.Fatalf("got events %v and status %v, want one event and no status", got.Events(), got.Status())
	}
	if stack, _ := lookup(got.Events()[0].Attributes, "exception.stacktrace"); !strings.Contains(stack.AsString(), "TestRecordErrorKeepsTheStack") {
		t.Errorf("got stack %q, want this test in it", stack.AsString())
	}
}
