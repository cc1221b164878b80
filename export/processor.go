package export

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
)

// The latest entries that a memory has for certain; twice as many at most.
const (
	maxOpen   = 50_000 // spans that are open
	maxTraces = 10_000
)

// NewSpanProcessor returns a processor that makes of a program's spans what the
// Sessions view needs, and hands them to next. [PhoenixProcessor] and
// [ArizeProcessor] begin with one; on its own it goes in front of any other
// pipeline, such as a batch processor for a Collector:
//
//	sdktrace.WithSpanProcessor(export.NewSpanProcessor(sdktrace.NewBatchSpanProcessor(exporter)))
//
// It does three things:
//
//   - Every span that starts under a context with session.id, user.id, metadata or
//     tags gets them, unless it has its own: spans of other instrumentation too,
//     and for all processors of the provider.
//   - Only OpenInference spans, those with openinference.span.kind, reach next.
//     The spans of a web server or a database do not, unless [WithAllSpans] is
//     given, and take no room in its queue.
//   - The parent of a span, as next sees it, is the nearest OpenInference span
//     above in the same trace, whatever stands between. Where there is none, the
//     span is a root: with a parent that never arrives, Phoenix shows no input, no
//     output and no user. A parent in another service counts if
//     [openinference.Propagator] has told of it. IDs stay what they are.
//
// A span counts as above another one if it was an OpenInference span when that one
// started: set the kind when starting the span, or right after. Spans that are not
// sampled do not count. Those of other providers do, as they may go to the same
// place: let one provider have all OpenInference spans, or all go there.
//
// If the spans of a trace have two session IDs, of which Phoenix counts the first
// that arrives, that is reported once, to the function of [WithErrorHandler] or
// else to [otel.Handle]. Other options have no effect.
//
// Memory is bounded though spans may never end. When 50,000 or more are open at the
// same time, the parents of the oldest may be forgotten; they become roots.
//
// Next is not told of the start of a span that is not an OpenInference span then.
// It must not be nil. ForceFlush and Shutdown are its own.
func NewSpanProcessor(next sdktrace.SpanProcessor, opts ...Option) sdktrace.SpanProcessor {
	return newSessions(next, newOptions(opts))
}

// sessions is the processor of [NewSpanProcessor].
type sessions struct {
	sdktrace.SpanProcessor // next
	all                    bool
	handle                 func(error)
	seed                   maphash.Seed

	mu      sync.Mutex
	parents memory[spanID, trace.SpanContext] // of spans that are open: the nearest OpenInference span above
	traces  memory[trace.TraceID, seen]
}

type spanID struct {
	trace trace.TraceID
	span  trace.SpanID
}

func idOf(sc trace.SpanContext) spanID { return spanID{sc.TraceID(), sc.SpanID()} }

// seen is what is remembered of a trace.
type seen struct {
	session  uint64 // hash of the first ID
	reported bool
}

func newSessions(next sdktrace.SpanProcessor, o *options) *sessions {
	return &sessions{
		SpanProcessor: next,
		all:           o.all,
		handle:        o.handle,
		seed:          maphash.MakeSeed(),
		parents:       memory[spanID, trace.SpanContext]{max: maxOpen},
		traces:        memory[trace.TraceID, seen]{max: maxTraces},
	}
}

// OnStart gives s the attributes of ctx and remembers what is above it.
func (p *sessions) OnStart(ctx context.Context, s sdktrace.ReadWriteSpan) {
	attrs := s.Attributes()
	stamp(ctx, s, attrs)
	if !p.all {
		p.remember(s.SpanContext(), p.above(ctx, s))
	}
	if p.all || isOpenInference(attrs) {
		p.SpanProcessor.OnStart(ctx, s)
	}
}

// stamp adds to s what ctx says and attrs, those of s, do not.
func stamp(ctx context.Context, s trace.Span, attrs []attribute.KeyValue) {
	a := openinference.AttributesFromContext(ctx)
	a.PromptTemplate = openinference.PromptTemplate{} // of model calls only
	for _, kv := range attrs {
		switch kv.Key {
		case openinference.SessionIDKey:
			a.SessionID = ""
		case openinference.UserIDKey:
			a.UserID = ""
		case openinference.MetadataKey:
			a.Metadata = nil
		case openinference.TagTagsKey:
			a.Tags = nil
		}
	}
	s.SetAttributes(a.KeyValues()...)
}

