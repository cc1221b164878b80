package openinference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
)

// ErrEmptyID is reported to [otel.Handle] when a session or user ID that was
// given is blank: empty, or white space only. The context stays as it was.
var ErrEmptyID = errors.New("must be a non-empty string")

// Attributes are what a context says about the spans that are started under it.
// A field that is empty is unset.
type Attributes struct {
	// SessionID is recorded as session.id, by which Phoenix and Arize group the
	// traces of one conversation. Phoenix keeps session IDs unique across all
	// its projects.
	SessionID string
	// UserID is recorded as user.id.
	UserID string
	// Metadata is recorded as metadata, a JSON object.
	Metadata map[string]any
	// Tags are recorded as tag.tags.
	Tags []string
	// PromptTemplate is recorded as llm.prompt_template.
	PromptTemplate PromptTemplate
}

// PromptTemplate is the template that a prompt was made from. An empty field is
// unset.
type PromptTemplate struct {
	// Template is the text with its placeholders, such as "Weather in {city}?".
	Template string
	// Version names the state of the template, such as "v1.2".
	Version string
	// Variables are the values that replaced the placeholders; recorded as a
	// JSON object.
	Variables map[string]any
}

// contextKey is the type of this package's keys in a context.
type contextKey int

const (
	attributesKey contextKey = iota // *contextAttributes
	spanKey                         // *Span: the nearest OpenInference span, also a remote one
	suppressedKey                   // true
	outgoingKey                     // *outgoing: the request under way, which nothing is propagated with
)

// contextAttributes are encoded once, when they are set, and not at each call.
type contextAttributes struct {
	Attributes
	keyValues []attribute.KeyValue
	joined    atomic.Pointer[joined] // for the last model call, as the next is likely to be like it
}

// joined is what is known of a span together with what its context says.
type joined struct{ known, all *known }

// joinedWith returns what is known with what a says.
func (a *contextAttributes) joinedWith(k *known) *known {
	if len(a.keyValues) == 0 {
		return k
	}
	if j := a.joined.Load(); j != nil && j.known == k {
		return j.all
	}
	all := knownFrom(slices.Concat(k.attrs, a.keyValues)...)
	if k.common {
		a.joined.Store(&joined{k, all})
	}
	return all
}

var noAttributes contextAttributes

func fromContext(ctx context.Context) *contextAttributes {
	if a, ok := ctx.Value(attributesKey).(*contextAttributes); ok {
		return a
	}
	return &noAttributes
}

// WithAttributes returns a copy of ctx whose spans carry a. It is the
// using_attributes of the Python library. A field of a that is empty leaves an
// outer value as it is; one that is set replaces it whole. An ID of white space
// only is left out and reported to [otel.Handle] as [ErrEmptyID].
func WithAttributes(ctx context.Context, a Attributes) context.Context {
	return with(ctx, "WithAttributes", a)
}

// WithSession returns a copy of ctx whose spans carry id as session.id, which
// Phoenix and Arize use to group the turns of a conversation. It is Python's
// using_session. A blank id leaves ctx as it is and is reported to [otel.Handle]
// as [ErrEmptyID].
func WithSession(ctx context.Context, id string) context.Context {
	if id == "" {
		reportEmptyID("WithSession", "session")
		return ctx
	}
	return with(ctx, "WithSession", Attributes{SessionID: id})
}

// WithUser returns a copy of ctx whose spans carry id as user.id. It is Python's
// using_user. A blank id leaves ctx as it is and is reported to [otel.Handle] as
// [ErrEmptyID].
func WithUser(ctx context.Context, id string) context.Context {
	if id == "" {
		reportEmptyID("WithUser", "user")
		return ctx
	}
	return with(ctx, "WithUser", Attributes{UserID: id})
}

// WithMetadata returns a copy of ctx whose spans carry m as metadata, in place of
// outer metadata. It is Python's using_metadata. An empty map leaves ctx as it is.
// A value that cannot be encoded as JSON is left out and reported to [otel.Handle].
func WithMetadata(ctx context.Context, m map[string]any) context.Context {
	return with(ctx, "WithMetadata", Attributes{Metadata: m})
}

// WithTags returns a copy of ctx whose spans carry tags as tag.tags, in place of
// outer tags. It is Python's using_tags. No tags leave ctx as it is.
func WithTags(ctx context.Context, tags ...string) context.Context {
	return with(ctx, "WithTags", Attributes{Tags: tags})
}

// WithPromptTemplate returns a copy of ctx whose spans carry p as
// llm.prompt_template. It is Python's using_prompt_template. A field of p that is
// empty leaves an outer value as it is. A variable that cannot be encoded as JSON
// is left out and reported to [otel.Handle].
func WithPromptTemplate(ctx context.Context, p PromptTemplate) context.Context {
	return with(ctx, "WithPromptTemplate", Attributes{PromptTemplate: p})
}

// WithSuppression returns a copy of ctx under which no span is started, neither
// for model calls nor by [Tracer.Start]. The calls themselves are untouched. It
// is Python's suppress_tracing.
func WithSuppression(ctx context.Context) context.Context {
	return context.WithValue(ctx, suppressedKey, true)
}

func suppressed(ctx context.Context) bool { return ctx.Value(suppressedKey) != nil }

// AttributesFromContext returns what has been set on ctx, inner values before
// outer ones. Its map and slice are copies.
func AttributesFromContext(ctx context.Context) Attributes {
	a := fromContext(ctx).Attributes
	a.Metadata = maps.Clone(a.Metadata)
	a.Tags = slices.Clone(a.Tags)
	a.PromptTemplate.Variables = maps.Clone(a.PromptTemplate.Variables)
	return a
}

