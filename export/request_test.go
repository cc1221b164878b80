package export_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
)

const serverLimit = 4 << 20 // of a gRPC server, by default

// forEachTransport runs test with the endpoint of a collector over gRPC and over
// HTTP.
func forEachTransport(t *testing.T, test func(t *testing.T, c *collector, endpoint string)) {
	t.Helper()
	t.Run("gRPC", func(t *testing.T) {
		export.ClearVariables(t)
		c := new(collector)
		test(t, c, c.serveGRPC(t))
	})
	t.Run("HTTP", func(t *testing.T) {
		export.ClearVariables(t)
		c := new(collector)
		test(t, c, "http://"+c.serveHTTP(t))
	})
}

func TestLargeBatchIsSplit(t *testing.T) {
	const spans = 60
	forEachTransport(t, func(t *testing.T, c *collector, endpoint string) {
		tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint))
		if err != nil {
			t.Fatal(err)
		}
		history := strings.Repeat("x", 200_000)
		for i := range spans {
			_, span := tp.Tracer(fmt.Sprint("scope ", i%2)).Start(t.Context(), fmt.Sprint("turn ", i),
				trace.WithAttributes(kindOf(openinference.KindChain), attribute.String("input.value", history)))
			span.End()
		}
		if err := tp.Shutdown(withinHang(t)); err != nil {
			t.Fatal(err)
		}

		arrived := make(map[string]bool)
		for _, req := range c.taken() {
			if req.size > serverLimit {
				t.Errorf("got a request of %d bytes, want at most %d", req.size, serverLimit)
			}
			for _, rs := range req.spans {
				if got := attributes(rs.Resource.Attributes)["openinference.project.name"]; got != "default" {
					t.Errorf("got project %q in a part, want default", got)
				}
				for _, ss := range rs.ScopeSpans {
					for _, span := range ss.Spans {
						arrived[ss.Scope.Name+" "+span.Name] = true
					}
				}
			}
		}
		for i := range spans {
			if want := fmt.Sprintf("scope %d turn %d", i%2, i); !arrived[want] {
				t.Errorf("%s did not arrive", want)
			}
		}
	})
}

func TestLargeSpanIsCut(t *testing.T) {
	forEachTransport(t, func(t *testing.T, c *collector, endpoint string) {
		tp, err := export.Phoenix(t.Context(), export.WithEndpoint(endpoint))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat("é", 5<<19)
		record(tp, "turn", trace.WithAttributes(
			attribute.String("session.id", "chat-42"),
			attribute.String("input.value", text),
			attribute.String("output.value", strings.Repeat("o", 100_000)),
		))
		if err := tp.Shutdown(withinHang(t)); err != nil {
			t.Fatal(err)
		}
		req, span := c.only(t)
		if req.size > serverLimit || req.size < 3<<20 {
			t.Errorf("got a request of %d bytes, want less than %d and not much less", req.size, serverLimit)
		}
		got := attributes(span.Attributes)
		if got["session.id"] != "chat-42" || len(got["output.value"]) != 100_000 {
			t.Errorf("got session %q and %d bytes of output, want both as they were", got["session.id"], len(got["output.value"]))
		}
		kept, ok := strings.CutSuffix(got["input.value"], "…[truncated by openinference: 5242880 bytes]")
		if !ok || !utf8.ValidString(kept) || !strings.HasPrefix(text, kept) {
			t.Errorf("got input that ends with %q, want the marker after a whole character", got["input.value"][len(got["input.value"])-60:])
		}
	})
}