// above returns the nearest OpenInference span above s, which starts under ctx.
func (p *sessions) above(ctx context.Context, s sdktrace.ReadOnlySpan) trace.SpanContext {
	parent := s.Parent()
	if !parent.IsValid() {
		return trace.SpanContext{} // ctx may say more, but s is a new root
	}
	nearest := openinference.NearestSpanContext(ctx)
	if nearest.SpanID() == parent.SpanID() {
		return nearest
	}
	// Of spans that another library has started ctx does not tell.
	if span, ok := trace.SpanFromContext(ctx).(sdktrace.ReadOnlySpan); ok && parent.IsSampled() && isOpenInference(span.Attributes()) {
		return parent
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if above, ok := p.parents.get(idOf(parent)); ok {
		return above
	}
	return nearest
}

// OnEnd hands s on if it is an OpenInference span, with its new parent.
func (p *sessions) OnEnd(s sdktrace.ReadOnlySpan) {
	attrs := s.Attributes()
	if !p.all {
		parent := p.forget(s.SpanContext())
		if !isOpenInference(attrs) {
			return
		}
		if parent.SpanID() != s.Parent().SpanID() {
			s = linked{s, parent}
		}
	}
	p.check(s.SpanContext().TraceID(), attrs)
	p.SpanProcessor.OnEnd(s)
}

// remember notes what is above an open span.
func (p *sessions) remember(span, above trace.SpanContext) {
	if !above.IsValid() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// Nobody reads the state of a parent, and it may be large.
	p.parents.set(idOf(span), above.WithTraceState(trace.TraceState{}))
}

// forget returns what is above a span that ends.
func (p *sessions) forget(span trace.SpanContext) (above trace.SpanContext) {
	p.mu.Lock()
	defer p.mu.Unlock()
	above, _ = p.parents.get(idOf(span))
	p.parents.delete(idOf(span))
	return above
}

// check reports a second session ID in a trace.
func (p *sessions) check(id trace.TraceID, attrs []attribute.KeyValue) {
	session := strings.TrimSpace(text(attrs, openinference.SessionIDKey)) // as Phoenix does
	if session == "" {
		return
	}
	hash := maphash.String(p.seed, session)
	p.mu.Lock()
	first, ok := p.traces.get(id)
	second := ok && first.session != hash && !first.reported
	if !ok {
		first.session = hash
	}
	if !ok || second {
		p.traces.set(id, seen{first.session, second})
	}
	p.mu.Unlock()
	if second {
		p.handle(fmt.Errorf("export: trace %s has a second session ID, %q, and is shown in one session only; "+
			"set the ID before the first span of the turn, and start another turn with openinference.Turn", id, session))
	}
}

func isOpenInference(attrs []attribute.KeyValue) bool {
	return strings.TrimSpace(text(attrs, openinference.OpenInferenceSpanKindKey)) != ""
}

// text returns an attribute as text, "" if it is not there.
func text(attrs []attribute.KeyValue, key attribute.Key) string {
	for _, kv := range attrs {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// linked is a span with another parent.
type linked struct {
	sdktrace.ReadOnlySpan
	parent trace.SpanContext
}

// Parent implements [sdktrace.ReadOnlySpan]. It is zero for a root.
func (l linked) Parent() trace.SpanContext { return l.parent }

// memory is a map that forgets the older half of what is in it when it is full.
type memory[K comparable, V any] struct {
	max        int // of each half
	young, old map[K]V
}

func (m *memory[K, V]) get(k K) (V, bool) {
	v, ok := m.young[k]
	if !ok {
		v, ok = m.old[k]
	}
	return v, ok
}

func (m *memory[K, V]) set(k K, v V) {
	if m.young == nil || len(m.young) >= m.max {
		m.young, m.old = make(map[K]V), m.young
	}
	m.young[k] = v
}

func (m *memory[K, V]) delete(k K) {
	delete(m.young, k)
	delete(m.old, k)
}
