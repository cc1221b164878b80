package openinference_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	openai "github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
)

// The properties below are tried on exchanges that a generator makes up from this seed
// and the number of the exchange, which a failure names.
const seed = 20

// chance makes up exchanges.
type chance struct {
	*rand.Rand
	requests, replies []string // to begin with
}

// exchanges calls try with n sources of chance, one after the other.
func exchanges(t *testing.T, n int, try func(t *testing.T, c *chance)) {
	t.Helper()
	c := &chance{}
	for _, g := range shortCases(t) {
		c.requests = append(c.requests, string(g.requestBody()))
		c.replies = append(c.replies, g.Response.Body)
	}
	for i := range n {
		c.Rand = rand.New(rand.NewPCG(seed, uint64(i)))
		try(t, c)
		if t.Failed() {
			t.Fatalf("in exchange %d of seed %d", i, seed)
		}
	}
}

// shortCases are the golden cases without those that are long.
func shortCases(t testing.TB) []*goldenCase {
	return slices.DeleteFunc(goldenCases(t), func(g *goldenCase) bool {
		return len(g.requestBody()) >= 4096 || len(g.Response.Body) >= 4096
	})
}

// decisions is a source of chance for a fuzzer to decide. What it leaves open is the same
// each time.
type decisions struct {
	made []byte
	rest *rand.PCG
}

func (d *decisions) Uint64() uint64 {
	if len(d.made) == 0 {
		return d.rest.Uint64()
	}
	b := d.made[0]
	d.made = d.made[1:]
	return uint64(b) * 0x01_01_01_01_01_01_01_01 // there are those who look at its first bits, and at its last
}

func pick[T any](c *chance, of ...T) T { return of[c.IntN(len(of))] }

// damaged returns one of bodies, as it is or with some bytes changed.
func (c *chance) damaged(bodies []string) []byte {
	b := []byte(pick(c, bodies...))
	for c.IntN(3) == 0 && len(b) > 0 {
		at := c.IntN(len(b))
		switch c.IntN(4) {
		case 0:
			b = b[:at]
		case 1:
			b[at] = byte(c.IntN(256))
		case 2:
			b = append(b, b[at:]...)
		default:
			b = append(b[:at:at], b[min(len(b), at+c.IntN(20)):]...)
		}
	}
	return b
}

