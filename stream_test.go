package openinference_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// noMoreGoroutines fails the test if there are more goroutines at its end, after all that
// is cleaned up, than there are now.
func noMoreGoroutines(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 500 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines are left of at most %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	})
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what a cleanup has let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const firstChunk = `{"choices":[{"index":0,"delta":{"content":"Clou"}}]}`

// TestStreamEnds goes through the ways in which a stream can be over. Each ends the span
// once, with what has arrived, and leaves no goroutine behind.
func TestStreamEnds(t *testing.T) {
	// begins answers with a first chunk, and goes on with what then does.
	begins := func(then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mocks.Stream(firstChunk)(w, r)
			w.(http.Flusher).Flush()
			then(w, r)
		}
	}
	hold := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	whole := mocks.Stream(firstChunk, "[DONE]")

	// caller is who makes the call.
	type caller struct {
		ctx    context.Context
		cancel context.CancelFunc
		http   *http.Client
		stream *openai.ChatCompletionStream
	}
	recv := func(t *testing.T, c *caller) {
		t.Helper()
		if _, err := c.stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	rest := func(t *testing.T, c *caller, want error) {
		t.Helper()
		var err error
		for err == nil {
			_, err = c.stream.Recv()
		}
		if !errors.Is(err, want) {
			t.Errorf("got error %v, want %v", err, want)
		}
	}
	anyError := func(t *testing.T, c *caller) {
		t.Helper()
		for range 10 {
			if _, err := c.stream.Recv(); err != nil {
				return
			}
		}
		t.Error("the stream has no error")
	}

	tests := []struct {
		name   string
		reply  http.HandlerFunc
		before func(*caller) // the call
		refuse error         // what the call returns
		after  func(*testing.T, *caller)
		status codes.Code
		output string
	}{
		{"[DONE]", whole, nil, nil, func(t *testing.T, c *caller) { rest(t, c, io.EOF) }, codes.Ok, "Clou"},
		{"[DONE], then closed", whole, nil, nil, func(t *testing.T, c *caller) { rest(t, c, io.EOF); c.stream.Close() }, codes.Ok, "Clou"},
		{"[DONE], then cancelled", whole, nil, nil, func(t *testing.T, c *caller) { rest(t, c, io.EOF); c.cancel() }, codes.Ok, "Clou"},
		{"[DONE], the server holds the connection", func(w http.ResponseWriter, r *http.Request) {
			whole(w, r)
			w.(http.Flusher).Flush()
			hold(w, r)
		}, nil, nil, func(t *testing.T, c *caller) { rest(t, c, io.EOF) }, codes.Ok, "Clou"},
		{"end of file", mocks.Stream(firstChunk), nil, nil, func(t *testing.T, c *caller) { rest(t, c, io.EOF) }, codes.Ok, "Clou"},
		{"end of file at once", mocks.Stream(), nil, nil, func(t *testing.T, c *caller) { rest(t, c, io.EOF) }, codes.Ok, ""},
		{"error event", mocks.StreamError("overloaded", "Clou"), nil, nil, anyError, codes.Error, "Clou"},
		{"error event at once", mocks.Stream(`{"error":{"message":"overloaded"}}`), nil, nil, anyError, codes.Error, ""},
		{"cut off", mocks.HangUp(mocks.ChatStream("Clou", "dy"), 700), nil, nil, func(t *testing.T, c *caller) { rest(t, c, io.ErrUnexpectedEOF) }, codes.Error, "Clou"},
		{"reset", begins(reset), nil, nil, anyError, codes.Error, "Clou"},
		{"reset before the answer", reset, nil, nil, nil, codes.Error, ""},
		{"deadline", begins(hold), func(c *caller) { c.ctx, c.cancel = context.WithTimeout(c.ctx, 200*time.Millisecond) }, nil,
			func(t *testing.T, c *caller) { rest(t, c, context.DeadlineExceeded) }, codes.Error, "Clou"},
		{"timeout of the client", begins(hold), func(c *caller) { c.http.Timeout = 200 * time.Millisecond }, nil,
			func(t *testing.T, c *caller) { rest(t, c, context.DeadlineExceeded) }, codes.Error, "Clou"},
		{"cancelled before the call", hold, func(c *caller) { c.cancel() }, context.Canceled, nil, codes.Error, ""},
		{"cancelled before the answer", hold, func(c *caller) { time.AfterFunc(50*time.Millisecond, c.cancel) }, context.Canceled, nil, codes.Error, ""},
		{"cancelled at once", begins(hold), nil, nil, func(_ *testing.T, c *caller) { c.cancel() }, codes.Error, ""},
		{"cancelled, somebody reads", begins(hold), nil, nil, func(t *testing.T, c *caller) {
			recv(t, c)
			time.AfterFunc(50*time.Millisecond, c.cancel)
			rest(t, c, context.Canceled)
		}, codes.Error, "Clou"},
		{"cancelled, nobody reads", begins(hold), nil, nil, func(t *testing.T, c *caller) { recv(t, c); c.cancel() }, codes.Error, "Clou"},
		{"cancelled and closed", begins(hold), nil, nil, func(t *testing.T, c *caller) {
			recv(t, c)
			c.stream.Close()
			c.cancel()
		}, codes.Unset, "Clou"},
		{"closed early", begins(hold), nil, nil, func(t *testing.T, c *caller) { recv(t, c); c.stream.Close() }, codes.Unset, "Clou"},
		{"closed at once", begins(hold), nil, nil, func(_ *testing.T, c *caller) { c.stream.Close() }, codes.Unset, ""},
		{"closed twice", begins(hold), nil, nil, func(t *testing.T, c *caller) { recv(t, c); c.stream.Close(); c.stream.Close() }, codes.Unset, "Clou"},
		{"closed, then read", begins(hold), nil, nil, func(t *testing.T, c *caller) { recv(t, c); c.stream.Close(); anyError(t, c) }, codes.Unset, "Clou"},
		{"closed while somebody reads", begins(hold), nil, nil, func(t *testing.T, c *caller) {
			recv(t, c)
			time.AfterFunc(50*time.Millisecond, func() { c.stream.Close() })
			anyError(t, c)
		}, codes.Unset, "Clou"},
		{"dropped", begins(hold), nil, nil, func(t *testing.T, c *caller) { recv(t, c) }, codes.Unset, "Clou"},
		{"dropped at once", begins(hold), nil, nil, func(*testing.T, *caller) {}, codes.Unset, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noMoreGoroutines(t)
			r := newRecorder()
			srv := mocks.NewServer(tt.reply)
			t.Cleanup(srv.Close)
			c := &caller{http: &http.Client{Transport: &http.Transport{}}}
			t.Cleanup(c.http.CloseIdleConnections)
			c.ctx, c.cancel = context.WithCancel(context.Background())
			t.Cleanup(func() { c.cancel() })
			config := srv.Config()
			config.HTTPClient = c.http
			client := openinference.NewClientWithConfig(config, openinference.WithTracerProvider(r.provider))
			if tt.before != nil {
				tt.before(c)
			}
			var err error
			c.stream, err = client.CreateChatCompletionStream(c.ctx, chatRequest("hi"))
			switch {
			case tt.after != nil && err != nil:
				t.Fatal(err)
			case tt.after != nil:
				tt.after(t, c)
			case err == nil || !errors.Is(err, tt.refuse) && tt.refuse != nil:
				t.Errorf("got error %v, want %v", err, tt.refuse)
			}
			if strings.HasPrefix(tt.name, "dropped") {
				// net/http keeps the connection and go-openai nothing: a garbage
				// collection finds the body.
				c.stream = nil
				heap()
			}
			span := r.await(t, 1)[0]
			if got := span.Status(); got.Code != tt.status {
				t.Errorf("got status %v (%s), want %v", got.Code, got.Description, tt.status)
			}
			wantAttrs(t, span, map[attribute.Key]string{openinference.InputValueKey: "hi", openinference.OutputValueKey: tt.output})

			// Whatever comes now is too late.
			c.cancel()
			if c.stream != nil {
				c.stream.Close()
				c.stream.Recv()
				c.stream = nil
			}
			heap()
			if got := len(r.Ended()); got != 1 {
				t.Errorf("the span has ended %d times, want once", got)
			}
		})
	}
}

