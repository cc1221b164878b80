package openinference

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Kind is what a span stands for, recorded as openinference.span.kind. See
// https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md.
type Kind string

// The kinds of the OpenInference conventions.
const (
	KindLLM       Kind = "LLM"       // KindLLM is a call of a language model.
	KindEmbedding Kind = "EMBEDDING" // KindEmbedding is a call that makes vectors of texts.
	KindChain     Kind = "CHAIN"     // KindChain is a sequence of steps, such as a turn of a conversation.
	KindAgent     Kind = "AGENT"     // KindAgent is a model that chooses its steps.
	KindTool      Kind = "TOOL"      // KindTool is a function that a model asked for.
	KindRetriever Kind = "RETRIEVER" // KindRetriever is a search for documents.
	KindReranker  Kind = "RERANKER"  // KindReranker is a sorting of documents by relevance.
	KindGuardrail Kind = "GUARDRAIL" // KindGuardrail is a check of what goes in or comes out.
	KindEvaluator Kind = "EVALUATOR" // KindEvaluator is a judgement of an answer.
	KindPrompt    Kind = "PROMPT"    // KindPrompt is the making of a prompt from a template.
	KindDecision  Kind = "DECISION"  // KindDecision is a choice between given options.
	KindUnknown   Kind = "UNKNOWN"   // KindUnknown is a step of no other kind.
)

// Tracer starts OpenInference spans. The clients and transports of this package
// start theirs with one, too. Make it with [NewTracer].
type Tracer struct {
	config
}

// NewTracer returns a tracer for the steps of a program that are not model calls:
// turns, agents, tools, retrievers. Of the options, [WithIOFormat] and
// [WithStreamUsage] concern model calls only.
func NewTracer(opts ...Option) *Tracer {
	return &Tracer{newConfig(opts)}
}

// Start starts a span of that kind and returns it with a context that holds it.
// The caller must end it.
//
// The span carries the attributes of ctx, such as session.id, those that
// [WithAttributesFunc] finds and those in opts; where the same key occurs twice,
// opts come before ctx, and ctx before the function. Under [WithSuppression] the
// span records nothing. A nil tracer is NewTracer().
func (t *Tracer) Start(ctx context.Context, name string, kind Kind, opts ...trace.SpanStartOption) (context.Context, *Span) {
	if t == nil {
		t = NewTracer()
	}
	if suppressed(ctx) {
		return ctx, &Span{Span: noop.Span{}, mask: t.mask}
	}
	ctx, started := t.begin(ctx, name, knownFrom(OpenInferenceSpanKindKey.String(string(kind))), opts)
	span := &Span{Span: started, mask: t.mask}
	if started.IsRecording() {
		ctx = trace.ContextWithSpan(ctx, span)
		if started.SpanContext().IsSampled() {
			ctx = context.WithValue(ctx, spanKey, span)
		}
	}
	return ctx, span
}

// known is what is known of a span before it starts: samplers see it.
type known struct {
	attrs   []attribute.KeyValue // the kind first
	options []trace.SpanStartOption
	common  bool // to many spans
}

func knownFrom(attrs ...attribute.KeyValue) *known {
	return &known{attrs: attrs, options: []trace.SpanStartOption{trace.WithAttributes(attrs...)}}
}

// begin is the one place where spans start.
func (t *Tracer) begin(ctx context.Context, name string, k *known, opts []trace.SpanStartOption) (context.Context, trace.Span) {
	k = fromContext(ctx).joinedWith(k)
	if t.attributesFrom != nil {
		k = knownFrom(appendMissing(slices.Clip(k.attrs), t.mask.all(t.attributesFrom(ctx)))...)
	}
	if len(opts) > 0 {
		opts = t.given(k, trace.NewSpanStartConfig(opts...))
	} else {
		opts = k.options
	}
	return t.otelTracer().Start(ctx, recordable(name), opts...)
}

// given returns the options of a caller, whose attributes come before all that is known
// but the kind.
func (t *Tracer) given(k *known, c trace.SpanConfig) []trace.SpanStartOption {
	given := t.mask.all(c.Attributes())
	slices.Reverse(given) // of a key that is given twice the last counts
	attrs := appendMissing(appendMissing(k.attrs[:1:1], given), k.attrs[1:])
	opts := []trace.SpanStartOption{
		trace.WithAttributes(attrs...),
		trace.WithTimestamp(c.Timestamp()),
		trace.WithLinks(c.Links()...),
		trace.WithSpanKind(c.SpanKind()),
	}
	if c.NewRoot() {
		opts = append(opts, trace.WithNewRoot())
	}
	return opts
}

