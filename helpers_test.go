package openinference_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	openai "github.com/sashabaranov/go-openai"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// recorder keeps the spans of a test.
type recorder struct {
	*tracetest.SpanRecorder
	provider *sdktrace.TracerProvider
}

func newRecorder(opts ...sdktrace.TracerProviderOption) *recorder {
	r := tracetest.NewSpanRecorder()
	return &recorder{r, sdktrace.NewTracerProvider(append(opts, sdktrace.WithSpanProcessor(r))...)}
}

// unlimited keeps all attributes of a span.
var unlimited = func() sdktrace.TracerProviderOption {
	limits := sdktrace.NewSpanLimits()
	limits.AttributeCountLimit = -1
	return sdktrace.WithRawSpanLimits(limits)
}()

// only returns the one span that has ended.
func (r *recorder) only(t *testing.T) sdktrace.ReadOnlySpan {
	t.Helper()
	spans := r.Ended()
	if len(spans) != 1 {
		t.Fatalf("got %d spans that ended, want 1", len(spans))
	}
	return spans[0]
}

// await waits for the end of n spans: some ends have no call to wait for.
func (r *recorder) await(t *testing.T, n int) []sdktrace.ReadOnlySpan {
	t.Helper()
	for range 1000 {
		if spans := r.Ended(); len(spans) >= n {
			return spans
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("got %d spans that ended, want %d", len(r.Ended()), n)
	return nil
}

// attr returns an attribute of a span as text, "" if it is not there.
func attr(span sdktrace.ReadOnlySpan, key attribute.Key) string {
	v, ok := lookup(span.Attributes(), key)
	if !ok {
		return ""
	}
	return v.String()
}

func lookup(kvs []attribute.KeyValue, key attribute.Key) (attribute.Value, bool) {
	for _, kv := range kvs {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return attribute.Value{}, false
}

func wantAttrs(t *testing.T, span sdktrace.ReadOnlySpan, want map[attribute.Key]string) {
	t.Helper()
	for key, w := range want {
		if got := attr(span, key); got != w {
			t.Errorf("%s: got %q, want %q", key, got, w)
		}
	}
}

// newClient returns a traced client of a server with those replies.
func newClient(t *testing.T, r *recorder, opts []openinference.Option, replies ...http.HandlerFunc) (*openai.Client, *mocks.Server) {
	t.Helper()
	srv := mocks.NewServer(replies...)
	t.Cleanup(srv.Close)
	opts = append([]openinference.Option{openinference.WithTracerProvider(r.provider)}, opts...)
	return openinference.NewClientWithConfig(srv.Config(), opts...), srv
}

func chatRequest(messages ...string) openai.ChatCompletionRequest {
	req := openai.ChatCompletionRequest{Model: openai.GPT4oMini}
	for _, m := range messages {
		req.Messages = append(req.Messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: m})
	}
	return req
}

// ask makes a chat completion, which must succeed.
func ask(t *testing.T, ctx context.Context, client *openai.Client, question string) {
	t.Helper()
	if _, err := client.CreateChatCompletion(ctx, chatRequest(question)); err != nil {
		t.Fatal(err)
	}
}

// handled collects what is reported to otel.Handle during a test.
func handled(t *testing.T) func() []error {
	t.Helper()
	var mu sync.Mutex
	var errs []error
	old := otel.GetErrorHandler()
	t.Cleanup(func() { otel.SetErrorHandler(old) })
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}))
	return func() []error {
		mu.Lock()
		defer mu.Unlock()
		return errs
	}
}