// TestEventOfManyLines has the lines end in each of the ways in which they may.
func TestEventOfManyLines(t *testing.T) {
	for _, end := range []string{"\n", "\r", "\r\n"} {
		for size := 1; size < 40; size++ {
			reply := strings.Join([]string{`data: {"choices":`, `data: [{"delta":{"content":"Clou"}}]}`, "", "data: [DONE]", ""}, end)
			r := newRecorder()
			base := &cannedTransport{response: goldenResponse{Status: http.StatusOK, Body: reply, WireSplit: size}}
			req, _ := http.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", strings.NewReader("{}"))
			resp, err := openinference.NewTransport(base, openinference.WithTracerProvider(r.provider)).RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			span := r.only(t)
			if span.Status().Code != codes.Ok || attr(span, openinference.OutputValueKey) != "Clou" {
				t.Fatalf("lines that end in %q, in pieces of %d: got %q, status %v", end, size, attr(span, openinference.OutputValueKey), span.Status())
			}
		}
	}
}

// TestReadThatCloseInterrupts: it fails, but the stream has not failed.
func TestReadThatCloseInterrupts(t *testing.T) {
	r := newRecorder()
	closing, read := make(chan struct{}), make(chan struct{})
	transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: &interrupted{strings.NewReader("data: " + firstChunk + "\n\n"), closing, read}}, nil
	}), openinference.WithTracerProvider(r.provider))
	req, _ := http.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", strings.NewReader("{}"))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(read)
		if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got error %v, want that of the body", err)
		}
	}()
	resp.Body.Close()
	if got := r.only(t).Status(); got.Code != codes.Unset {
		t.Errorf("got status %v, want Unset", got)
	}
}

