package export

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// A queue of spans that each hold 64 MiB would show the same, but take long.
func TestSpanBytesCountsEverything(t *testing.T) {
	const size = 8000
	text := strings.Repeat("x", size)
	attributes := map[string]attribute.KeyValue{
		"text":    attribute.String("k", text),
		"bytes":   attribute.ByteSlice("k", []byte(text)),
		"floats":  attribute.Float64Slice("k", make([]float64, size/8)),
		"ints":    attribute.Int64Slice("k", make([]int64, size/8)),
		"texts":   attribute.StringSlice("k", []string{text}),
		"values":  attribute.Slice("k", attribute.StringValue(text)),
		"map":     attribute.Map("k", attribute.String("k", text)),
		"its key": attribute.Bool(text, true),
	}
	stubs := map[string]tracetest.SpanStub{
		"name":   {Name: text},
		"status": {Status: sdktrace.Status{Description: text}},
		"event":  {Events: []sdktrace.Event{{Name: text}}},
	}
	for name, kv := range attributes {
		kvs := []attribute.KeyValue{kv}
		stubs["attribute: "+name] = tracetest.SpanStub{Attributes: kvs}
		stubs["event's attribute: "+name] = tracetest.SpanStub{Events: []sdktrace.Event{{Attributes: kvs}}}
		stubs["link's attribute: "+name] = tracetest.SpanStub{Links: []sdktrace.Link{{Attributes: kvs}}}
	}
	for name, stub := range stubs {
		if got := spanBytes(stub.Snapshot()); got < size || got > size+500 {
			t.Errorf("%s: got %d bytes, want a little over %d", name, got, size)
		}
	}
}