// appendMissing appends to attrs those of kvs whose keys are not there.
func appendMissing(attrs, kvs []attribute.KeyValue) []attribute.KeyValue {
	for _, kv := range kvs {
		if !slices.ContainsFunc(attrs, func(a attribute.KeyValue) bool { return a.Key == kv.Key }) {
			attrs = append(attrs, kv)
		}
	}
	return attrs
}

// NearestSpanContext returns the span context of the nearest OpenInference span
// that ctx is under, through any other spans between: the one to annotate with what
// a user or a judge says of the answer. It is the zero SpanContext when there is
// none that is recorded in the trace of ctx.
func NearestSpanContext(ctx context.Context) trace.SpanContext {
	if span := nearest(ctx); span != nil {
		return span.SpanContext()
	}
	return trace.SpanContext{}
}

// SpanFromContext returns the nearest OpenInference span that ctx is under, as
// [NearestSpanContext] finds it, to set on it what is known inside [Call] or [Turn]
// only. Where there is none, it returns a span that records nothing.
func SpanFromContext(ctx context.Context) *Span {
	if span := nearest(ctx); span != nil {
		return span
	}
	return &Span{Span: noop.Span{}}
}

// nearest returns the nearest OpenInference span above ctx, nil if there is none
// in the same trace: below a new root the spans above are another conversation's.
func nearest(ctx context.Context) *Span {
	current := trace.SpanFromContext(ctx)
	// A goroutine may have taken the span along and not the context.
	span, ok := current.(*Span)
	if ok && span.SpanContext().IsSampled() {
		return span
	}
	span, ok = ctx.Value(spanKey).(*Span)
	if !ok || span.SpanContext().TraceID() != current.SpanContext().TraceID() {
		return nil
	}
	return span
}

// Span is an OpenInference span. All that is set on it passes the [TraceConfig] of
// its tracer, and text that is not UTF-8 is mended. The input.value and output.value
// that SetAttributes is given are plain text unless their mime_type is given with
// them.
type Span struct {
	trace.Span
	mask *mask
}

// SetAttributes sets what the [TraceConfig] lets through of kvs.
func (s *Span) SetAttributes(kvs ...attribute.KeyValue) {
	if s.IsRecording() {
		s.Span.SetAttributes(s.mask.all(kvs)...)
	}
}

// setParts is SetAttributes for a slice that nobody else needs, whose texts are parts of
// bodies of so many bytes. Until it is exported, the span keeps the bodies in memory by
// that: not so if little of them is left.
func (s *Span) setParts(kvs []attribute.KeyValue, bodies int) {
	kvs = s.mask.inPlace(kvs)
	const small = 16 << 10
	if bodies > small && 2*textSize(kvs) < bodies {
		for i, kv := range kvs {
			if kv.Value.Type() == attribute.STRING {
				kvs[i].Value = attribute.StringValue(strings.Clone(kv.Value.AsString()))
			}
		}
	}
	s.Span.SetAttributes(kvs...)
}

// textSize returns how many bytes the texts of kvs have.
func textSize(kvs []attribute.KeyValue) (n int) {
	for _, kv := range kvs {
		if kv.Value.Type() == attribute.STRING {
			n += len(kv.Value.AsString())
		}
	}
	return n
}

// AddEvent adds an event with what the [TraceConfig] lets through of its
// attributes.
func (s *Span) AddEvent(name string, opts ...trace.EventOption) {
	if !s.IsRecording() {
		return
	}
	if len(opts) > 0 {
		c := trace.NewEventConfig(opts...)
		opts = []trace.EventOption{trace.WithTimestamp(c.Timestamp()), trace.WithAttributes(s.mask.all(c.Attributes())...)}
	}
	s.Span.AddEvent(recordable(name), opts...)
}

// RecordError adds an exception event for err. Unlike [Span.SetError] it leaves the
// status as it is.
func (s *Span) RecordError(err error, opts ...trace.EventOption) {
	if err != nil && s.IsRecording() {
		s.recordError(err, textOf(err), opts...)
	}
}

func (s *Span) recordError(err error, text string, opts ...trace.EventOption) {
	attrs := []attribute.KeyValue{
		attribute.String("exception.type", errorType(err)),
		attribute.String("exception.message", text),
	}
	if c := trace.NewEventConfig(opts...); c.StackTrace() {
		attrs = append(attrs, attribute.String("exception.stacktrace", string(debug.Stack())))
	}
	s.AddEvent("exception", append(slices.Clip(opts), trace.WithAttributes(attrs...))...)
}

var wrapError = reflect.TypeOf(fmt.Errorf("%w", io.EOF))

// errorType names the type of err; of an error that fmt.Errorf has only wrapped,
// the type of what is in it.
func errorType(err error) string {
	for {
		inner := errors.Unwrap(err)
		if t := reflect.TypeOf(err); inner == nil || t != wrapError {
			return t.String()
		}
		err = inner
	}
}

