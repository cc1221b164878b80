package openinference

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Propagator carries a conversation from one service to the next: session.id and
// user.id, and which OpenInference span is above, as members of the W3C baggage
// header. Nothing else of [Attributes] is sent. By default nothing is sent at all:
// both services have to ask for it.
//
// The calling service gives a Propagator to the instrumentation of the client that
// it calls its own services with, behind the propagators that are there, since it
// adds to their baggage and they would replace its own:
//
//	otelhttp.NewTransport(nil, otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator(
//		propagation.TraceContext{}, propagation.Baggage{}, openinference.Propagator{})))
//
// As a global propagator it would tell the IDs to whomever the program calls. To a
// model provider they do not go even so: what passes through a [Transport], that of
// a client of this package included, carries none of it.
//
// The service that is called reads them back with Middleware(nil), see
// [Middleware], or with a Propagator in its own instrumentation. Its spans then
// carry the IDs, and those of [Tracer] and of model calls stand below the caller's
// span, in the same turn, if the trace goes on and both services export to the
// same project.
//
// An ID of more than 512 bytes, or with control characters, is not sent, which is
// reported to [otel.Handle], and is ignored where it arrives.
type Propagator struct{}

const (
	baggageHeader = "baggage"
	parentMember  = "openinference.parent" // a traceparent, empty if there is no span above

	maxPropagatedID = 512  // bytes
	maxBaggage      = 8192 // bytes that everyone takes, by https://www.w3.org/TR/baggage/#limits
)

// Inject adds what ctx says to the baggage of carrier.
func (Propagator) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	if ctx.Value(outgoingKey) != nil || !propagates(ctx) {
		return
	}
	a := fromContext(ctx)
	ours := []string{parentMember + "=" + formatParent(nearest(ctx))}
	add := func(key, id string) {
		switch {
		case id == "":
		case propagatable(id):
			// Not the + of a query for a space: baggage takes that as it is.
			ours = append(ours, key+"="+strings.ReplaceAll(url.QueryEscape(id), "+", "%20"))
		default:
			otel.Handle(fmt.Errorf("openinference: Propagator: %s of %d bytes is not sent; use one of at most %d bytes without control characters", key, len(id), maxPropagatedID))
		}
	}
	add(string(SessionIDKey), a.SessionID)
	add(string(UserIDKey), a.UserID)
	var all []string
	for key, member := range members(carrier) {
		if !slices.ContainsFunc(ours, func(own string) bool { return strings.HasPrefix(own, key+"=") }) {
			all = append(all, member)
		}
	}
	header := strings.Join(append(all, ours...), ",")
	if len(header) > maxBaggage {
		otel.Handle(fmt.Errorf("openinference: Propagator: no ID is sent: the baggage would have %d bytes, more than %d; use shorter IDs or less of other baggage", len(header), maxBaggage))
		return
	}
	carrier.Set(baggageHeader, header)
}

// Extract returns a copy of ctx with what Inject has sent.
func (Propagator) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	var a Attributes
	var parent trace.SpanContext
	for key, member := range members(carrier) {
		_, value, _ := strings.Cut(member, "=")
		value, _, _ = strings.Cut(value, ";")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		switch {
		case err != nil || !propagatable(value): // anybody can send anything
		case key == string(SessionIDKey):
			a.SessionID = value
		case key == string(UserIDKey):
			a.UserID = value
		case key == parentMember:
			parent = parseParent(value)
		}
	}
	ctx = with(ctx, "Propagator", a)
	if !parent.IsSampled() || nearest(ctx) != nil {
		return ctx
	}
	remote := trace.ContextWithRemoteSpanContext(ctx, parent)
	span := &Span{Span: trace.SpanFromContext(remote)}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = remote // nobody else has gone on with the trace
	}
	return context.WithValue(ctx, spanKey, span)
}

// Fields returns the header that Inject sets.
func (Propagator) Fields() []string { return []string{baggageHeader} }

// propagates reports whether there is anything in ctx that [Propagator.Inject] sends.
func propagates(ctx context.Context) bool {
	a := fromContext(ctx)
	return a.SessionID != "" || a.UserID != "" || nearest(ctx) != nil
}

func propagatable(id string) bool {
	return !blank(id) && len(id) <= maxPropagatedID && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// traceparent is the key under which [propagation.TraceContext] has a span.
const traceparent = "traceparent"

func formatParent(span *Span) string {
	if span == nil {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), span.SpanContext()), carrier)
	return carrier[traceparent]
}

func parseParent(s string) trace.SpanContext {
	carrier := propagation.MapCarrier{traceparent: s}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// members are the members of the baggage of carrier, as they stand there, with
// their keys.
func members(carrier propagation.TextMapCarrier) iter.Seq2[string, string] {
	var values []string
	if c, ok := carrier.(propagation.ValuesGetter); ok {
		values = c.Values(baggageHeader)
	} else {
		values = []string{carrier.Get(baggageHeader)}
	}
	return func(yield func(key, member string) bool) {
		for _, value := range values {
			for member := range strings.SplitSeq(value, ",") {
				member = strings.TrimSpace(member)
				key, _, _ := strings.Cut(member, "=")
				if member != "" && !yield(strings.TrimSpace(key), member) {
					return
				}
			}
		}
	}
}

// outgoing is a request to a model provider with its context, under which none of it is
// propagated.
type outgoing struct {
	context.Context
	span    *Span // that stands for it, nil if there is none
	request http.Request
}

func (o *outgoing) Value(key any) any {
	switch {
	case key == outgoingKey:
		return o
	case key == spanKey && o.span != nil && o.span.SpanContext().IsSampled():
		return o.span
	}
	return o.Context.Value(key)
}

// confined returns a copy of req with ctx for a model provider, below span: without what
// a [Propagator] has written into it, and so that none writes into it further down.
func confined(ctx context.Context, req *http.Request, span *Span) *http.Request {
	// The propagator of OpenTelemetry passes on whatever has come in.
	if b := baggage.FromContext(ctx); b.Len() > 0 && b.Member(parentMember).Key() != "" {
		for _, member := range b.Members() {
			if isPropagated(member.Key()) {
				b = b.DeleteMember(member.Key())
			}
		}
		ctx = baggage.ContextWithBaggage(ctx, b)
	}
	o := &outgoing{Context: ctx, span: span}
	o.request = *req.WithContext(o)
	if _, ok := req.Header["Baggage"]; ok {
		o.request.Header = withoutPropagated(req.Header)
	}
	return &o.request
}

// withoutPropagated returns h without what a [Propagator] has written there.
func withoutPropagated(h http.Header) http.Header {
	var others []string
	ours := false
	for key, member := range members(propagation.HeaderCarrier(h)) {
		ours = ours || key == parentMember
		if !isPropagated(key) {
			others = append(others, member)
		}
	}
	if !ours {
		return h
	}
	h = h.Clone()
	h.Del(baggageHeader)
	if len(others) > 0 {
		h.Set(baggageHeader, strings.Join(others, ","))
	}
	return h
}

func isPropagated(key string) bool {
	return key == string(SessionIDKey) || key == string(UserIDKey) || key == parentMember
}
