package export_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
)

// collector is a server that remembers the requests it took.
type collector struct {
	coltracepb.UnimplementedTraceServiceServer

	// answer, if not nil, decides over a request. Over HTTP its error becomes
	// the status of the same meaning.
	answer func(context.Context) (*coltracepb.ExportTraceServiceResponse, error)
	// status, if not 0, is the answer over HTTP, with a body that repeats the
	// credentials.
	status int

	seen atomic.Int64 // requests, taken or not
	stop func()       // ends the latest server, and its connections

	mu       sync.Mutex
	requests []request
}

type request struct {
	path    string // of HTTP
	headers map[string]string
	size    int
	spans   []*tracepb.ResourceSpans
}

// Export takes a request over gRPC.
func (c *collector) Export(ctx context.Context, req *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	c.seen.Add(1)
	md, _ := metadata.FromIncomingContext(ctx)
	if c.answer != nil {
		if resp, err := c.answer(ctx); resp != nil || err != nil {
			return resp, err
		}
	}
	c.take(request{headers: flatten(md), size: proto.Size(req), spans: req.ResourceSpans})
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

// ServeHTTP takes a request over HTTP.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.seen.Add(1)
	if c.status != 0 {
		http.Error(w, "not with "+r.Header.Get("authorization"), c.status)
		return
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	req := new(coltracepb.ExportTraceServiceRequest)
	if err == nil {
		err = proto.Unmarshal(data, req)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if c.answer != nil {
		if resp, err := c.answer(r.Context()); resp != nil || err != nil {
			writeAnswer(w, resp, err)
			return
		}
	}
	c.take(request{path: r.URL.Path, headers: flatten(r.Header), size: len(data), spans: req.ResourceSpans})
}

func writeAnswer(w http.ResponseWriter, resp *coltracepb.ExportTraceServiceResponse, err error) {
	s := status.Convert(err)
	switch s.Code() {
	case codes.OK:
		data, err := proto.Marshal(resp)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		_, _ = w.Write(data)
	case codes.Unauthenticated:
		http.Error(w, s.Message(), http.StatusUnauthorized)
	case codes.ResourceExhausted:
		if len(s.Details()) == 0 {
			http.Error(w, s.Message(), http.StatusRequestEntityTooLarge)
			return
		}
		delay := s.Details()[0].(*errdetails.RetryInfo).RetryDelay.AsDuration()
		w.Header().Set("Retry-After", strconv.Itoa(int(delay.Seconds())))
		http.Error(w, s.Message(), http.StatusTooManyRequests)
	default:
		http.Error(w, s.Message(), http.StatusInternalServerError)
	}
}

func flatten(headers map[string][]string) map[string]string {
	flat := make(map[string]string)
	for k, values := range headers {
		flat[strings.ToLower(k)] = strings.Join(values, ",")
	}
	return flat
}

func (c *collector) take(r request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
}

// taken returns the requests so far.
func (c *collector) taken() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]request(nil), c.requests...)
}

// only returns the one request with the one span that the collector took.
func (c *collector) only(t *testing.T) (request, *tracepb.Span) {
	t.Helper()
	requests, spans := c.taken(), c.spans()
	if len(requests) != 1 || len(spans) != 1 {
		t.Fatalf("got %d requests with %d spans, want 1 with 1", len(requests), len(spans))
	}
	return requests[0], spans[0]
}

func (c *collector) spans() []*tracepb.Span {
	var spans []*tracepb.Span
	for _, r := range c.taken() {
		for _, rs := range r.spans {
			for _, ss := range rs.ScopeSpans {
				spans = append(spans, ss.Spans...)
			}
		}
	}
	return spans
}

// serveGRPC serves c on a port of its own and returns its address.
func (c *collector) serveGRPC(t *testing.T, opts ...grpc.ServerOption) string {
	t.Helper()
	return c.serveGRPCAt(t, "127.0.0.1:0", opts...)
}

func (c *collector) serveGRPCAt(t *testing.T, addr string, opts ...grpc.ServerOption) string {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(opts...)
	coltracepb.RegisterTraceServiceServer(s, c)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := s.Serve(l); err != nil {
			t.Error(err)
		}
	}()
	c.stop = sync.OnceFunc(func() {
		s.Stop()
		<-stopped
	})
	t.Cleanup(c.stop)
	return l.Addr().String()
}

// serveHTTP serves c on a port of its own and returns its address.
func (c *collector) serveHTTP(t *testing.T) string {
	t.Helper()
	return c.serveHTTPAt(t, "127.0.0.1:0")
}

func (c *collector) serveHTTPAt(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: c}}
	s.Start()
	c.stop = sync.OnceFunc(func() {
		s.CloseClientConnections()
		s.Close()
	})
	t.Cleanup(c.stop)
	return l.Addr().String()
}

// unused returns an address that nothing listens on.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// handled collects what an error handler is given.
type handled struct {
	mu   sync.Mutex
	errs []error
}

func (h *handled) handle(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs = append(h.errs, err)
}

func (h *handled) option() export.Option { return export.WithErrorHandler(h.handle) }

func (h *handled) all() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]error(nil), h.errs...)
}

// record ends an OpenInference span of tp.
func record(tp trace.TracerProvider, name string, opts ...trace.SpanStartOption) {
	_, span := tp.Tracer("test").Start(context.Background(), name, append([]trace.SpanStartOption{trace.WithAttributes(kindOf(openinference.KindChain))}, opts...)...)
	span.End()
}

// withinHang returns a context that ends only if the test hangs.
func withinHang(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// attributes returns the string attributes of kvs.
func attributes(kvs []*commonpb.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, kv := range kvs {
		if s, ok := kv.Value.Value.(*commonpb.AnyValue_StringValue); ok {
			m[kv.Key] = s.StringValue
		}
	}
	return m
}
