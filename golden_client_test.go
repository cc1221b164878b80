package openinference_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
)

// TestGoldenThroughClient makes the recorded chat completions that go-openai can express
// with its client: what reaches the span is the same as for the recorded bytes.
func TestGoldenThroughClient(t *testing.T) {
	const atLeast = 100 // of the 115
	n := 0
	for _, c := range goldenCases(t) {
		req, ok := c.chatRequest()
		if !ok {
			continue
		}
		n++
		t.Run(c.Name, func(t *testing.T) {
			for k, v := range c.Env {
				t.Setenv(k, v)
			}
			spans := c.runThroughClient(t, req)
			if c.Span == nil {
				if len(spans) != 0 {
					t.Errorf("got %d spans, want none", len(spans))
				}
				return
			}
			if len(spans) != 1 {
				t.Fatalf("got %d spans, want 1", len(spans))
			}
			c.compare(t, spans[0])
		})
	}
	if n < atLeast {
		t.Errorf("go-openai can express %d of the cases, want at least %d", n, atLeast)
	}
}

// chatRequest returns the case's request as go-openai has it, if that says the same. It
// changes the expectation by the "stream": false that go-openai always sends.
func (c *goldenCase) chatRequest() (req openai.ChatCompletionRequest, ok bool) {
	if c.Endpoint != "/v1/chat/completions" || c.Path == nil || c.Body == nil || json.Unmarshal(c.Request, &req) != nil {
		return req, false
	}
	base, err := url.Parse(c.BaseURL)
	if err != nil || *c.Path != base.Path+"/chat/completions" {
		return req, false
	}
	var sent, want map[string]any
	b, err := json.Marshal(req)
	if err != nil || !decode(string(b), &sent) || !decode(string(c.Request), &want) {
		return req, false
	}
	addStream(want)
	if jsonDiffer("", sent, want) != "" {
		return req, false
	}
	if c.Span != nil {
		for _, key := range []string{"input.value", "llm.invocation_parameters"} {
			var v map[string]any
			if s, ok := c.Span.Attributes[key].(string); ok && decode(s, &v) {
				addStream(v)
				c.Span.Attributes[key] = encode(v)
			}
		}
	}
	return req, true
}

func addStream(request map[string]any) {
	if request["stream"] == nil {
		request["stream"] = false
	}
}

func (c *goldenCase) runThroughClient(t *testing.T, req openai.ChatCompletionRequest) []sdktrace.ReadOnlySpan {
	t.Helper()
	limits := sdktrace.NewSpanLimits()
	limits.AttributeCountLimit = -1
	r := newRecorder(sdktrace.WithRawSpanLimits(limits))
	config := openai.DefaultConfig("key")
	config.BaseURL = c.BaseURL
	config.HTTPClient = doerFunc((&cannedTransport{response: c.Response}).RoundTrip)
	client := openinference.NewClientWithConfig(config, openinference.WithTracerProvider(r.provider), openinference.WithIOFormat(openinference.IOJSON))
	var err error
	if req.Stream {
		var stream *openai.ChatCompletionStream
		if stream, err = client.CreateChatCompletionStream(c.context(), req); err == nil {
			defer stream.Close()
		}
		for err == nil {
			_, err = stream.Recv()
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	} else {
		_, err = client.CreateChatCompletion(c.context(), req)
	}
	if failed := c.Span != nil && c.Span.StatusCode == "ERROR"; failed != (err != nil) {
		t.Errorf("got error %v from the client, want one: %v", err, failed)
	}
	return r.Ended()
}