// textOf returns the text of err, without the query of a URL in it: that may have a key.
func textOf(err error) string {
	text := err.Error()
	for failed := new(url.Error); errors.As(err, &failed); err = failed.Err {
		if _, query, ok := strings.Cut(failed.URL, "?"); ok {
			quoted := strconv.Quote("?" + query)
			text = strings.NewReplacer(quoted[1:len(quoted)-1], "", "?"+query, "").Replace(text)
		}
	}
	return text
}

// SetName changes the name of the span.
func (s *Span) SetName(name string) { s.Span.SetName(recordable(name)) }

// SetStatus sets the status of the span. The description counts for codes.Error
// only.
func (s *Span) SetStatus(code codes.Code, description string) {
	s.Span.SetStatus(code, recordable(description))
}

// SetInput records v as input.value: a string as plain text, anything else as JSON.
// A value that has no JSON is recorded as fmt prints it. nil records nothing.
func (s *Span) SetInput(v any) { s.setValue(InputValueKey, InputMIMETypeKey, v) }

// SetOutput records v as output.value, by the rules of [Span.SetInput].
func (s *Span) SetOutput(v any) { s.setValue(OutputValueKey, OutputMIMETypeKey, v) }

func (s *Span) setValue(key, mimeKey attribute.Key, v any) {
	if v == nil || !s.IsRecording() {
		return
	}
	text, mime := valueOf(v)
	s.SetAttributes(key.String(text), mimeKey.String(mime))
}

// valueOf returns v as text with its type. v is the user's, and so are the methods
// that encode it: should they panic, the step that is traced must not.
func valueOf(v any) (text, mime string) {
	defer func() {
		if r := recover(); r != nil {
			otel.Handle(fmt.Errorf("openinference: encode %T: panic: %v", v, r))
			text, mime = fmt.Sprintf("%T", v), MIMETypeText
		}
	}()
	if s, ok := v.(string); ok {
		return s, MIMETypeText
	}
	b, err := encode(v)
	if err != nil {
		return fmt.Sprintf("%+v", v), MIMETypeText
	}
	return string(b), MIMETypeJSON
}

// SetError records that the step has failed: status Error with the text of err, and
// an exception event with its type and text. Of the URL in a [url.Error] the query is
// left out, as there are APIs that take their key there. nil records nothing.
func (s *Span) SetError(err error) {
	if err != nil && s.IsRecording() {
		s.setError(err, textOf(err))
	}
}

func (s *Span) setError(err error, text string) {
	s.recordError(err, text)
	s.SetStatus(codes.Error, text)
}

// Call runs fn as one traced step: a span of that name and kind, in as its input,
// what fn returns as its output, and status Ok; or fn's error, which is returned as
// it is. A panic of fn is recorded and goes on. A nil tracer is NewTracer().
func Call[In, Out any](ctx context.Context, t *Tracer, name string, kind Kind, in In,
	fn func(context.Context, In) (Out, error), opts ...trace.SpanStartOption) (Out, error) {
	ctx, span := t.Start(ctx, name, kind, opts...)
	defer func() {
		if r := recover(); r != nil {
			span.SetError(fmt.Errorf("panic: %v", r))
			span.End()
			panic(r)
		}
		span.End()
	}()
	span.SetInput(in)
	out, err := fn(ctx, in)
	if err != nil {
		span.SetError(err)
		return out, err
	}
	span.SetOutput(out)
	span.SetStatus(codes.Ok, "")
	return out, nil
}

// Turn is [Call] with [KindChain] for one turn of a conversation, from what the
// user says to what the user gets. The Sessions view counts a trace as a turn: so
// where no OpenInference span is above, the span starts a trace of its own, linked
// to the span it was called under, and three turns in one web request are three.
func Turn[In, Out any](ctx context.Context, t *Tracer, name string, in In,
	fn func(context.Context, In) (Out, error), opts ...trace.SpanStartOption) (Out, error) {
	if nearest(ctx) == nil {
		opts = append(slices.Clip(opts), trace.WithNewRoot())
		if above := trace.SpanContextFromContext(ctx); above.IsValid() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: above}))
		}
	}
	return Call(ctx, t, name, KindChain, in, fn, opts...)
}

// Traced is the decorator form of [Call]: it returns fn as a traced step. A nil
// tracer is NewTracer(), made once.
func Traced[In, Out any](t *Tracer, name string, kind Kind, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	if t == nil {
		t = NewTracer()
	}
	return func(ctx context.Context, in In) (Out, error) {
		return Call(ctx, t, name, kind, in, fn)
	}
}