// TestLargeValuesAreCutAnywhere makes spans too large in every way there is.
func TestLargeValuesAreCutAnywhere(t *testing.T) {
	large := strings.Repeat("x", 5<<20)
	vector := make([]float64, 1536)
	for i := range vector {
		vector[i] = float64(i)
	}
	tests := []struct {
		name   string
		record func(trace.Span)
		check  func(t *testing.T, got map[string]string, dropped int)
	}{
		{
			name:   "two texts",
			record: func(s trace.Span) { s.SetAttributes(attribute.String("a", large), attribute.String("b", large)) },
			check: func(t *testing.T, got map[string]string, _ int) {
				if len(got["a"]) < 1<<20 || len(got["b"]) < 1<<20 {
					t.Errorf("got %d and %d bytes, want the loss to be shared", len(got["a"]), len(got["b"]))
				}
			},
		},
		{
			name:   "status",
			record: func(s trace.Span) { s.SetStatus(codes.Error, large) },
		},
		{
			name:   "name",
			record: func(s trace.Span) { s.SetName(large) },
		},
		{
			name: "event",
			record: func(s trace.Span) {
				s.AddEvent("e", trace.WithAttributes(attribute.String("exception.message", large)))
			},
		},
		{
			name:   "event's name",
			record: func(s trace.Span) { s.AddEvent(large) },
		},
		{
			name: "link",
			record: func(s trace.Span) {
				s.AddLink(trace.Link{SpanContext: s.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("a", large)}})
			},
		},
		{
			name: "vectors",
			record: func(s trace.Span) {
				for i := range 500 {
					s.SetAttributes(attribute.Float64Slice(fmt.Sprintf("embedding.embeddings.%d.embedding.vector", i), vector))
				}
			},
			check: func(t *testing.T, _ map[string]string, dropped int) {
				if dropped < 200 || dropped > 350 {
					t.Errorf("got %d vectors dropped, want about 290 of 500", dropped)
				}
			},
		},
		{
			name: "very many attributes",
			record: func(s trace.Span) {
				for i := range 9_000 {
					s.SetAttributes(attribute.String(fmt.Sprint("key.", i), large[:600]))
				}
			},
			check: func(t *testing.T, _ map[string]string, dropped int) {
				if dropped == 0 {
					t.Error("got no attribute dropped, want some")
				}
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			export.ClearVariables(t)
			var c collector
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)))
			if err != nil {
				t.Fatal(err)
			}
			_, span := tp.Tracer("test").Start(t.Context(), "turn", trace.WithAttributes(kindOf(openinference.KindChain), sessionID("chat-42")))
			tt.record(span)
			span.End()
			if err := tp.Shutdown(withinHang(t)); err != nil {
				t.Fatal(err)
			}
			_, arrived := c.only(t)
			got := attributes(arrived.Attributes)
			if got["session.id"] != "chat-42" {
				t.Errorf("got session %q, want chat-42", got["session.id"])
			}
			if tt.check != nil {
				tt.check(t, got, int(arrived.DroppedAttributesCount))
			}
		})
	}
}

func TestPartsAreSentThoughOneFails(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000") // one batch
	var requests atomic.Int32
	c := &collector{answer: func(context.Context) (*coltracepb.ExportTraceServiceResponse, error) {
		if requests.Add(1) == 2 {
			return nil, status.Error(grpccodes.InvalidArgument, "not this one")
		}
		return nil, nil
	}}
	var errs handled
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), errs.option())
	if err != nil {
		t.Fatal(err)
	}
	// Three of them fill a request, and seven are too few to be sent early.
	for range 7 {
		record(tp, "turn", trace.WithAttributes(attribute.String("input.value", strings.Repeat("x", 1_100_000))))
	}
	err = tp.Shutdown(withinHang(t))
	wantError(t, err, "3 spans lost", "not this one")
	if got := len(errs.all()); got != 1 {
		t.Errorf("got %d errors handled, want 1", got)
	}
	if got := status.Code(errors.Unwrap(errs.all()[0])); got != grpccodes.InvalidArgument {
		t.Errorf("got code %v, want that of the server", got)
	}
	if got := len(c.spans()); got != 4 {
		t.Errorf("got %d spans, want 4", got)
	}
}

func TestErrorOfAllPartsIsSaidOnce(t *testing.T) {
	export.ClearVariables(t)
	c := &collector{answer: answerWith(grpccodes.Internal)}
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), new(handled).option())
	if err != nil {
		t.Fatal(err)
	}
	for range 7 {
		record(tp, "turn", trace.WithAttributes(attribute.String("input.value", strings.Repeat("x", 1_100_000))))
	}
	err = tp.Shutdown(withinHang(t))
	wantError(t, err, "7 spans lost")
	if got := strings.Count(err.Error(), "not with"); got != 1 {
		t.Errorf("got the same text %d times, want once: %v", got, err)
	}
}

// TestSpanThatCannotBeCut has nothing large in it, but too much of it.
func TestSpanThatCannotBeCut(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "10000")
	var c collector
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), new(handled).option())
	if err != nil {
		t.Fatal(err)
	}
	_, span := tp.Tracer("test").Start(t.Context(), "turn", trace.WithAttributes(kindOf(openinference.KindChain)))
	for range 5_000 {
		span.AddEvent(strings.Repeat("x", 1000))
	}
	span.End()
	wantError(t, tp.Shutdown(withinHang(t)), "refused the size", "1 span lost")
}