// interrupted is a body whose Close makes a Read fail, and waits for it.
type interrupted struct {
	io.Reader
	closing, read chan struct{}
}

func (b *interrupted) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	<-b.closing
	return 0, net.ErrClosed
}

func (b *interrupted) Close() error {
	close(b.closing)
	<-b.read
	return nil
}

func TestCloseRacesRead(t *testing.T) {
	noMoreGoroutines(t)
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.ChatStream(strings.Split(strings.Repeat("word ", 200), " ")...))
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for range 50 {
		ctx, cancel := context.WithCancel(context.Background())
		stream, err := client.CreateChatCompletionStream(ctx, chatRequest("hi"))
		if err != nil {
			t.Fatal(err)
		}
		go stream.Close()
		go stream.Close()
		go cancel()
		for err == nil {
			_, err = stream.Recv()
		}
	}
	if got := len(r.await(t, 50)); got != 50 {
		t.Errorf("got %d spans, want 50", got)
	}
}

// TestStreamIsPacedByTheServer: a piece is there as soon as it has come. The server does
// not go on before the client has read it.
func TestStreamIsPacedByTheServer(t *testing.T) {
	for name, opts := range map[string][]openinference.Option{
		"plain":      nil,
		"with usage": {openinference.WithStreamUsage()},
	} {
		t.Run(name, func(t *testing.T) {
			in, out := io.Pipe()
			transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: in}, nil
			}), append(opts, openinference.WithTracerProvider(newRecorder().provider))...)
			req, err := http.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", strings.NewReader(`{"stream":true}`))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			const event = "data: " + firstChunk + "\n\n"
			buf := make([]byte, 1<<10)
			for range 100 {
				go io.WriteString(out, event)
				if _, err := io.ReadFull(resp.Body, buf[:len(event)]); err != nil || string(buf[:len(event)]) != event {
					t.Fatalf("got %q (%v), want %q", buf[:len(event)], err, event)
				}
			}
		})
	}
}

// TestContextHoldsNoCalls makes many calls under one context, as those of a worker that
// runs for ever.
func TestContextHoldsNoCalls(t *testing.T) {
	const calls, most = 10_000, 1 << 20
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	base := &cannedTransport{response: goldenResponse{Status: http.StatusOK, Body: "{}"}}
	transport := openinference.NewTransport(base, openinference.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(discard{}))))
	before := heap()
	for range calls {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v1/chat/completions", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	if got := heap() - before; got > most {
		t.Errorf("%d calls have left %d bytes, want at most %d", calls, got, most)
	}
}

// TestEndedStreamsHoldNothing keeps the bodies of streams that are over under a context
// that is not: neither may hold what was asked or answered.
func TestEndedStreamsHoldNothing(t *testing.T) {
	const streams, size = 20, 256 << 10
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(discard{}))
	reply := "data: " + strings.Replace(firstChunk, "Clou", strings.Repeat("x", size), 1) + "\n\n"
	request := []byte(`{"messages":[{"role":"user","content":"` + strings.Repeat("x", size) + `"}]}`)
	ways := map[string]func(io.ReadCloser, context.CancelFunc){
		"read":      func(body io.ReadCloser, _ context.CancelFunc) { io.Copy(io.Discard, body) },
		"closed":    func(body io.ReadCloser, _ context.CancelFunc) { io.CopyN(io.Discard, body, size); body.Close() },
		"cancelled": func(body io.ReadCloser, cancel context.CancelFunc) { io.CopyN(io.Discard, body, size); cancel() },
	}
	for name, end := range ways {
		t.Run(name, func(t *testing.T) {
			noMoreGoroutines(t)
			ctx := t.Context()
			transport := openinference.NewTransport(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(reply)), Request: req}, nil
			}), openinference.WithTracerProvider(provider))
			before := heap()
			var kept []*http.Response
			for range streams {
				ctx, cancel := context.WithCancel(ctx)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v1/chat/completions", bytes.NewReader(request))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				end(resp.Body, cancel)
				kept = append(kept, resp)
				defer cancel()
			}
			for range 500 { // a cancelled stream ends in a goroutine of its own
				if heap()-before < size {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if got := heap() - before; got > size {
				t.Errorf("%d streams that are over hold %d bytes, want less than one of %d", len(kept), got, size)
			}
			runtime.KeepAlive(kept)
		})
	}
}
