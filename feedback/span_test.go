package feedback_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/feedback"
)

// newTracer returns a tracer, and a function that returns the attributes of the
// spans that have ended, together with those spans.
func newTracer() (*openinference.Tracer, func() ([]object, tracetest.SpanStubs)) {
	exporter := tracetest.NewInMemoryExporter()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	return openinference.NewTracer(openinference.WithTracerProvider(tp)), func() ([]object, tracetest.SpanStubs) {
		var attrs []object
		for _, s := range exporter.GetSpans() {
			o := object{}
			for _, kv := range s.Attributes {
				o[string(kv.Key)] = kv.Value.AsInterface()
			}
			attrs = append(attrs, o)
		}
		return attrs, exporter.GetSpans()
	}
}

var (
	complete = feedback.Annotation{
		Name: "helpfulness", Label: "poor", Score: new(0.5), Explanation: "caf\xe9",
		Kind: feedback.LLM, Identifier: "judge-v2", Metadata: object{"rubric": 2},
	}
	brief = feedback.Annotation{Name: "thumb", Label: "up"}
)

// with returns attributes: those of complete below prefix, and more.
func with(prefix string, more object) object {
	o := object{
		prefix + "name": "helpfulness", prefix + "label": "poor", prefix + "score": 0.5, prefix + "explanation": "caf\uFFFD",
		prefix + "annotator_kind": "LLM", prefix + "identifier": "judge-v2", prefix + "metadata": `{"rubric":2}`,
	}
	maps.Copy(o, more)
	return o
}

func TestAnnotate(t *testing.T) {
	tests := []struct {
		name  string
		judge func(trace.SpanContext) []feedback.Judgement
		want  object
	}{
		{"span", func(sc trace.SpanContext) []feedback.Judgement {
			return []feedback.Judgement{feedback.OnSpan(sc, complete, brief), feedback.OnSpan(sc, brief)}
		}, with("annotations.0.annotation.", object{
			"annotations.1.annotation.name": "thumb", "annotations.1.annotation.label": "up", "annotations.1.annotation.annotator_kind": "HUMAN",
			"annotations.2.annotation.name": "thumb", "annotations.2.annotation.label": "up", "annotations.2.annotation.annotator_kind": "HUMAN",
		})},
		{"trace", func(sc trace.SpanContext) []feedback.Judgement {
			return []feedback.Judgement{feedback.OnTrace(sc, complete)}
		}, with("trace.annotations.0.annotation.", nil)},
		{"session", func(trace.SpanContext) []feedback.Judgement {
			return []feedback.Judgement{feedback.OnSession("s1", complete)}
		}, with("session.annotations.0.annotation.", object{"session.id": "s1"})},
		{"span and trace", func(sc trace.SpanContext) []feedback.Judgement {
			return []feedback.Judgement{feedback.OnSpan(sc, complete), feedback.OnTrace(sc, brief)}
		}, with("annotations.0.annotation.", object{
			"trace.annotations.0.annotation.name": "thumb", "trace.annotations.0.annotation.label": "up", "trace.annotations.0.annotation.annotator_kind": "HUMAN",
		})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tracer, ended := newTracer()
			_, span := tracer.Start(t.Context(), "Turn", openinference.KindChain)
			if err := feedback.Annotate(span, test.judge(span.SpanContext())...); err != nil {
				t.Fatal(err)
			}
			span.End()
			got, _ := ended()
			test.want["openinference.span.kind"] = "CHAIN"
			if diff := cmp.Diff([]object{test.want}, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnnotateSetsNothingThatIsWrong(t *testing.T) {
	tracer, ended := newTracer()
	_, span := tracer.Start(t.Context(), "Turn", openinference.KindChain)
	own := feedback.OnSpan(span.SpanContext(), brief)
	for _, test := range incomplete {
		wantError(t, feedback.Annotate(span, own, test.give), "feedback: annotate: ", test.want)
	}
	wantError(t, feedback.Annotate(span, own, feedback.OnSpan(target, brief)), "span "+spanID+" is not that of the open span; use Record")
	wantError(t, feedback.Annotate(span, own, feedback.OnTrace(target, brief)), "trace "+traceID+" is not that of the open span; use Record")
	span.End()
	got, _ := ended()
	if diff := cmp.Diff([]object{{"openinference.span.kind": "CHAIN"}}, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func TestAnnotateSpanThatIsNotRecorded(t *testing.T) {
	span := noop.Span{}
	if err := feedback.Annotate(span, feedback.OnSpan(span.SpanContext(), brief)); err != nil {
		t.Errorf("got error %v, want none", err)
	}
}

func TestRecord(t *testing.T) {
	tracer, ended := newTracer()
	ctx := openinference.WithSession(t.Context(), "another")
	if err := feedback.Record(ctx, tracer,
		feedback.OnSpan(target, complete), feedback.OnTrace(target, complete), feedback.OnSession("s1", complete)); err != nil {
		t.Fatal(err)
	}
	got, spans := ended()
	want := []object{
		with("annotations.0.annotation.", object{"openinference.span.kind": "EVALUATOR", "session.id": "another"}),
		with("trace.annotations.0.annotation.", object{"openinference.span.kind": "EVALUATOR", "session.id": "another"}),
		with("session.annotations.0.annotation.", object{"openinference.span.kind": "EVALUATOR", "session.id": "s1"}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	link := []sdktrace.Link{{SpanContext: target}}
	for i, want := range [][]sdktrace.Link{link, link, nil} {
		if diff := cmp.Diff(want, spans[i].Links, cmpopts.EquateEmpty(), cmp.Comparer(trace.SpanContext.Equal), cmpopts.IgnoreTypes([]attribute.KeyValue{})); diff != "" {
			t.Errorf("links of span %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestRecordNothingThatIsWrong(t *testing.T) {
	tracer, ended := newTracer()
	own := feedback.OnSession("s1", brief)
	for _, test := range incomplete {
		wantError(t, feedback.Record(t.Context(), tracer, own, test.give), "feedback: record: ", test.want)
	}
	half := trace.NewSpanContext(trace.SpanContextConfig{TraceID: target.TraceID()})
	wantError(t, feedback.Record(t.Context(), tracer, own, feedback.OnTrace(half, brief)), "a link needs a span context with trace ID and span ID")
	if _, spans := ended(); len(spans) != 0 {
		t.Errorf("got %d spans, want none", len(spans))
	}
}
