//go:build e2e

package e2e_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

// A request of the benchmarks is what package export sends of 34 sessions, each of
// five turns, each with two calls.
const (
	sessionsPerRequest = 34
	turnsPerSession    = 5
	spansPerRequest    = sessionsPerRequest * turnsPerSession * 3
)

// BenchmarkCollector sends to a Collector with the configuration of deploy and waits
// until it has handed all spans on.
func BenchmarkCollector(b *testing.B) {
	arrived := new(sink)
	c := startCollector(b, []string{"PHOENIX_ENDPOINT=" + arrived.serve(b), "PHOENIX_INSECURE=true"})
	replay(b, c.grpc, b.Name(), func() int {
		arrived.mu.Lock()
		defer arrived.mu.Unlock()
		return arrived.spans
	})
}

// BenchmarkPhoenix sends to Phoenix and waits until all spans are in its database.
func BenchmarkPhoenix(b *testing.B) {
	project := b.Name() + "-" + rand.Text()
	query := fmt.Sprintf(`{"query": "{ getProjectByName(name: \"%s\") { recordCount } }"}`, project)
	replay(b, server.grpc, project, func() int {
		var reply struct {
			Data struct{ GetProjectByName struct{ RecordCount int } }
		}
		server.call(b, http.MethodPost, "/graphql", []byte(query), &reply)
		return reply.Data.GetProjectByName.RecordCount
	})
}

// replay sends a recorded request b.N times, as new sessions each time, until
// arrived counts all of their spans.
func replay(b *testing.B, endpoint, project string, arrived func() int) {
	req := record(b, project)
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	client := coltracepb.NewTraceServiceClient(conn)
	b.ResetTimer()
	for i := range b.N {
		renumber(req, uint32(i))
		if _, err := client.Export(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
	spans := float64(b.N * spansPerRequest)
	b.ReportMetric(spans/b.Elapsed().Seconds(), "accepted/s")
	for arrived() < b.N*spansPerRequest {
		time.Sleep(50 * time.Millisecond)
	}
	b.ReportMetric(spans/b.Elapsed().Seconds(), "arrived/s")
	b.ReportMetric(float64(proto.Size(req))/spansPerRequest, "B/span")
}

// record has the conversations of one request and returns it.
func record(b *testing.B, project string) *coltracepb.ExportTraceServiceRequest {
	b.Helper()
	recorder := &sink{keep: true}
	tp, err := export.Phoenix(b.Context(), export.WithEndpoint(recorder.serve(b)), export.WithProject(project),
		export.WithErrorHandler(func(err error) { b.Error(err) }))
	if err != nil {
		b.Fatal(err)
	}
	model := mocks.NewServer(mocks.Chat("It is cloudy, and seven degrees, with some rain in the evening. Take a coat."))
	defer model.Close()
	client := openinference.NewClientWithConfig(model.Config(), openinference.WithTracerProvider(tp))
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	answer := func(ctx context.Context, question string) (answer string, err error) {
		for range 2 {
			resp, err := client.CreateChatCompletion(ctx, ask(question))
			if err != nil {
				return "", err
			}
			answer = resp.Choices[0].Message.Content
		}
		return answer, nil
	}
	for range sessionsPerRequest {
		ctx := openinference.WithUser(openinference.WithSession(b.Context(), rand.Text()), "ada")
		for range turnsPerSession {
			if _, err := openinference.Turn(ctx, tracer, "turn", "How is the weather in Oslo, and do I need a coat?", answer); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := tp.Shutdown(b.Context()); err != nil {
		b.Fatal(err)
	}
	if recorder.spans != spansPerRequest {
		b.Fatalf("recorded %d spans, want %d", recorder.spans, spansPerRequest)
	}
	return &recorder.kept
}

// renumber makes other sessions, traces and spans of those in req.
func renumber(req *coltracepb.ExportTraceServiceRequest, n uint32) {
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				for _, id := range [][]byte{s.TraceId, s.SpanId, s.ParentSpanId} {
					if len(id) > 0 {
						binary.BigEndian.PutUint32(id, n)
					}
				}
				for _, a := range s.Attributes {
					if a.Key == string(openinference.SessionIDKey) {
						id, _, _ := strings.Cut(a.Value.GetStringValue(), "-")
						a.Value.GetValue().(*commonpb.AnyValue_StringValue).StringValue = fmt.Sprintf("%s-%d", id, n)
					}
				}
			}
		}
	}
}

// sink is an OTLP server that counts spans.
type sink struct {
	coltracepb.UnimplementedTraceServiceServer
	keep bool

	mu    sync.Mutex
	spans int
	kept  coltracepb.ExportTraceServiceRequest
}

// serve starts the server and returns its host:port.
func (s *sink) serve(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	coltracepb.RegisterTraceServiceServer(server, s)
	go server.Serve(l)
	b.Cleanup(server.Stop)
	return l.Addr().String()
}

// Export implements [coltracepb.TraceServiceServer].
func (s *sink) Export(_ context.Context, req *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			s.spans += len(ss.Spans)
		}
	}
	if s.keep {
		s.kept.ResourceSpans = append(s.kept.ResourceSpans, req.ResourceSpans...)
	}
	return &coltracepb.ExportTraceServiceResponse{}, nil
}