// pieces cuts b into pieces of any size, empty ones too.
func (c *chance) pieces(b []byte) (pieces [][]byte) {
	size := pick(c, 1, 10, 1000, 100_000)
	for len(b) > 0 {
		n := min(c.IntN(size+1), len(b))
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

func (c *chance) header(names ...string) http.Header {
	h := http.Header{}
	for range c.IntN(6) {
		h.Add(pick(c, append(names, "X-Request-Id", "x-custom", "Set-Cookie", "Authorization")...), fmt.Sprint("v", c.IntN(100)))
	}
	return h
}

func (c *chance) contentType() string {
	return pick(c, "application/json", "text/event-stream", "text/event-stream; charset=utf-8", "text/plain", "audio/mpeg", "multipart/form-data; boundary=BOUNDARY", "")
}

func (c *chance) path() string {
	return pick(c, "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/images/edits", "/v1/images/generations",
		"/v1/audio/transcriptions", "/v1/audio/speech", "/v1/moderations", "/v1/models", "/openai/deployments/a%2Fb/chat/completions", "/") +
		pick(c, "", "?api-version=1", "?a=b&a=c#d")
}

func (c *chance) options(r *recorder) []openinference.Option {
	return []openinference.Option{
		openinference.WithTracerProvider(r.provider),
		openinference.WithIOFormat(pick(c, openinference.IOAuto, openinference.IOJSON, openinference.IOText)),
		openinference.WithTraceConfig(pick(c, openinference.TraceConfig{}, openinference.TraceConfig{HideInputs: true, HideOutputs: true, Base64ImageMaxLength: -1})),
	}
}

var (
	errBase    = errors.New("the base fails")
	errBody    = fmt.Errorf("the body fails: %w", io.ErrUnexpectedEOF)
	errClosed  = errors.New("read after close")
	errClosing = errors.New("close fails")
)

// scripted is a body that behaves in a given way.
type scripted struct {
	pieces   [][]byte
	end      error // behind the last piece
	withLast bool  // together with it
	closing  error
	onEnd    func()
	closed   int
}

func (s *scripted) Read(p []byte) (int, error) {
	if s.closed > 0 {
		return 0, errClosed
	}
	n := 0
	if len(s.pieces) > 0 {
		n = copy(p, s.pieces[0])
		if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
			s.pieces = s.pieces[1:]
		}
		if len(s.pieces) > 0 || !s.withLast {
			return n, nil
		}
	}
	if s.onEnd != nil {
		s.onEnd()
	}
	return n, s.end
}

func (s *scripted) Close() error {
	s.closed++
	return s.closing
}

type userKey struct{}

// transfer is what goes over the wire.
type transfer struct {
	path                                                   string
	requestType, requestEncoding, replyType, replyEncoding string
	request, reply                                         []byte
}

// TestTransportIsTransparent compares a base transport with one that is traced, for any
// exchange.
func TestTransportIsTransparent(t *testing.T) {
	exchanges(t, 2000, func(t *testing.T, c *chance) {
		checkTransparent(t, c, transfer{
			path: c.path(), requestType: c.contentType(), request: c.damaged(c.requests),
			replyType: c.contentType(), replyEncoding: pick(c, "", "", "identity", "gzip"), reply: c.damaged(c.replies),
		})
	})
}

// FuzzTransport lets the fuzzer make up the exchange, and decide what else there is to
// decide. See checkTransparent for what must hold.
func FuzzTransport(f *testing.F) {
	for i, g := range shortCases(f) {
		c := rand.New(rand.NewPCG(seed, uint64(i)))
		made := make([]byte, 64)
		for i := range made[1:] { // the first 0 is for POST
			made[i+1] = byte(c.IntN(256))
		}
		request, contentType := g.requestBody(), "application/json"
		if g.isMultipart {
			contentType = "multipart/form-data; boundary=BOUNDARY"
		}
		_, path, _ := strings.Cut(strings.TrimPrefix(g.url(f), "https://"), "/")
		f.Add(made, "/"+path, contentType, "", request, g.Response.Headers["content-type"], "", []byte(g.Response.Body))
	}
	f.Fuzz(func(t *testing.T, made []byte, path, requestType, requestEncoding string, request []byte, replyType, replyEncoding string, reply []byte) {
		if _, err := url.Parse(origin + path); err != nil {
			return
		}
		c := &chance{Rand: rand.New(&decisions{made, rand.NewPCG(seed, 0)})}
		checkTransparent(t, c, transfer{path, requestType, requestEncoding, replyType, replyEncoding, request, reply})
	})
}

const origin = "https://api.openai.com"

// checkTransparent makes an exchange with a base transport and with the same one traced,
// and compares all that either side can see: read by read, close by close, error by error,
// and what the base gets. The span of a model call must end with the exchange, have valid
// text in it, and no more of it than is in proportion. Nothing is reported.
func checkTransparent(t *testing.T, c *chance, x transfer) {
	t.Helper()
	reported := handled(t)
	method := pick(c, "POST", "POST", "POST", "GET", "PUT")
	hasBody, rereadable, length := c.IntN(10) > 0, c.IntN(2) == 0, pick(c, int64(len(x.request)), -1, 0)
	status := pick(c, 200, 200, 200, 201, 204, 301, 307, 400, 401, 404, 429, 500, 503, 599)
	baseErr, baseResponds, replyHasBody := pick(c, nil, nil, nil, nil, errBase), c.IntN(2) == 0, c.IntN(20) > 0
	end, withLast, closing := pick(c, io.EOF, io.EOF, io.EOF, errBody, context.Canceled), c.IntN(2) == 0, pick(c, nil, errClosing)
	sizes := []int{pick(c, 0, 1, 7), pick(c, 1, 100), pick(c, 1, 5000)}
	reads, closes, after := pick(c, 1000, 1000, 1000, 3, 0), c.IntN(3), c.IntN(3)
	encoding := pick(c, nil, []string{"chunked"}, []string{"identity"})
	header, replyHeader := c.header("Content-Length", "Traceparent", "Baggage", "Accept"), c.header("Content-Length", "Retry-After")
	header["Content-Type"], header["Content-Encoding"] = []string{x.requestType}, []string{x.requestEncoding}
	replyHeader["Content-Type"], replyHeader["Content-Encoding"] = []string{x.replyType}, []string{x.replyEncoding}
	pieces, replyPieces := c.pieces(x.request), c.pieces(x.reply)
	r := newRecorder(unlimited)
	options := c.options(r)

	// run makes the exchange and notes all that either side can see.
	run := func(traced bool) (seen []any) {
		note := func(what ...any) { seen = append(seen, what...) }
		base := http.RoundTripper(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			note(req.Method, req.URL.String(), req.Host, req.Header.Clone(), req.ContentLength, req.TransferEncoding, req.Close, req.GetBody != nil)
			deadline, ok := req.Context().Deadline()
			note(req.Context().Value(userKey{}), deadline, ok)
			if req.Body != nil {
				b, err := io.ReadAll(req.Body)
				note(string(b), err, req.Body.Close())
			}
			if req.GetBody != nil {
				again, err := req.GetBody()
				note(string(must(io.ReadAll(again))), err)
			}
			resp := &http.Response{
				Status: fmt.Sprint(status, " text"), StatusCode: status, Proto: "HTTP/1.1", Header: replyHeader.Clone(),
				ContentLength: int64(len(x.reply)), TransferEncoding: encoding, Trailer: http.Header{"X-Trailer": nil}, Request: req,
			}
			if replyHasBody {
				resp.Body = &scripted{pieces: append([][]byte{}, replyPieces...), end: end, withLast: withLast, closing: closing,
					onEnd: func() { resp.Trailer.Set("X-Trailer", "end") }}
			}
			if baseErr != nil && !baseResponds {
				resp = nil
			}
			return resp, baseErr
		}))
		if traced {
			base = openinference.NewTransport(base, options...)
		}
		ctx, cancel := context.WithDeadline(context.WithValue(context.Background(), userKey{}, "v"), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
		defer cancel()
		req := must(http.NewRequestWithContext(ctx, method, origin+x.path, nil))
		req.Header = header.Clone()
		sent := &scripted{pieces: append([][]byte{}, pieces...), end: io.EOF}
		if hasBody {
			req.Body, req.ContentLength, req.TransferEncoding = sent, length, encoding
			if rereadable {
				req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.request)), nil }
			}
		}
		resp, err := base.RoundTrip(req)
		note(err, resp == nil, sent.closed, req.Header, req.ContentLength)
		if hasBody {
			note(req.Body == io.ReadCloser(sent), req.Context() == ctx)
		}
		if resp == nil {
			return seen
		}
		note(resp.Status, resp.StatusCode, resp.Proto, resp.Header, resp.ContentLength, resp.TransferEncoding, resp.Request == req, resp.Body == nil)
		if resp.Body == nil {
			return seen
		}
		read := func(size int) error {
			p := make([]byte, size)
			n, err := resp.Body.Read(p)
			note(n, string(p), err)
			return err
		}
		for i := range reads {
			if read(sizes[i%len(sizes)]) != nil {
				break
			}
		}
		note(resp.Trailer)
		for range closes {
			note(resp.Body.Close())
		}
		for range after {
			read(10)
		}
		note(resp.Body.Close()) // a body that is left open has no end
		return seen
	}
	want, got := run(false), run(true)
	if len(got) != len(want) {
		t.Fatalf("got %d observations, want %d:\n%q\n%q", len(got), len(want), got, want)
	}
	for i := range want {
		// Errors must be the same, not only alike.
		if wantErr, ok := want[i].(error); ok && got[i] != any(wantErr) || !ok && !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("observation %d: got %#v, want %#v", i, got[i], want[i])
		}
	}
	if started, ended := len(r.Started()), len(r.Ended()); started > 1 || ended != started {
		t.Errorf("%d spans started and %d ended, want one at most", started, ended)
	}
	for _, span := range r.Ended() {
		checkProportion(t, span, len(x.path)+len(x.request)+len(x.reply))
	}
	if errs := reported(); len(errs) > 0 {
		t.Errorf("got reports %v, want none", errs)
	}
}

