package openinference

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// call is a model call under way: what was sent, what the client has read of the
// reply, and the span that both go into when it is over.
//
// It must not refer to the body that the client holds, or a body that is dropped
// unread would never be collected.
type call struct {
	endpoint  *endpoint
	span      *Span
	text      bool                 // record input and output as text
	address   []attribute.KeyValue // that it goes to, and how often it did before
	request   kept                 // its body, unless it is a form
	sent      sent
	sentLater func() sent // of a body that can be read only once; nil: sent has it all
	secrets   secrets

	status      int
	statusText  string
	contentType string
	length      int         // of the reply, if it is known
	opaque      bool        // the reply is encoded or a file: its bytes say nothing
	unwatch     func() bool // of the context
	cleanup     runtime.Cleanup

	mu     sync.Mutex // Close and the end of the context may race Read
	ended  bool
	read   time.Time // when the client last got something
	reply  kept      // of a plain response
	whole  value     // what reply holds, once it is there and valid
	stream *stream   // of one that is a stream
}

// watch returns the body of resp, with the call seeing what the client reads.
func (c *call) watch(ctx context.Context, resp *http.Response) io.ReadCloser {
	c.status, c.statusText = resp.StatusCode, resp.Status
	c.length = int(min(resp.ContentLength, 1<<20)) // as far as a server is trusted
	c.contentType = resp.Header.Get("Content-Type")
	encoding := resp.Header.Get("Content-Encoding")
	c.opaque = encoding != "" && !strings.EqualFold(encoding, "identity") || c.endpoint.response == nil && !c.failed()
	c.read = time.Now()
	b := &body{ReadCloser: resp.Body, call: c}
	// A stream that is neither read on nor closed has no other end. Ending a span
	// may export it, which must not hold up other cleanups.
	c.cleanup = runtime.AddCleanup(b, func(c *call) { go c.end(ending{dropped: true}) }, c)
	if ctx.Done() != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.unwatch = context.AfterFunc(ctx, func() { c.end(ending{err: context.Cause(ctx), cancelled: true}) })
	}
	return b
}

// body is the body of a response, which tells the call what is read of it.
type body struct {
	io.ReadCloser
	call *call
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if over, how := b.call.saw(p[:n], err); over {
		b.call.end(how)
	}
	return n, err
}

func (b *body) Close() error {
	b.call.end(ending{}) // first: a Read that this interrupts fails, the call has not
	return b.ReadCloser.Close()
}

// ending is how a call ended. The zero value: the client closed the body.
type ending struct {
	err       error
	cancelled bool // err is the context's
	whole     bool // the reply was read to its end
	dropped   bool // the client let go of the body
}

// saw takes in what the client has read, and says whether that ends the call.
func (c *call) saw(p []byte, err error) (over bool, how ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.recovered()
	if c.ended {
		return false, ending{}
	}
	if len(p) > 0 {
		c.read = time.Now()
		if over, err := c.take(p); over {
			return true, ending{err: err, whole: err == nil}
		}
	}
	switch {
	case err == nil:
		return false, ending{}
	case err != io.EOF:
		return true, ending{err: err}
	case c.stream == nil && c.endpoint.stream != nil && !c.failed() && c.reply.Len() == 0 && isEventStream(c.contentType):
		c.stream = &stream{fold: c.endpoint.stream()} // without events
		fallthrough
	case c.stream != nil:
		err = c.stream.finish()
		return true, ending{err: err, whole: err == nil}
	default:
		return true, ending{whole: true}
	}
}

// take keeps p, or folds it if it is part of a stream; a stream may end in it.
func (c *call) take(p []byte) (over bool, err error) {
	if c.opaque {
		return false, nil
	}
	if c.stream == nil {
		begin := p
		if n := c.reply.Len(); 0 < n && n < longEnough {
			begin = append([]byte(c.reply.String()), p...)
		}
		plain := c.endpoint.stream == nil || c.failed() || c.reply.Len() >= longEnough
		if plain || !beginsStream(c.contentType, begin) {
			if c.reply.Len() == 0 {
				c.reply.Grow(max(c.length, len(p), 1024))
			}
			c.reply.add(p)
			return false, nil
		}
		c.stream = &stream{fold: c.endpoint.stream()}
		p, c.reply = begin, kept{}
	}
	before := c.stream.chunks
	over, err = c.stream.feed(p)
	if before == 0 && c.stream.chunks > 0 {
		c.span.AddEvent("First Token Stream Event")
	}
	return over, err
}

