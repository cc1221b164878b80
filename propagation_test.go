package openinference_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// global is what many programs propagate with, and ours.
var global = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}, openinference.Propagator{})

// instrumented does what otelhttp.NewTransport does.
type instrumented struct {
	base   http.RoundTripper
	tracer trace.Tracer
}

func (i instrumented) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, span := i.tracer.Start(req.Context(), req.Method, trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	req = req.Clone(ctx)
	global.Inject(ctx, propagation.HeaderCarrier(req.Header))
	return i.base.RoundTrip(req)
}

// inject returns the baggage header that ctx makes of the one that is there.
func inject(ctx context.Context, there ...string) string {
	header := http.Header{"Baggage": there}
	openinference.Propagator{}.Inject(ctx, propagation.HeaderCarrier(header))
	return strings.Join(header.Values("Baggage"), "; next header: ")
}

func extract(headers ...string) context.Context {
	return openinference.Propagator{}.Extract(context.Background(), propagation.HeaderCarrier{"Baggage": headers})
}

func TestOnlyIDsAndTheSpanAreSent(t *testing.T) {
	r := newRecorder()
	all := openinference.WithAttributes(context.Background(), openinference.Attributes{
		SessionID: "chat 42", UserID: "a,d;a=+é%", Metadata: map[string]any{"secret": true}, Tags: []string{"secret"},
		PromptTemplate: openinference.PromptTemplate{Template: "secret"},
	})
	in, span := newTracer(r).Start(all, "turn", openinference.KindChain)
	defer span.End()
	below, query := r.provider.Tracer("sql").Start(in, "SELECT")
	defer query.End()
	parent := "00-" + span.SpanContext().TraceID().String() + "-" + span.SpanContext().SpanID().String() + "-01"
	tests := []struct {
		name  string
		ctx   context.Context
		there []string
		want  string
	}{
		{"nothing", context.Background(), nil, ""},
		{"nothing of ours", openinference.WithTags(context.Background(), "a"), []string{"a=1"}, "a=1"},
		{"IDs", all, nil, "openinference.parent=,session.id=chat%2042,user.id=a%2Cd%3Ba%3D%2B%C3%A9%25"},
		{"span", trace.ContextWithSpan(context.Background(), span), nil, "openinference.parent=" + parent},
		{"IDs and span", below, nil, "openinference.parent=" + parent + ",session.id=chat%2042,user.id=a%2Cd%3Ba%3D%2B%C3%A9%25"},
		{"other baggage stays", openinference.WithSession(context.Background(), "s1"), []string{"a=1;p=2 , user.id=theirs", "b=2,"}, "a=1;p=2,user.id=theirs,b=2,openinference.parent=,session.id=s1"},
		{"what is ours is replaced", openinference.WithSession(context.Background(), "s1"), []string{"session.id = s0;p,openinference.parent=x"}, "openinference.parent=,session.id=s1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := inject(tt.ctx, tt.there...); got != tt.want {
				t.Errorf("got baggage %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatIsTooMuchIsNotSent(t *testing.T) {
	long := strings.Repeat("x", 513)
	tests := []struct {
		name   string
		ctx    context.Context
		there  string
		want   string
		report string
	}{
		{"long", openinference.WithSession(openinference.WithUser(context.Background(), "ada"), long), "", "openinference.parent=,user.id=ada", "session.id of 513 bytes is not sent"},
		{"control", openinference.WithUser(context.Background(), "a\nb"), "", "openinference.parent=", "user.id of 3 bytes is not sent"},
		{"full", openinference.WithUser(context.Background(), "ada"), "a=" + strings.Repeat("x", 8180), "a=" + strings.Repeat("x", 8180), "more than 8192"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			errs := handled(t)
			var there []string
			if tt.there != "" {
				there = []string{tt.there}
			}
			if got := inject(tt.ctx, there...); got != tt.want {
				t.Errorf("got baggage %s, want %s", got, tt.want)
			}
			if got := errs(); len(got) != 1 || !strings.Contains(got[0].Error(), tt.report) {
				t.Errorf("got reports %v, want one with %q", got, tt.report)
			}
		})
	}
}

func TestExtract(t *testing.T) {
	const parent = "openinference.parent=00-0102030405060708090a0b0c0d0e0f10-0102030405060708-"
	tests := []struct {
		name   string
		header []string
		want   openinference.Attributes
		span   string
	}{
		{"nothing", nil, openinference.Attributes{}, ""},
		{"IDs", []string{"a=1, session.id = chat%2042 ;p=1", "user.id=a%2Cd%3Ba%3D%2B%C3%A9%25+,"}, openinference.Attributes{SessionID: "chat 42", UserID: "a,d;a=+é%+"}, ""},
		{"nothing else", []string{"metadata=m,tag.tags=t,llm.model_name=x,sessionid=s"}, openinference.Attributes{}, ""},
		{"blank", []string{"session.id=%20,user.id="}, openinference.Attributes{}, ""},
		{"malformed", []string{"session.id=%zz,user.id,=x,;,,="}, openinference.Attributes{}, ""},
		{"not UTF-8", []string{"session.id=%ff"}, openinference.Attributes{}, ""},
		{"control character", []string{"session.id=a%0Ab"}, openinference.Attributes{}, ""},
		{"as long as may be", []string{"session.id=" + strings.Repeat("x", 512)}, openinference.Attributes{SessionID: strings.Repeat("x", 512)}, ""},
		{"too long", []string{"session.id=" + strings.Repeat("x", 513)}, openinference.Attributes{}, ""},
		{"the last counts", []string{"session.id=s1,session.id=s2"}, openinference.Attributes{SessionID: "s2"}, ""},
		{"span", []string{parent + "01"}, openinference.Attributes{}, "0102030405060708"},
		{"span that is not recorded", []string{parent + "00"}, openinference.Attributes{}, ""},
		{"no span", []string{"openinference.parent=", "openinference.parent=00-0-0-01"}, openinference.Attributes{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			errs := handled(t)
			ctx := extract(tt.header...)
			if diff := cmp.Diff(tt.want, openinference.AttributesFromContext(ctx)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			got := openinference.NearestSpanContext(ctx)
			if tt.span == "" && got.IsValid() || tt.span != "" && (got.SpanID().String() != tt.span || !got.IsRemote()) {
				t.Errorf("got span %v, want %q", got, tt.span)
			}
			if errs := errs(); len(errs) != 0 {
				t.Errorf("got reports %v, want none of what strangers send", errs)
			}
		})
	}
}

// FuzzPropagator sends IDs along with the baggage of others, and reads them back.
func FuzzPropagator(f *testing.F) {
	f.Add("chat-42", "")
	f.Add("a,b;c=d%+ \u00e9\u2028", "a=1;p, session.id = x ,,=;")
	f.Add("\xff", "openinference.parent=00-,user.id=%")
	f.Fuzz(func(t *testing.T, id, there string) {
		errs := handled(t)
		ctx := openinference.WithSession(context.Background(), id)
		header := inject(ctx, there)
		if len(errs()) > 0 {
			return // not to be sent
		}
		if got := openinference.AttributesFromContext(extract(header)).SessionID; got != id {
			t.Errorf("sent %q, got %q from %q", id, got, header)
		}
		if b, err := baggage.Parse(inject(ctx)); err != nil || b.Member("session.id").Value() != id {
			t.Errorf("sent %q, OpenTelemetry reads %q and error %v", id, b.Member("session.id").Value(), err)
		}
	})
}

// TestTheTraceDecides has a span above that is of another trace than the one that
// goes on, and one that is nearer.
func TestTheTraceDecides(t *testing.T) {
	r := newRecorder()
	caller, turn := newTracer(r).Start(context.Background(), "turn", openinference.KindChain)
	defer turn.End()
	header := make(http.Header)
	global.Inject(caller, propagation.HeaderCarrier(header))

	reverse := propagation.NewCompositeTextMapPropagator(openinference.Propagator{}, propagation.TraceContext{})
	for name, p := range map[string]propagation.TextMapPropagator{"behind": global, "in front": reverse, "alone": openinference.Propagator{}} {
		ctx := p.Extract(context.Background(), propagation.HeaderCarrier(header))
		in, server := r.provider.Tracer("http").Start(ctx, "GET")
		if got := openinference.NearestSpanContext(in); got.SpanID() != turn.SpanContext().SpanID() || server.SpanContext().TraceID() != turn.SpanContext().TraceID() {
			t.Errorf("%s of TraceContext: got %v above, want the caller's turn", name, got)
		}
		server.End()
	}
	elsewhere, server := r.provider.Tracer("http").Start(context.Background(), "GET")
	defer server.End()
	ctx := openinference.Propagator{}.Extract(elsewhere, propagation.HeaderCarrier(header))
	if got := openinference.NearestSpanContext(ctx); got.IsValid() || !trace.SpanContextFromContext(ctx).Equal(server.SpanContext()) {
		t.Errorf("got %v above in another trace, want none", got)
	}
	own, step := newTracer(r).Start(caller, "step", openinference.KindTool)
	defer step.End()
	own, query := r.provider.Tracer("sql").Start(own, "SELECT")
	defer query.End()
	ctx = openinference.Propagator{}.Extract(own, propagation.HeaderCarrier(header))
	if got := openinference.NearestSpanContext(ctx); !got.Equal(step.SpanContext()) {
		t.Errorf("got %v above, want the step, which is nearer", got)
	}
}

func TestMiddlewareReadsBack(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("yes"))
	chat := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, err := openinference.Turn(req.Context(), newTracer(r), "answer", "hi", func(ctx context.Context, in string) (string, error) {
			ask(t, ctx, client, in)
			return "yes", nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	cookie := openinference.Middleware(func(*http.Request) openinference.Attributes { return openinference.Attributes{UserID: "bob"} })
	server := httptest.NewServer(openinference.Middleware(nil)(cookie(chat)))
	defer server.Close()

	ctx, turn := newTracer(r).Start(openinference.WithUser(openinference.WithSession(context.Background(), "chat-42"), "ada"), "turn", openinference.KindChain)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := instrumented{http.DefaultTransport, r.provider.Tracer("http")}.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	turn.End()

	names := map[string]sdktrace.ReadOnlySpan{}
	for _, span := range r.Ended() {
		names[span.Name()] = span
		if span.SpanContext().TraceID() != turn.SpanContext().TraceID() {
			t.Errorf("%s is not in the caller's trace", span.Name())
		}
	}
	for _, name := range []string{"answer", "ChatCompletion"} {
		wantAttrs(t, names[name], map[attribute.Key]string{openinference.SessionIDKey: "chat-42", openinference.UserIDKey: "bob"})
	}
	if got := names["answer"].Parent().SpanID(); got != turn.SpanContext().SpanID() {
		t.Errorf("got the answer below %v, want the caller's turn", got)
	}
	// Inside a turn a call records JSON.
	if got := attr(names["ChatCompletion"], openinference.InputMIMETypeKey); got != "application/json" {
		t.Errorf("got input of type %s, want JSON", got)
	}
}

// TestModelProvidersLearnNothing has instrumentation below our transport and above
// it, and contexts with all that a Propagator may send.
func TestModelProvidersLearnNothing(t *testing.T) {
	r := newRecorder()
	sent, turn := newTracer(r).Start(openinference.WithUser(openinference.WithSession(context.Background(), "chat-42"), "ada"), "turn", openinference.KindChain)
	defer turn.End()
	header := make(http.Header)
	global.Inject(sent, propagation.HeaderCarrier(header))
	if got := header.Get("Baggage"); !strings.Contains(got, "chat-42") {
		t.Fatalf("got baggage %q for a service, want the session in it", got)
	}
	own, err := baggage.Parse("session.id=own,gateway=eu")
	if err != nil {
		t.Fatal(err)
	}
	contexts := map[string]context.Context{
		"set":                 sent,
		"set without a span":  openinference.WithSession(context.Background(), "chat-42"),
		"received":            global.Extract(context.Background(), propagation.HeaderCarrier(header)),
		"received as baggage": propagation.Baggage{}.Extract(context.Background(), propagation.HeaderCarrier(header)),
		"suppressed":          openinference.WithSuppression(sent),
	}
	tracer := r.provider.Tracer("http")
	unsampled := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	for provider, opt := range map[string]openinference.Option{
		"sampled": openinference.WithTracerProvider(r.provider), "unsampled": openinference.WithTracerProvider(unsampled),
	} {
		above := openinference.NewTransport(instrumented{http.DefaultTransport, tracer}, opt)
		below := instrumented{openinference.NewTransport(nil, opt), tracer}
		for _, path := range []string{"/v1/chat/completions", "/v1/models"} {
			for name, ctx := range contexts {
				for side, transport := range map[string]http.RoundTripper{"above": above, "below": below} {
					if got := providerGets(t, ctx, transport, path); got != "" {
						t.Errorf("%s, %s, %s, %s the instrumentation: the provider got baggage %q, want none", name, provider, path, side, got)
					}
				}
			}
			got := providerGets(t, baggage.ContextWithBaggage(sent, own), above, path)
			if got != "gateway=eu,session.id=own" && got != "session.id=own,gateway=eu" {
				t.Errorf("%s, %s: the provider got baggage %q, want what the program has put there itself", provider, path, got)
			}
		}
	}
}

func TestHeaderOfTheCallerIsKept(t *testing.T) {
	model := mocks.NewServer(mocks.Chat("yes"))
	defer model.Close()
	req, err := http.NewRequest(http.MethodPost, model.URL+"/v1/models", nil)
	if err != nil {
		t.Fatal(err)
	}
	const header = "a=1,session.id=s1,openinference.parent="
	req.Header.Set("Baggage", header)
	resp, err := openinference.NewTransport(nil).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := req.Header.Get("Baggage"); got != header {
		t.Errorf("the request has baggage %q now, want %q", got, header)
	}
	if got := model.Requests()[0].Header.Get("Baggage"); got != "a=1" {
		t.Errorf("the provider got baggage %q, want a=1", got)
	}
}

// providerGets returns the baggage that a model provider gets with a request.
func providerGets(t *testing.T, ctx context.Context, transport http.RoundTripper, path string) string {
	t.Helper()
	model := mocks.NewServer(mocks.Chat("yes"))
	defer model.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, model.URL+path, strings.NewReader(`{"messages":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	header := model.Requests()[0].Header
	if header.Get("Traceparent") == "" {
		t.Error("got no traceparent: nothing was injected")
	}
	return header.Get("Baggage")
}
