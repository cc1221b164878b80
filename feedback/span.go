package feedback

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
)

// Annotate sets judgements as OpenInference attributes on an open span: those of the
// span itself, of its trace, for which the root is the best place, and of its
// session, whose session.id it sets as well. Give all that is to be said in one call;
// of the same kind of target a second call replaces the first.
//
// An incomplete judgement, or one on another span or trace, is an error, and then
// nothing is set. A span that is not recorded takes everything and keeps nothing.
//
// Source: https://github.com/Arize-ai/openinference/blob/main/spec/annotations.md.
func Annotate(span trace.Span, judgements ...Judgement) error {
	if !span.IsRecording() {
		return nil
	}
	if err := check(judgements); err != nil {
		return fmt.Errorf("feedback: annotate: %w", err)
	}
	sc := span.SpanContext()
	var attrs []attribute.KeyValue
	next := make(map[scope]int)
	for _, j := range judgements {
		if j.scope == spanScope && j.id != sc.SpanID().String() || j.scope == traceScope && j.id != sc.TraceID().String() {
			return fmt.Errorf("feedback: annotate: %s %s is not that of the open span; use Record", j.scope, j.id)
		}
		if j.scope == sessionScope {
			attrs = append(attrs, openinference.SessionIDKey.String(valid(j.id)))
		}
		attrs = append(attrs, j.attributes(next[j.scope])...)
		next[j.scope] += len(j.annotations)
	}
	span.SetAttributes(attrs...)
	return nil
}

// Record makes a span of kind EVALUATOR for each judgement, which carries it to a
// backend that reads OpenInference attributes: linked to the span, or to a span of the
// trace, or with the session.id of the session. It is for targets that have ended. A
// nil tracer is openinference.NewTracer().
//
// The spans are started under ctx. Do not send them to Phoenix, where they would show as
// turns of the session; it has [Client.Send].
//
// An incomplete judgement is an error, and so is one on a span or trace whose
// [trace.SpanContext] lacks the trace ID or the span ID; then no span is made.
//
// Source: https://github.com/Arize-ai/openinference/blob/main/spec/annotations.md.
func Record(ctx context.Context, t *openinference.Tracer, judgements ...Judgement) error {
	if err := check(judgements); err != nil {
		return fmt.Errorf("feedback: record: %w", err)
	}
	for _, j := range judgements {
		if j.scope != sessionScope && !j.target.IsValid() {
			return errors.New("feedback: record: a link needs a span context with trace ID and span ID")
		}
	}
	for _, j := range judgements {
		ctx, links := ctx, []trace.Link{{SpanContext: j.target}}
		if j.scope == sessionScope {
			ctx, links = openinference.WithSession(ctx, j.id), nil
		}
		_, span := t.Start(ctx, "Feedback", openinference.KindEvaluator, trace.WithLinks(links...))
		span.SetAttributes(j.attributes(0)...)
		span.End()
	}
	return nil
}

// attributes returns the annotations as attributes whose numbers start at first.
func (j Judgement) attributes(first int) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	for i, a := range j.annotations {
		path := fmt.Sprintf("%s.%d.", j.list, first+i)
		add := func(key attribute.Key, s string) {
			if s != "" {
				attrs = append(attrs, attribute.String(path+string(key), valid(s)))
			}
		}
		add(openinference.AnnotationNameKey, a.Name)
		if a.Score != nil {
			attrs = append(attrs, attribute.Float64(path+string(openinference.AnnotationScoreKey), *a.Score))
		}
		add(openinference.AnnotationLabelKey, a.Label)
		add(openinference.AnnotationExplanationKey, a.Explanation)
		add(openinference.AnnotationAnnotatorKindKey, string(cmp.Or(a.Kind, Human)))
		add(openinference.AnnotationIdentifierKey, a.Identifier)
		if metadata, err := json.Marshal(a.Metadata); err == nil && len(a.Metadata) > 0 {
			add(openinference.AnnotationMetadataKey, string(metadata))
		}
	}
	return attrs
}

// valid mends s: one byte that isn't UTF-8 costs an exporter the whole batch.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
