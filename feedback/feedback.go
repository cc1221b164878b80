// Package feedback records how good the answers of a model were, and reads back
// which conversations went well.
//
// A [Judgement] is what a person, a model or a program says of a span, of a trace
// (one turn of a conversation) or of a session. [OnSpan], [OnTrace] and
// [OnSession] make one, and there are three ways to hand it on:
//
//   - [Client.Send] writes it to Phoenix.
//   - [Annotate] sets it as attributes of a span that is still open.
//   - [Record] puts it on a span of its own, linked to one that has ended.
//
// Phoenix shows what [Client.Send] writes and does not read the attributes, which
// are for other backends. The API of Arize AX is not covered.
//
//	client, err := feedback.NewClient() // PHOENIX_COLLECTOR_ENDPOINT, PHOENIX_API_KEY
//	if err != nil {
//		return err
//	}
//	err = client.Send(ctx, feedback.OnSession("chat-42",
//		feedback.Annotation{Name: "resolved", Label: "yes", Score: new(1.0)}))
//
// [Sessions] and [Transcript] read from Phoenix what a ranking of sessions and
// users needs.
package feedback

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
)

// AnnotatorKind is who judges.
type AnnotatorKind string

// The kinds of annotators that Phoenix and the OpenInference conventions know.
const (
	Human AnnotatorKind = openinference.AnnotatorKindHuman // Human is a person, such as the user who clicks on a thumb.
	LLM   AnnotatorKind = openinference.AnnotatorKindLLM   // LLM is a language model.
	Code  AnnotatorKind = openinference.AnnotatorKindCode  // Code is a program, such as a comparison.
)

// Annotation is one result of judging. It needs a name and at least one of label,
// score and explanation.
type Annotation struct {
	// Name is what was judged, such as "helpfulness". Phoenix does not accept
	// "note", which it uses itself.
	Name string
	// Label is the result as a category, such as "helpful".
	Label string
	// Score is the result as a finite number, such as new(0.5); nil is none. What
	// it ranges over, and which end is good, is up to the judge.
	Score *float64
	// Explanation is the reason for the result.
	Explanation string
	// Kind is who judged. The default is [Human].
	Kind AnnotatorKind
	// Identifier tells annotations of one name and one target apart, such as those
	// of two judges. In Phoenix an annotation replaces the one with the same
	// target, name and identifier.
	Identifier string
	// Metadata is further data about the result, recorded as a JSON object.
	Metadata map[string]any
}

func (a Annotation) check() error {
	switch a.Kind {
	case "", Human, LLM, Code:
	default:
		return fmt.Errorf("annotation %q: kind is %q; want Human, LLM or Code", a.Name, a.Kind)
	}
	switch {
	case strings.TrimSpace(a.Name) == "":
		return errors.New("annotation without a name; set Name to what was judged")
	case a.Label == "" && a.Score == nil && a.Explanation == "":
		return fmt.Errorf("annotation %q has no result; set Label, Score or Explanation", a.Name)
	case a.Score != nil && (math.IsNaN(*a.Score) || math.IsInf(*a.Score, 0)):
		return fmt.Errorf("annotation %q: score is %v; want a finite number", a.Name, *a.Score)
	}
	if _, err := json.Marshal(a.Metadata); err != nil {
		return fmt.Errorf("annotation %q: encode metadata: %w", a.Name, err)
	}
	return nil
}

// scope is what kind of thing is judged, in the words of Phoenix's REST API.
type scope string

const (
	spanScope    scope = "span"
	traceScope   scope = "trace"
	sessionScope scope = "session"
)

// Judgement is annotations of one target: of a span, a trace or a session. Make it
// with [OnSpan], [OnTrace] or [OnSession].
type Judgement struct {
	scope       scope
	list        attribute.Key     // which the attributes belong to
	id          string            // of the target, "" if that has none
	target      trace.SpanContext // zero for a session
	annotations []Annotation
}

// OnSpan judges a single span, such as a tool call. Inside a turn
// [openinference.NearestSpanContext] finds the span; afterwards, Phoenix is
// content with a [trace.SpanContext] that has no more than the span ID.
func OnSpan(span trace.SpanContext, annotations ...Annotation) Judgement {
	j := Judgement{scope: spanScope, list: openinference.AnnotationsKey, target: span, annotations: annotations}
	if span.HasSpanID() {
		j.id = span.SpanID().String()
	}
	return j
}

// OnTrace judges a whole trace, that is a turn of a conversation. span is any span
// of it, its root if possible; Phoenix is content with a [trace.SpanContext] that
// has no more than the trace ID.
func OnTrace(span trace.SpanContext, annotations ...Annotation) Judgement {
	j := Judgement{scope: traceScope, list: openinference.TraceAnnotationsKey, target: span, annotations: annotations}
	if span.HasTraceID() {
		j.id = span.TraceID().String()
	}
	return j
}

// OnSession judges the session that id names, as in [openinference.WithSession].
func OnSession(id string, annotations ...Annotation) Judgement {
	return Judgement{scope: sessionScope, list: openinference.SessionAnnotationsKey, id: id, annotations: annotations}
}

func check(judgements []Judgement) error {
	for _, j := range judgements {
		switch {
		case j.scope == sessionScope && strings.TrimSpace(j.id) == "":
			return fmt.Errorf("session ID %w", openinference.ErrEmptyID)
		case j.id == "":
			return fmt.Errorf("span context without a %s ID; take it from a recorded span, such as with openinference.NearestSpanContext inside a turn", j.scope)
		case len(j.annotations) == 0:
			return fmt.Errorf("no annotations for %s %s; give at least one", j.scope, j.id)
		}
		for _, a := range j.annotations {
			if err := a.check(); err != nil {
				return err
			}
		}
	}
	return nil
}