// checkProportion checks that a span has valid text in it, and no more of it than is in
// proportion to the bytes that were exchanged.
func checkProportion(t *testing.T, span sdktrace.ReadOnlySpan, exchanged int) {
	t.Helper()
	recorded := 0
	for place, text := range exported(span) {
		if recorded += len(place) + len(text); !utf8.ValidString(place + text) {
			t.Errorf("%q = %q is not UTF-8", place, text)
		}
	}
	if limit := 4096 + 100*exchanged; recorded > limit {
		t.Errorf("the span has %d bytes of %d that were exchanged, want no more than %d", recorded, exchanged, limit)
	}
}

// TestServerSeesTheSameRequests compares, over a network, an http.Client with a traced
// one: what the server gets, how it comes, and what the client gets.
func TestServerSeesTheSameRequests(t *testing.T) {
	type request struct {
		Method, URI, Host string
		Header, Trailer   http.Header
		Length            int64
		Encoding          []string
		Body              string
	}
	type reply struct {
		Status          string
		Header, Trailer http.Header
		Length          int64
		Encoding        []string
		Body, Err, Type string
		Cut             bool
	}
	got := make(chan request, 1)
	var respond atomic.Pointer[http.HandlerFunc]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(r.Body))
		got <- request{r.Method, r.RequestURI, r.Host, r.Header.Clone(), r.Trailer.Clone(), r.ContentLength, r.TransferEncoding, string(body)}
		(*respond.Load())(w, r)
	}))
	t.Cleanup(srv.Close)
	port := regexp.MustCompile(`127\.0\.0\.1:\d+`)

	exchanges(t, 300, func(t *testing.T, c *chance) {
		method, target := pick(c, "POST", "POST", "POST", "PUT"), srv.URL+c.path()
		header, body, known, trailer := c.header("Accept-Encoding"), c.damaged(c.requests), c.IntN(2) == 0, c.IntN(4) == 0
		header.Set("Content-Type", c.contentType())
		status, replyHeader, pieces, abort := pick(c, 200, 200, 404, 429, 500), c.header("Retry-After"), c.pieces(c.damaged(c.replies)), c.IntN(5) == 0
		replyHeader.Set("Content-Type", c.contentType())
		withTrailer, flush := c.IntN(3) == 0, c.IntN(2) == 0
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), replyHeader)
			w.Header()["Date"] = nil
			if withTrailer {
				w.Header().Set("Trailer", "X-Trailer")
			}
			w.WriteHeader(status)
			for _, p := range pieces {
				w.Write(p)
				if flush || abort {
					w.(http.Flusher).Flush()
				}
			}
			if abort {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("X-Trailer", "end")
		})
		respond.Store(&handler)
		run := func(client *http.Client) (r reply, atServer request) {
			var content io.Reader = bytes.NewReader(body)
			if !known {
				content = io.MultiReader(content)
			}
			req := must(http.NewRequest(method, target, content))
			req.Header = header.Clone()
			if trailer {
				req.ContentLength = -1
				req.Trailer = http.Header{"X-Sum": {"1"}}
			}
			resp, err := client.Do(req)
			if err == nil {
				var b []byte
				b, err = io.ReadAll(resp.Body)
				resp.Body.Close()
				r = reply{Status: resp.Status, Header: resp.Header, Trailer: resp.Trailer, Length: resp.ContentLength, Encoding: resp.TransferEncoding, Body: string(b)}
			}
			if err != nil {
				r.Err, r.Type, r.Cut = port.ReplaceAllString(err.Error(), "host"), fmt.Sprintf("%T", err), errors.Is(err, io.ErrUnexpectedEOF)
			}
			return r, <-got
		}
		base := srv.Client().Transport
		want, wantAtServer := run(&http.Client{Transport: base})
		reply, atServer := run(&http.Client{Transport: openinference.NewTransport(base, c.options(newRecorder())...)})
		if diff := cmp.Diff(want, reply); diff != "" {
			t.Errorf("the client's side (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantAtServer, atServer); diff != "" {
			t.Errorf("the server's side (-want +got):\n%s", diff)
		}
	})
}

