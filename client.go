package openinference

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

const (
	scopeName = "github.com/go-openinference/openinference"
	version   = "0.1.0"
)

// Option configures a client, a transport or a tracer.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

type config struct {
	provider       trace.TracerProvider // nil: the global one
	tracer         trace.Tracer         // of provider
	mask           *mask
	attributesFrom func(context.Context) []attribute.KeyValue
	format         IOFormat
	streamUsage    bool
}

func newConfig(opts []Option) config {
	var c config
	for _, o := range opts {
		if o != nil {
			o.apply(&c)
		}
	}
	if c.mask == nil {
		c.mask = newMask(TraceConfigFromEnv())
	}
	if c.provider != nil {
		c.tracer = tracerOf(c.provider)
	}
	return c
}

func tracerOf(tp trace.TracerProvider) trace.Tracer {
	return tp.Tracer(scopeName, trace.WithInstrumentationVersion(version))
}

func (c *config) otelTracer() trace.Tracer {
	if c.tracer != nil {
		return c.tracer
	}
	return tracerOf(otel.GetTracerProvider())
}

// WithTracerProvider sets where spans go. The default, and that of a nil provider,
// is [otel.GetTracerProvider], looked up at each call.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return optionFunc(func(c *config) { c.provider = tp })
}

// WithTraceConfig sets what is kept out of spans. The default is
// [TraceConfigFromEnv]. It replaces the variables whole: to add to them, start from
// what TraceConfigFromEnv returns.
func WithTraceConfig(tc TraceConfig) Option {
	return optionFunc(func(c *config) { c.mask = newMask(tc) })
}

// WithAttributesFunc adds the attributes that from finds in the context of each
// span, such as the session of another library. Where the context has a value for
// the same key from this package, that one is recorded. The default is none.
func WithAttributesFunc(from func(context.Context) []attribute.KeyValue) Option {
	return optionFunc(func(c *config) { c.attributesFrom = from })
}

// IOFormat says what input.value and output.value of a model call are. Messages,
// tools and parameters have attributes of their own in any case.
type IOFormat int

const (
	// IOAuto is the default: IOText where no OpenInference span is above the call,
	// as the Sessions view shows the two values of that span as the turn, and IOJSON
	// inside one.
	IOAuto IOFormat = iota
	// IOJSON records the JSON of the request and of the response.
	IOJSON
	// IOText records the last message of the user and the first choice as plain
	// text; of an answer that only calls tools, the calls: get_weather({"city":"Oslo"}).
	// A body without such text is recorded as JSON.
	IOText
)

// WithIOFormat sets what input.value and output.value of model calls are. The
// default is [IOAuto].
func WithIOFormat(f IOFormat) Option {
	return optionFunc(func(c *config) { c.format = f })
}

// WithStreamUsage asks for the token counts of streams of chat completions and
// completions, without which a stream has no tokens and no cost: where the caller
// has not set stream_options.include_usage, it is set to true, and the extra chunk
// that the server then sends is taken out of what the caller sees. By default
// requests and responses are not changed by a byte. Some servers refuse the field.
func WithStreamUsage() Option {
	return optionFunc(func(c *config) { c.streamUsage = true })
}

// NewClient is [openai.NewClient] for a client whose model calls are traced.
func NewClient(authToken string, opts ...Option) *openai.Client {
	return NewClientWithConfig(openai.DefaultConfig(authToken), opts...)
}

// NewClientWithConfig is [openai.NewClientWithConfig] for a client whose model
// calls are traced. Everything in config is kept; its HTTPClient, http.DefaultClient
// when nil, is wrapped.
//
// Calls that go-openai refuses before it sends anything make no span.
func NewClientWithConfig(config openai.ClientConfig, opts ...Option) *openai.Client {
	if config.HTTPClient == nil {
		config.HTTPClient = http.DefaultClient
	}
	t := &Transport{tracer: NewTracer(opts...), do: config.HTTPClient.Do}
	if c, ok := config.HTTPClient.(interface{ CloseIdleConnections() }); ok {
		t.closeIdle = c.CloseIdleConnections
	}
	config.HTTPClient = t
	return openai.NewClientWithConfig(config)
}

