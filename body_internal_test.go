package openinference

import (
	"io"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"
)

// broken is a fold, and an extractor, with a fault.
type broken struct{ fold }

func (broken) repeat([]byte) bool { panic("a fault of ours") }

func brokenExtract(value) extract { panic("a fault of ours") }

// TestFaultsAreNotTheCallers reads replies that a fault in our own code cannot take in.
func TestFaultsAreNotTheCallers(t *testing.T) {
	old := otel.GetErrorHandler()
	t.Cleanup(func() { otel.SetErrorHandler(old) })
	const stream, plain = "data: {}\n\ndata: [DONE]\n\n", `{"choices":[]}`
	for _, reply := range []string{stream, plain} {
		var reported []error
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { reported = append(reported, err) }))
		e := *endpoints[0]
		e.stream, e.response = func() fold { return broken{} }, brokenExtract
		c := &call{endpoint: &e, span: &Span{Span: noop.Span{}, mask: newMask(TraceConfig{})}, status: 200}
		b := &body{ReadCloser: io.NopCloser(strings.NewReader(reply)), call: c}
		got, err := io.ReadAll(b)
		if string(got) != reply || err != nil {
			t.Errorf("got %q and error %v, want %q", got, err, reply)
		}
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if len(reported) != 1 || !strings.Contains(reported[0].Error(), "span is incomplete: panic: a fault of ours") {
			t.Errorf("%s: got reports %v, want one of the fault", reply, reported)
		}
		if !c.ended {
			t.Errorf("%s: the span has not ended", reply)
		}
	}
}