// TestBareSpan hands a span to the processor that no provider made.
func TestBareSpan(t *testing.T) {
	export.ClearVariables(t)
	var c collector
	processor, err := export.PhoenixProcessor(t.Context(), export.WithEndpoint(c.serveGRPC(t)))
	if err != nil {
		t.Fatal(err)
	}
	processor.OnEnd(tracetest.SpanStub{
		Name:        "turn",
		Attributes:  []attribute.KeyValue{kindOf(openinference.KindChain)},
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled}),
	}.Snapshot())
	if err := processor.Shutdown(withinHang(t)); err != nil {
		t.Fatal(err)
	}
	req, _ := c.only(t)
	if got := attributes(req.spans[0].Resource.Attributes)["openinference.project.name"]; got != "default" {
		t.Errorf("got project %q, want default", got)
	}
}

func TestInvalidUTF8IsMended(t *testing.T) {
	const bad, mended = "a\xffb", "a\uFFFDb"
	forEachTransport(t, func(t *testing.T, c *collector, endpoint string) {
		processor, err := export.PhoenixProcessor(t.Context(), export.WithEndpoint(endpoint), export.WithProject(bad))
		if err != nil {
			t.Fatal(err)
		}
		tp := sdktrace.NewTracerProvider(
			sdktrace.WithSpanProcessor(processor),
			sdktrace.WithResource(resource.NewWithAttributes(bad, attribute.String(bad, bad))),
		)
		everywhere := trace.WithAttributes(
			attribute.String(bad, bad),
			attribute.StringSlice("list", []string{"good", bad}),
			attribute.Slice("values", attribute.StringValue(bad)),
			attribute.Map("map", attribute.String(bad, bad)),
		)
		tracer := tp.Tracer(bad, trace.WithInstrumentationVersion(bad), trace.WithSchemaURL(bad),
			trace.WithInstrumentationAttributes(attribute.String(bad, bad)))
		_, span := tracer.Start(t.Context(), bad, everywhere, trace.WithAttributes(kindOf(openinference.KindChain)))
		span.AddEvent(bad, everywhere)
		span.AddLink(trace.Link{SpanContext: span.SpanContext(), Attributes: []attribute.KeyValue{attribute.String(bad, bad)}})
		span.SetStatus(codes.Error, bad)
		span.End()
		if err := tp.Shutdown(withinHang(t)); err != nil {
			t.Fatal(err)
		}

		req, got := c.only(t)
		rs := req.spans[0]
		ss := rs.ScopeSpans[0]
		for _, tt := range []struct{ what, got string }{
			{"project", attributes(rs.Resource.Attributes)["openinference.project.name"]},
			{"resource", attributes(rs.Resource.Attributes)[mended]},
			{"resource's schema", rs.SchemaUrl},
			{"scope", ss.Scope.Name},
			{"scope's version", ss.Scope.Version},
			{"scope's schema", ss.SchemaUrl},
			{"scope's attribute", attributes(ss.Scope.Attributes)[mended]},
			{"name", got.Name},
			{"status", got.Status.Message},
			{"attribute", attributes(got.Attributes)[mended]},
			{"element", value(t, got.Attributes, "list").GetArrayValue().GetValues()[1].GetStringValue()},
			{"value", value(t, got.Attributes, "values").GetArrayValue().GetValues()[0].GetStringValue()},
			{"map", attributes(value(t, got.Attributes, "map").GetKvlistValue().GetValues())[mended]},
			{"event", got.Events[0].Name},
			{"event's attribute", attributes(got.Events[0].Attributes)[mended]},
			{"link's attribute", attributes(got.Links[0].Attributes)[mended]},
		} {
			if tt.got != mended {
				t.Errorf("%s: got %q, want %q", tt.what, tt.got, mended)
			}
		}
	})
}

func value(t *testing.T, kvs []*commonpb.KeyValue, key string) *commonpb.AnyValue {
	t.Helper()
	for _, kv := range kvs {
		if kv.Key == key {
			return kv.Value
		}
	}
	t.Fatalf("no attribute %s", key)
	return nil
}