// Transport makes a span for each model call that goes through it: for a client
// of go-openai as its HTTPClient, for any other client of an OpenAI API as the
// transport of its http.Client. Requests of other kinds pass through. Make it with
// [NewTransport].
//
// It changes neither requests nor responses, unless [WithStreamUsage] asks for it;
// the headers of requests are those of the caller, less what a [Propagator] has put
// there. Under another Transport that has a span for the same request it makes none.
//
// A client that retries makes a span for each attempt; a [Turn] around the call keeps
// them in one trace. The official openai-go numbers its attempts: the span of each retry
// has the number, from 1, in http.request.resend_count, as the HTTP conventions of
// OpenTelemetry have it.
type Transport struct {
	tracer    *Tracer
	do        func(*http.Request) (*http.Response, error)
	closeIdle func()
}

// NewTransport returns a transport that traces the model calls that base carries.
// A nil base is [http.DefaultTransport].
func NewTransport(base http.RoundTripper, opts ...Option) *Transport {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &Transport{tracer: NewTracer(opts...), do: base.RoundTrip}
	if c, ok := base.(interface{ CloseIdleConnections() }); ok {
		t.closeIdle = c.CloseIdleConnections
	}
	return t
}

// Do is [Transport.RoundTrip] under the name that [openai.HTTPDoer] has for it.
func (t *Transport) Do(req *http.Request) (*http.Response, error) { return t.RoundTrip(req) }

// CloseIdleConnections closes those of the transport below, if it can.
func (t *Transport) CloseIdleConnections() {
	if t.closeIdle != nil {
		t.closeIdle()
	}
}

// RoundTrip carries out req and traces it if it is a model call. Its results are
// those of the transport below, and its errors too.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	e := lookup(req)
	if e == nil || suppressed(req.Context()) {
		return t.send(confined(req.Context(), req, nil), req)
	}
	above := nearest(req.Context())
	if o, ok := req.Context().Value(outgoingKey).(*outgoing); ok && above != nil && o.span == above && o.request.URL.String() == req.URL.String() {
		return t.do(req)
	}
	ctx, started := t.tracer.begin(req.Context(), e.name, e.known(req.URL), nil)
	if !started.IsRecording() {
		defer started.End()
		return t.send(confined(ctx, req, nil), req)
	}
	span := &Span{Span: started, mask: t.tracer.mask}
	c := &call{
		endpoint: e,
		span:     span,
		text:     t.tracer.format == IOText || t.tracer.format == IOAuto && above == nil,
		address:  append(e.address(req.URL), resends(req.Header)...),
		secrets:  secretsOf(req),
	}
	ours := confined(trace.ContextWithSpan(ctx, span), req, span)
	usageAdded := c.keepRequest(ours, t.tracer.streamUsage && e.usage)
	resp, err := t.send(ours, req)
	if err != nil || resp == nil || resp.Body == nil {
		c.end(ending{err: err})
		return resp, err
	}
	resp.Body = c.watch(req.Context(), resp)
	if usageAdded {
		resp.Body = withoutUsage(resp)
	}
	return resp, nil
}

// send sends a request in place of the caller's, who gets a response to their own.
func (t *Transport) send(req, callers *http.Request) (*http.Response, error) {
	resp, err := t.do(req)
	if resp != nil && resp.Request == req {
		resp.Request = callers
	}
	return resp, err
}

// resends returns how often a request was sent before, if its client says so: those that
// are generated by Stainless do, such as openai-go.
func resends(h http.Header) []attribute.KeyValue {
	n, err := strconv.Atoi(cmp.Or(h.Get("X-Stainless-Retry-Count"), "0"))
	if err != nil || n <= 0 {
		return nil
	}
	return []attribute.KeyValue{attribute.Int("http.request.resend_count", n)}
}

// secrets are what must not get into a span, even if the server repeats it in an error.
type secrets struct {
	keys  [3]string
	user  *url.Userinfo // of the URL, as is the query
	query string
}