// longEnough is when a reply that does not begin like a stream is none.
const longEnough = 64

// failed reports whether go-openai takes the status for an error.
func (c *call) failed() bool { return c.status < 200 || c.status >= 400 }

// end ends the span, once, whoever comes first.
func (c *call) end(how ending) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended = true
	c.mu.Unlock()
	c.cleanup.Stop()
	if c.unwatch != nil {
		c.unwatch()
	}
	var opts []trace.SpanEndOption
	if how.dropped {
		opts = append(opts, trace.WithTimestamp(c.read))
	}
	defer c.span.End(opts...)
	// A client may hold on to the body when it has been read.
	defer func() {
		c.request, c.sent, c.sentLater, c.reply, c.whole, c.stream, c.span = kept{}, sent{}, nil, kept{}, "", nil, nil
	}()
	defer c.recovered()
	s := c.sent
	if c.sentLater != nil {
		s = c.sentLater()
	}
	request := c.endpoint.request(c.shown(parse(s.body)))
	code, err := c.outcome(how, request.plain)
	c.describe(code, s, request)
	if err != nil {
		c.span.setError(err, c.secrets.redact(textOf(err)))
	} else {
		c.span.SetStatus(code, "")
	}
}

// recovered is deferred where the bodies are read: a fault in that must not reach the
// user's call. No more is read after it.
func (c *call) recovered() {
	if r := recover(); r != nil {
		otel.Handle(fmt.Errorf("openinference: %s span is incomplete: panic: %v", c.endpoint.name, r))
		c.opaque, c.stream = true, nil
	}
}

// shown returns a request without that of which nothing is recorded: most of it, where
// inputs are hidden.
func (c *call) shown(request value) value {
	if c.span.mask.HideInputs && len(c.endpoint.input) > 0 {
		return without(request, c.endpoint.input...)
	}
	return request
}

// outcome returns the status of the call, with the error that go-openai returns for
// it. A plain reply is text and not JSON.
func (c *call) outcome(how ending, plain bool) (codes.Code, error) {
	switch {
	case c.status == 0: // there was no response
		return codes.Error, how.err
	case c.failed():
		if how.err != nil {
			return codes.Error, fmt.Errorf("error, reading response body: %w", how.err)
		}
		return codes.Error, statusError(c.status, c.statusText, c.reply.String())
	case how.err != nil && !how.cancelled:
		return codes.Error, how.err
	case c.stream == nil && !c.opaque && !plain:
		// A client stops reading at the end of the JSON, and may cancel or close then.
		reply := c.reply.String()
		end, ok := validPrefix(reply)
		if ok {
			c.whole = value(reply[skipSpace(reply, 0):end])
			if err := apiError(c.whole); err != nil {
				return codes.Error, err
			}
			return codes.Ok, nil
		}
		err := decodeError(reply)
		if c.reply.cut && how == (ending{}) {
			return codes.Ok, nil // a client that wants no more of it has it all
		}
		if !c.reply.cut && how.whole || !isIncomplete(err) {
			return codes.Error, err
		}
	}
	switch {
	case how.err != nil:
		return codes.Error, how.err
	case how.whole:
		return codes.Ok, nil
	default:
		return codes.Unset, nil
	}
}

// statusError is what go-openai makes of a response that says by its status that it
// is an error.
func statusError(status int, text, reply string) error {
	body := []byte(reply)
	var e openai.ErrorResponse
	err := json.Unmarshal(body, &e)
	if err != nil || e.Error == nil {
		return &openai.RequestError{HTTPStatus: text, HTTPStatusCode: status, Err: err, Body: body}
	}
	e.Error.HTTPStatus, e.Error.HTTPStatusCode = text, status
	return e.Error
}

// decodeError returns the error of decoding a plain response that is not valid.
func decodeError(s string) error {
	var v json.RawMessage
	return json.NewDecoder(strings.NewReader(s)).Decode(&v)
}