// KeyValues returns a as the attributes of a span, for spans that this package
// does not start. Fields that are unset are left out, and so is an ID of white
// space only, which is reported to [otel.Handle] as [ErrEmptyID].
func (a Attributes) KeyValues() []attribute.KeyValue {
	return a.checked("Attributes.KeyValues").keyValues()
}

// Using returns fn with a set on the context that it is called with: the
// decorator form of [WithAttributes].
func Using[In, Out any](a Attributes, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	a = a.checked("Using")
	return func(ctx context.Context, in In) (Out, error) {
		return fn(with(ctx, "Using", a), in)
	}
}

// UsingFunc is [Using] with attributes that from takes from the argument of each
// call, such as the conversation that a request belongs to.
func UsingFunc[In, Out any](from func(context.Context, In) Attributes, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		return fn(with(ctx, "UsingFunc", from(ctx, in)), in)
	}
}

// Middleware returns a decorator of web handlers that sets on the context of each
// request the attributes that from finds in it, such as the session of a cookie.
//
// With a nil from it sets what the [Propagator] of a calling service has sent. That
// is for services that strangers do not reach: whoever calls may name any session.
// To have both, nest them: Middleware(nil)(Middleware(from)(handler)).
func Middleware(from func(*http.Request) Attributes) func(http.Handler) http.Handler {
	in := func(r *http.Request) context.Context { return with(r.Context(), "Middleware", from(r)) }
	if from == nil {
		in = func(r *http.Request) context.Context {
			return Propagator{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(in(r)))
		})
	}
}

// with is the one way in which attributes get into a context. caller is named in
// what is reported.
func with(ctx context.Context, caller string, a Attributes) context.Context {
	a = a.checked(caller)
	if a.empty() {
		return ctx
	}
	merged := fromContext(ctx).Attributes
	merged.override(a)
	return context.WithValue(ctx, attributesKey, &contextAttributes{Attributes: merged, keyValues: merged.keyValues()})
}

// checked returns a copy of a without what cannot be recorded: IDs of white space
// only, and values that have no JSON.
func (a Attributes) checked(caller string) Attributes {
	if a.SessionID != "" && blank(a.SessionID) {
		reportEmptyID(caller, "session")
		a.SessionID = ""
	}
	if a.UserID != "" && blank(a.UserID) {
		reportEmptyID(caller, "user")
		a.UserID = ""
	}
	a.Metadata = encodable(caller, a.Metadata)
	a.Tags = slices.Clone(a.Tags)
	a.PromptTemplate.Variables = encodable(caller, a.PromptTemplate.Variables)
	return a
}

func blank(id string) bool { return strings.TrimSpace(id) == "" }

func reportEmptyID(caller, which string) {
	otel.Handle(fmt.Errorf("openinference: %s: %s ID %w; give one, or leave the call out", caller, which, ErrEmptyID))
}

func (a Attributes) empty() bool {
	p := a.PromptTemplate
	return a.SessionID == "" && a.UserID == "" && len(a.Metadata) == 0 && len(a.Tags) == 0 &&
		p.Template == "" && p.Version == "" && len(p.Variables) == 0
}

// override sets on a the fields that inner has.
func (a *Attributes) override(inner Attributes) {
	setString(&a.SessionID, inner.SessionID)
	setString(&a.UserID, inner.UserID)
	setString(&a.PromptTemplate.Template, inner.PromptTemplate.Template)
	setString(&a.PromptTemplate.Version, inner.PromptTemplate.Version)
	if len(inner.Metadata) > 0 {
		a.Metadata = inner.Metadata
	}
	if len(inner.Tags) > 0 {
		a.Tags = inner.Tags
	}
	if len(inner.PromptTemplate.Variables) > 0 {
		a.PromptTemplate.Variables = inner.PromptTemplate.Variables
	}
}

func setString(to *string, s string) {
	if s != "" {
		*to = s
	}
}

// keyValues encodes what [Attributes.checked] has passed.
func (a Attributes) keyValues() []attribute.KeyValue {
	var kvs []attribute.KeyValue
	add := func(key attribute.Key, s string) {
		if s != "" {
			kvs = append(kvs, key.String(recordable(s)))
		}
	}
	addJSON := func(key attribute.Key, m map[string]any) {
		if b, err := encode(m); err == nil && len(m) > 0 {
			add(key, string(b))
		}
	}
	add(SessionIDKey, a.SessionID)
	add(UserIDKey, a.UserID)
	addJSON(MetadataKey, a.Metadata)
	if len(a.Tags) > 0 {
		tags := TagTagsKey.StringSlice(a.Tags)
		clean(&tags)
		kvs = append(kvs, tags)
	}
	add(LLMPromptTemplateTemplateKey, a.PromptTemplate.Template)
	add(LLMPromptTemplateVersionKey, a.PromptTemplate.Version)
	addJSON(LLMPromptTemplateVariablesKey, a.PromptTemplate.Variables)
	return kvs
}

// encodable returns a copy of m without the values that have no JSON, so that one
// of them does not take the others along.
func encodable(caller string, m map[string]any) map[string]any {
	m = maps.Clone(m)
	if _, err := encode(m); err == nil {
		return m
	}
	for k, v := range m {
		if _, err := encode(v); err != nil {
			otel.Handle(fmt.Errorf("openinference: %s: the value of %q is left out: %w", caller, k, err))
			delete(m, k)
		}
	}
	return m
}