// TestStreamItemsAreTheSame compares what go-openai makes of streams, item by item.
func TestStreamItemsAreTheSame(t *testing.T) {
	event := func(c *chance) string {
		data := pick(c,
			fmt.Sprintf(`{"id":"c","model":"m","choices":[{"index":%d,"delta":{"content":%q}}]}`, c.IntN(3), pick(c, "Clou", "dy", "", "7 °C", "🦑")),
			fmt.Sprintf(`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":%d,"id":"call","function":{"name":"f","arguments":"{"}}]}}]}`, c.IntN(3)),
			`{"choices":[]}`, `{"choices":[],"usage":{"prompt_tokens":1}}`, `{}`, `null`, `{"choices":[{"finish_reason":"stop"}]}`,
			`{"choices":`, `{"error":{"message":"overloaded","type":"server_error","code":503}}`, "[DONE]", " [DONE]", "")
		return pick(c, "data: ", "data: ", "data: ", "data:", ": ", "event: ", "") + data + pick(c, "\n\n", "\n\n", "\n", "\r\n\r\n", "")
	}
	exchanges(t, 1000, func(t *testing.T, c *chance) {
		var stream strings.Builder
		for range c.IntN(20) {
			for e := event(c); ; e = event(c) {
				if rare := strings.Contains(e, "error") || strings.Contains(e, "[DONE]") || strings.HasSuffix(e, ":"); !rare || c.IntN(5) == 0 {
					stream.WriteString(e)
					break
				}
			}
		}
		pieces, end, status, contentType := c.pieces([]byte(stream.String())), pick(c, io.EOF, io.EOF, io.EOF, errBody), pick(c, 200, 200, 200, 200, 500), c.contentType()
		options := c.options(newRecorder())
		run := func(client func(openai.ClientConfig) *openai.Client) (items []openai.ChatCompletionStreamResponse, err error) {
			config := openai.DefaultConfig("sk-test")
			config.HTTPClient = doerFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{
					Status: "status", StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
					Body: &scripted{pieces: append([][]byte{}, pieces...), end: end},
				}, nil
			})
			s, err := client(config).CreateChatCompletionStream(context.Background(), chatRequest("hi"))
			if err != nil {
				return nil, err
			}
			defer s.Close()
			for {
				item, err := s.Recv()
				if err != nil {
					return items, err
				}
				items = append(items, item)
			}
		}
		want, wantErr := run(openai.NewClientWithConfig)
		got, err := run(func(config openai.ClientConfig) *openai.Client {
			return openinference.NewClientWithConfig(config, options...)
		})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("items (-want +got):\n%s", cmp.Diff(want, got))
		}
		if !reflect.DeepEqual(err, wantErr) || errors.Is(err, errBody) != errors.Is(wantErr, errBody) {
			t.Errorf("got error %#v, want %#v", err, wantErr)
		}
	})
}