// isIncomplete reports whether there only has to come more.
func isIncomplete(err error) bool { return err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) }

// apiError returns the error object in a response or in an event of a stream, nil
// if there is none. One that says that it failed is an error without such an object too.
func apiError(v value) error {
	if s := string(v); !strings.Contains(s, `"error"`) && !strings.Contains(s, `"failed"`) {
		return nil // as nearly all have neither, looking at the bytes is enough
	}
	var e, status value
	for key, m := range v.members() {
		switch key {
		case "error":
			e = m
		case "status":
			status = m
		}
	}
	switch {
	case e.isObject():
		return errorOf(e)
	case status == `"failed"`:
		return errFailed
	}
	return nil
}

// errorOf returns the error that an error object is.
func errorOf(e value) error {
	var reply openai.APIError
	if err := json.Unmarshal([]byte(e), &reply); err != nil {
		return &openai.APIError{Message: readable(e)}
	}
	return &reply
}

// describe sets what the bodies say, important things first: a span keeps only so
// many attributes.
func (c *call) describe(code codes.Code, s sent, request extract) {
	var reply value
	var response extract
	switch {
	case c.stream != nil:
		reply = c.stream.object()
	case c.opaque || c.failed() || code == codes.Error && c.whole == "":
	case request.plain:
		reply = value(c.reply.String())
	case c.whole != "":
		reply = c.whole
	default:
		reply = parse(c.reply.String())
	}
	if len(reply) > 0 {
		response = c.endpoint.response(reply)
	}
	if code == codes.Error && c.stream == nil && len(response.content) == 0 {
		reply, response = "", extract{} // an error is no output, but what stands beside it is
	}
	kvs := make([]attribute.KeyValue, 0, 10+len(response.facts)+len(request.facts)+len(response.content)+
		len(response.vectors)+2*len(response.images)+len(request.tools)+len(request.content)+len(s.images))
	kvs = c.endpoint.appendModel(kvs, request.model, response.model)
	kvs = append(kvs, response.facts...)
	kvs = c.appendValue(kvs, InputValueKey, InputMIMETypeKey, value(s.body), request)
	kvs = c.appendValue(kvs, OutputValueKey, OutputMIMETypeKey, reply, response)
	kvs = c.endpoint.appendParameters(kvs, request.parameters)
	kvs = append(kvs, request.facts...)
	kvs = append(kvs, c.address...)
	kvs = append(kvs, response.content...)
	kvs = c.appendLarge(kvs, response, cmp.Or(response.format, request.format, "png"))
	kvs = append(kvs, request.tools...)
	kvs = append(kvs, request.content...)
	kvs = append(kvs, s.images...)
	c.span.setParts(kvs, len(s.body)+len(reply))
}

// appendLarge appends the images and vectors of a response. What is to be hidden is not
// decoded for it.
func (c *call) appendLarge(kvs []attribute.KeyValue, response extract, format string) []attribute.KeyValue {
	for _, image := range response.images {
		url := Redacted
		if c.span.mask.keeps(image.key, len(image.data)) {
			url = dataURL("image/"+format, image.data.str())
		}
		kvs = append(kvs, image.key.String(url), image.part.String(url))
	}
	for _, vector := range response.vectors {
		if !c.span.mask.keeps(vector.key, 0) {
			kvs = append(kvs, vector.key.String(Redacted))
		} else if len(vector.data) > maxValue {
			kvs = append(kvs, vector.key.String(Truncated))
		} else if numbers := vector.data.floats(); len(numbers) > 0 {
			kvs = append(kvs, vector.key.Float64Slice(numbers))
		}
	}
	return kvs
}

// appendValue appends input.value or output.value with its type.
func (c *call) appendValue(kvs []attribute.KeyValue, key, mimeKey attribute.Key, body value, x extract) []attribute.KeyValue {
	switch {
	case len(body) == 0:
		return kvs
	case x.text != "" && (c.text || x.plain):
		return append(kvs, key.String(x.text), mimeKey.String(MIMETypeText))
	case c.span.mask.decide(key, true, true) != keep:
		return append(kvs, key.String(Redacted), mimeKey.String(MIMETypeJSON))
	default:
		return append(kvs, key.String(readable(body)), mimeKey.String(MIMETypeJSON))
	}
}
