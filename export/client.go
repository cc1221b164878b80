package export

import (
	"context"
	"errors"
	"io"
	"net/http/httptrace"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// reconnect is the time between attempts to reach a server.
const reconnect = time.Second

// client prepares what the OTLP client sends: resource attributes, valid UTF-8
// and requests of a size that servers accept. What no server has answered it
// sends again, for as long as it takes.
type client struct {
	otlptrace.Client
	attributes []resourceAttribute
	link       *link
	timeout    time.Duration // for a batch, without the time in which no server answers
	unreached  func(error)   // is told when none has answered
}

// newClient returns the client for d. The OTLP clients read the
// OTEL_EXPORTER_OTLP_* variables, which may be meant for another backend: what
// d says is passed in full, so that none of them can change it.
func newClient(d *destination) *client {
	c := &client{attributes: d.attributes, link: new(link)}
	// The SDK's first retry is after 5 seconds, half of the time that a request
	// has over gRPC.
	retry := otlptracegrpc.RetryConfig{
		Enabled:         true,
		InitialInterval: time.Second,
		MaxInterval:     5 * time.Second,
		MaxElapsedTime:  time.Minute,
	}
	if d.endpoint.grpc {
		connect := grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: 20 * time.Second}
		// A server that has just come up is found before Shutdown gives up.
		connect.Backoff.MaxDelay = patience * 2 / 3
		opts := []otlptracegrpc.Option{
			otlptracegrpc.WithEndpointURL(d.endpoint.url()),
			otlptracegrpc.WithHeaders(d.headers),
			otlptracegrpc.WithRetry(retry),
			otlptracegrpc.WithDialOption(grpc.WithStatsHandler(c.link), grpc.WithConnectParams(connect)),
		}
		if !d.endpoint.tls {
			// OTEL_EXPORTER_OTLP_CERTIFICATE alone would mean TLS.
			opts = append(opts, otlptracegrpc.WithTLSCredentials(insecure.NewCredentials()))
		}
		c.Client = otlptracegrpc.NewClient(opts...)
		return c
	}
	opts := []otlptracehttp.Option{
		otlptracehttp.WithEndpointURL(d.endpoint.url()),
		otlptracehttp.WithHeaders(d.headers),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig(retry)),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
	}
	if !d.endpoint.tls {
		// OTEL_EXPORTER_OTLP_CERTIFICATE with an http URL would be an error.
		opts = append(opts, otlptracehttp.WithTLSClientConfig(nil))
	}
	c.Client = otlptracehttp.NewClient(opts...)
	return c
}

// UploadTraces sends spans in as many requests as their size takes, each
// whether or not those before it failed. Its error is an uploadError.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	for _, rs := range spans {
		if rs.Resource == nil {
			rs.Resource = new(resourcepb.Resource)
		}
		for _, a := range c.attributes {
			a.set(rs.Resource)
		}
	}
	mend(spans)

	ctx = httptrace.WithClientTrace(ctx, c.link.clientTrace())
	timed, cancel := c.limit(ctx)
	defer func() { cancel() }()
	renew := func() {
		cancel()
		timed, cancel = c.limit(ctx)
	}
	defer c.link.update(func() { c.link.sending = false })
	var failed uploadError
	for _, part := range split(spans) {
		err := c.try(timed, part)
		for err != nil && c.again(ctx, err) {
			renew()
			err = c.try(timed, part)
		}
		if err != nil {
			failed.add(err, part)
			continue
		}
		renew() // a server that is slow but takes one part after the other gets all
	}
	if failed.errs == nil {
		return nil
	}
	return &failed
}

// limit returns ctx for as long as a server has to take spans.
func (c *client) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.timeout, errExportTimeout)
}

// try sends a request.
func (c *client) try(ctx context.Context, part []*tracepb.ResourceSpans) error {
	c.link.begin()
	return c.Client.UploadTraces(ctx, part)
}

var errExportTimeout = errors.New("the time of OTEL_BSP_EXPORT_TIMEOUT is over")

// again waits and returns true if no server has answered the request that failed
// with err, or false if one has or ctx has ended.
func (c *client) again(ctx context.Context, err error) bool {
	if ctx.Err() != nil || c.link.reached(err) {
		return false
	}
	c.unreached(err)
	select {
	case <-time.After(reconnect):
		return true
	case <-ctx.Done():
		return false
	}
}

// set gives r the attribute.
func (a resourceAttribute) set(r *resourcepb.Resource) {
	value := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: a.value}}
	for _, kv := range r.Attributes {
		if kv.Key == a.key {
			if a.replace {
				kv.Value = value
			}
			return
		}
	}
	r.Attributes = append(r.Attributes, &commonpb.KeyValue{Key: a.key, Value: value})
}

// uploadError is why some of the parts of a batch did not arrive.
type uploadError struct {
	errs  []error
	spans int // in those parts, as far as is known
}

func (e *uploadError) add(err error, part []*tracepb.ResourceSpans) {
	if !partial(err) {
		for _, rs := range part {
			for _, ss := range rs.ScopeSpans {
				e.spans += len(ss.Spans)
			}
		}
	}
	for _, other := range e.errs {
		if other.Error() == err.Error() {
			return
		}
	}
	e.errs = append(e.errs, err)
}

func (e *uploadError) Error() string   { return errors.Join(e.errs...).Error() }
func (e *uploadError) Unwrap() []error { return e.errs }

// link knows whether there is a connection to the endpoint. It watches the one
// that spans go over, since one of its own might take another way, past the
// proxy.
type link struct {
	mu          sync.Mutex
	connections int
	sending     bool
	missed      bool      // there was no connection at some time of the latest attempt
	waiting     time.Time // since when a request has waited for a connection; zero if none does
}

func (l *link) update(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	if l.connections > 0 || !l.sending {
		l.waiting = time.Time{}
		return
	}
	l.missed = true
	if l.waiting.IsZero() {
		l.waiting = time.Now()
	}
}

// begin is called before an attempt to send a request.
func (l *link) begin() { l.update(func() { l.sending, l.missed = true, false }) }

// reached reports whether a server has answered the latest attempt, which
// failed with err, or has had the time to.
func (l *link) reached(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.connections == 0:
		return false
	case l.missed: // the connection came late, or took the place of one that broke
		code := status.Code(err)
		return code != codes.Unavailable && code != codes.DeadlineExceeded
	}
	return !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET)
}

func (l *link) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connections > 0
}

// awaitDown returns true when a request has waited for a connection for as long
// as patience, but not at once, or false when ctx ends.
func (l *link) awaitDown(ctx context.Context) bool {
	for wait := patience; wait > 0; wait = patience - l.waited() {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (l *link) waited() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.IsZero() {
		return 0
	}
	return time.Since(l.waiting)
}

// clientTrace watches HTTP: connections are pooled and requests sent one at a
// time, so what counts is whether the latest got a connection.
func (l *link) clientTrace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { l.update(func() { l.connections = 0 }) },
		GotConn: func(httptrace.GotConnInfo) { l.update(func() { l.connections, l.missed = 1, false }) },
	}
}

// HandleConn watches gRPC.
func (l *link) HandleConn(_ context.Context, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		l.update(func() { l.connections++ })
	case *stats.ConnEnd:
		l.update(func() { l.connections-- })
	}
}

func (*link) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*link) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*link) HandleRPC(context.Context, stats.RPCStats)                         {}