// shortestSecret is shorter than any key, and longer than most of what stands in the place
// of one for servers that take none.
const shortestSecret = 16

func secretsOf(req *http.Request) secrets {
	s := secrets{
		keys:  [...]string{req.Header.Get("Authorization"), req.Header.Get("Api-Key"), req.Header.Get("X-Api-Key")},
		user:  req.URL.User,
		query: req.URL.RawQuery,
	}
	if _, token, ok := strings.Cut(s.keys[0], " "); ok { // behind Bearer
		s.keys[0] = token
	}
	return s
}

// redact returns text without the secrets.
func (s *secrets) redact(text string) string {
	hidden := slices.Clone(s.keys[:])
	if s.user != nil {
		password, _ := s.user.Password()
		escapedName, escapedPassword, _ := strings.Cut(s.user.String(), ":")
		hidden = append(hidden, s.user.Username(), password, escapedName, escapedPassword)
	}
	query, _ := url.ParseQuery(s.query) // as far as it can be read
	for name, values := range query {
		if name != "api-version" {
			hidden = append(hidden, values...)
		}
	}
	// One may be a part of another: longer ones first.
	slices.SortFunc(hidden, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range hidden {
		if len(secret) >= shortestSecret {
			text = strings.NewReplacer(secret, Redacted, url.QueryEscape(secret), Redacted).Replace(text)
		}
	}
	return text
}

// sent is what is kept of the body of a request: all of it, or of a form its fields as
// JSON and the attributes of its images.
type sent struct {
	body   string
	images []attribute.KeyValue
}

// keepRequest keeps the body that req sends; the client may use its buffer again
// before the span ends. With usage it asks for the token counts of a stream, and reports
// whether it had to.
func (c *call) keepRequest(req *http.Request, usage bool) (usageAdded bool) {
	defer c.recovered()
	if req.Body == nil || req.Body == http.NoBody {
		return false
	}
	boundary, isForm := formBoundary(req.Header)
	if req.GetBody == nil {
		tee := &teeBody{ReadCloser: req.Body}
		req.Body = tee
		c.sentLater = func() sent {
			if isForm {
				return readForm(strings.NewReader(tee.text()), boundary, c.span.mask.limit)
			}
			return sent{body: tee.text()}
		}
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer func() {
		body.Close()
		// openai-go's GetBody may rewind the reader of req.Body and hand out that.
		if again, err := req.GetBody(); err == nil {
			again.Close()
		}
	}()
	if isForm {
		c.sent = readForm(body, boundary, c.span.mask.limit)
		return false
	}
	c.request.Grow(int(min(max(req.ContentLength, 0), maxBody)))
	if _, err := io.Copy(&c.request, body); err != nil {
		return false
	}
	c.sent.body = c.request.String()
	if usage {
		if asking := askForUsage(c.sent.body); asking != "" {
			c.sent.body, usageAdded = asking, true
			setBody(req, asking)
		}
	}
	return usageAdded
}

// kept is what is kept of a body.
type kept struct {
	strings.Builder
	cut bool // there is more of it
}

// add keeps p, as far as there is room.
func (k *kept) add(p []byte) {
	room := maxBody - k.Len()
	k.cut = k.cut || len(p) > room
	k.Builder.Write(p[:min(len(p), room)])
}

func (k *kept) Write(p []byte) (int, error) {
	k.add(p)
	return len(p), nil
}

// setBody gives req another body. req is ours to change, its header is not.
func setBody(req *http.Request, b string) {
	req.Body.Close() // as the transport below would have done
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(b)), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(b))
	if req.Header.Get("Content-Length") != "" {
		req.Header = req.Header.Clone()
		req.Header.Del("Content-Length")
	}
}

// teeBody keeps what is read of a body that can be read only once. The transport
// may still read when the response has come.
type teeBody struct {
	io.ReadCloser
	mu   sync.Mutex
	kept kept
}

func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.mu.Lock()
	t.kept.add(p[:n])
	t.mu.Unlock()
	return n, err
}

func (t *teeBody) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.String()
}
