package openinference_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

func TestChatCompletion(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("Cloudy, 7 °C."))
	ctx := openinference.WithUser(openinference.WithSession(context.Background(), "chat-42"), "ada")
	ask(t, ctx, client, "Is <b>it</b> raining in Oslo & Bergen?")

	span := r.only(t)
	if span.Name() != "ChatCompletion" || span.SpanKind() != trace.SpanKindInternal {
		t.Errorf("got span %q of kind %v, want ChatCompletion, internal", span.Name(), span.SpanKind())
	}
	if got := span.Status().Code; got != codes.Ok {
		t.Errorf("got status %v, want Ok", got)
	}
	if got := span.InstrumentationScope(); got.Name != "github.com/go-openinference/openinference" || got.Version == "" {
		t.Errorf("got scope %v, want the module path and a version", got)
	}
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.SessionIDKey:               "chat-42",
		openinference.UserIDKey:                  "ada",
		openinference.OpenInferenceSpanKindKey:   "LLM",
		openinference.LLMSystemKey:               "openai",
		openinference.LLMProviderKey:             "", // localhost is nobody's
		openinference.LLMModelNameKey:            openai.GPT4oMini,
		openinference.InputValueKey:              "Is <b>it</b> raining in Oslo & Bergen?",
		openinference.InputMIMETypeKey:           "text/plain",
		openinference.OutputValueKey:             "Cloudy, 7 °C.",
		openinference.LLMFinishReasonKey:         "stop",
		"llm.input_messages.0.message.role":      "user",
		"llm.input_messages.0.message.content":   "Is <b>it</b> raining in Oslo & Bergen?",
		"llm.output_messages.0.message.content":  "Cloudy, 7 °C.",
		openinference.LLMInvocationParametersKey: `{"model": "gpt-4o-mini", "stream": false}`,
	})
}

// TestImportantAttributesComeFirst has more messages than OpenTelemetry keeps
// attributes by default.
func TestImportantAttributesComeFirst(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("42"))
	req := chatRequest()
	for i := range 200 {
		req.Messages = append(req.Messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: fmt.Sprint("question ", i)})
	}
	ctx := openinference.WithUser(openinference.WithSession(context.Background(), "long"), "ada")
	if _, err := client.CreateChatCompletion(ctx, req); err != nil {
		t.Fatal(err)
	}
	span := r.only(t)
	if span.DroppedAttributes() == 0 {
		t.Fatal("no attribute was dropped: the test tests nothing")
	}
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.SessionIDKey:              "long",
		openinference.UserIDKey:                 "ada",
		openinference.LLMModelNameKey:           openai.GPT4oMini,
		openinference.InputValueKey:             "question 199",
		openinference.OutputValueKey:            "42",
		openinference.LLMTokenCountPromptKey:    "400",
		"llm.output_messages.0.message.content": "42",
	})
}

func TestStreamIsUntouched(t *testing.T) {
	r := newRecorder()
	client, srv := newClient(t, r, nil, mocks.ChatStream("Clou", "dy", "."))
	ctx := openinference.WithSession(context.Background(), "s")
	stream, err := client.CreateChatCompletionStream(ctx, chatRequest("Oslo?"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, chunk.Choices[0].Delta.Content)
	}
	if diff := cmp.Diff([]string{"", "Clou", "dy", ".", ""}, got); diff != "" {
		t.Errorf("deltas (-want +got):\n%s", diff)
	}
	if stream.Header().Get("x-ratelimit-limit-requests") == "" {
		t.Error("the rate limit headers are gone")
	}
	// The stream has not been closed: [DONE] ends the span.
	span := r.only(t)
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.OutputValueKey:            "Cloudy.",
		openinference.LLMFinishReasonKey:        "stop",
		openinference.LLMTokenCountTotalKey:     "",
		"llm.output_messages.0.message.content": "Cloudy.",
	})
	if len(span.Events()) != 1 || span.Events()[0].Name != "First Token Stream Event" {
		t.Errorf("got events %v, want the first token's", span.Events())
	}
	if body := string(srv.Requests()[0].Body); strings.Contains(body, "stream_options") {
		t.Errorf("the request was changed: %s", body)
	}
}

func TestStreamOfToolCalls(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.ToolCall("get_weather", `{"city":"Oslo"}`))
	stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest("Oslo?"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for err == nil {
		_, err = stream.Recv()
	}
	wantAttrs(t, r.only(t), map[attribute.Key]string{
		openinference.OutputValueKey:                                              `get_weather({"city":"Oslo"})`,
		"llm.output_messages.0.message.tool_calls.0.tool_call.function.name":      "get_weather",
		"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": `{"city":"Oslo"}`,
	})
}

func TestIOFormat(t *testing.T) {
	tests := []struct {
		name   string
		format openinference.IOFormat
		inside bool
		mime   string
	}{
		{"auto alone", openinference.IOAuto, false, openinference.MIMETypeText},
		{"auto inside a turn", openinference.IOAuto, true, openinference.MIMETypeJSON},
		{"JSON alone", openinference.IOJSON, false, openinference.MIMETypeJSON},
		{"text inside a turn", openinference.IOText, true, openinference.MIMETypeText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder()
			client, _ := newClient(t, r, []openinference.Option{openinference.WithIOFormat(tt.format)}, mocks.Chat("yes"))
			ctx := context.Background()
			if tt.inside {
				tracer := openinference.NewTracer(openinference.WithTracerProvider(r.provider))
				var turn *openinference.Span
				ctx, turn = tracer.Start(ctx, "turn", openinference.KindChain)
				defer turn.End()
			}
			ask(t, ctx, client, "no?")
			span := r.only(t)
			wantAttrs(t, span, map[attribute.Key]string{
				openinference.InputMIMETypeKey:  tt.mime,
				openinference.OutputMIMETypeKey: tt.mime,
			})
			isJSON := json.Valid([]byte(attr(span, openinference.InputValueKey))) && json.Valid([]byte(attr(span, openinference.OutputValueKey)))
			if isJSON != (tt.mime == openinference.MIMETypeJSON) {
				t.Errorf("got %q and %q, want %s", attr(span, openinference.InputValueKey), attr(span, openinference.OutputValueKey), tt.mime)
			}
		})
	}
}

func TestErrorIsUnchanged(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Error(http.StatusTooManyRequests, "Rate limit reached"))
	_, err := client.CreateChatCompletion(context.Background(), chatRequest("hi"))
	var apiErr *openai.APIError
	if !errors.As(err, &apiErr) || apiErr.HTTPStatusCode != http.StatusTooManyRequests {
		t.Fatalf("got %v, want the API's error", err)
	}
	span := r.only(t)
	if got := span.Status(); got.Code != codes.Error || got.Description != err.Error() {
		t.Errorf("got status %v, want Error with %q", got, err)
	}
	wantException(t, span, "*openai.APIError", err.Error())
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.LLMModelNameKey: openai.GPT4oMini,
		openinference.InputValueKey:   "hi",
		openinference.OutputValueKey:  "",
	})
}

func wantException(t *testing.T, span sdktrace.ReadOnlySpan, kind, message string) {
	t.Helper()
	events := span.Events()
	if len(events) == 0 || events[len(events)-1].Name != "exception" {
		t.Fatalf("got events %v, want an exception", events)
	}
	attrs := events[len(events)-1].Attributes
	if got, _ := lookup(attrs, "exception.type"); got.String() != kind {
		t.Errorf("got exception.type %q, want %q", got.String(), kind)
	}
	if got, _ := lookup(attrs, "exception.message"); got.String() != message {
		t.Errorf("got exception.message %q, want %q", got.String(), message)
	}
}

// TestFailuresAreDescribedAsTheClientSeesThem compares the span's error with
// go-openai's own.
func TestFailuresAreDescribedAsTheClientSeesThem(t *testing.T) {
	tests := []struct {
		name  string
		reply http.HandlerFunc
		kind  string
	}{
		{"API error", mocks.Error(http.StatusUnauthorized, "Incorrect API key provided"), "*openai.APIError"},
		{"not JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, "<html>bad gateway</html>")
		}, "*openai.RequestError"},
		{"empty body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "*openai.RequestError"},
		{"success that is not JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>hello</html>") }, "*json.SyntaxError"},
		{"success without a body", func(http.ResponseWriter, *http.Request) {}, "*errors.errorString"},
		{"cut off", mocks.HangUp(mocks.Chat("a long answer"), 20), "*errors.errorString"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder()
			client, _ := newClient(t, r, nil, tt.reply)
			_, err := client.CreateChatCompletion(context.Background(), chatRequest("hi"))
			if err == nil {
				t.Fatal("the call succeeded")
			}
			span := r.only(t)
			if got := span.Status(); got.Code != codes.Error || got.Description != err.Error() {
				t.Errorf("got status %v, want Error with %q", got, err)
			}
			wantException(t, span, tt.kind, err.Error())
		})
	}
}

func TestStreamFailures(t *testing.T) {
	tests := []struct {
		name   string
		reply  http.HandlerFunc
		output string
		kind   string
	}{
		{"error event", mocks.StreamError("overloaded", "Clou"), "Clou", "*openai.APIError"},
		{"refused", mocks.Error(http.StatusUnauthorized, "no key"), "", "*openai.APIError"},
		{"not JSON", mocks.Stream(`{"choices":[{"index":0,"delta":{"content":"Clou"}}]}`, `{"choices":`, "[DONE]"), "Clou", "*json.SyntaxError"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder()
			client, _ := newClient(t, r, nil, tt.reply)
			stream, err := client.CreateChatCompletionStream(context.Background(), chatRequest("hi"))
			if err == nil {
				defer stream.Close()
			}
			for err == nil {
				_, err = stream.Recv()
			}
			span := r.only(t)
			if got := span.Status(); got.Code != codes.Error || got.Description != err.Error() {
				t.Errorf("got status %v, want Error with %q", got, err)
			}
			wantException(t, span, tt.kind, err.Error())
			wantAttrs(t, span, map[attribute.Key]string{openinference.OutputValueKey: tt.output})
		})
	}
}

func TestCancelledCall(t *testing.T) {
	r := newRecorder()
	ctx, cancel := context.WithCancel(context.Background())
	client, _ := newClient(t, r, nil, func(_ http.ResponseWriter, req *http.Request) {
		cancel()
		<-req.Context().Done()
	})
	_, err := client.CreateChatCompletion(ctx, chatRequest("hi"))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	if got := r.only(t).Status(); got.Code != codes.Error || got.Description != err.Error() {
		t.Errorf("got status %v, want Error with %q", got, err)
	}
}

// TestCancelAfterTheAnswer is what `defer cancel()` does.
func TestCancelAfterTheAnswer(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("yes"))
	for range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		ask(t, ctx, client, "hi")
		cancel()
	}
	for _, span := range r.await(t, 100) {
		if got := span.Status(); got.Code != codes.Ok {
			t.Fatalf("got status %v, want Ok", got)
		}
	}
}

func TestNoServer(t *testing.T) {
	r := newRecorder()
	srv := mocks.NewServer(mocks.Chat("never"))
	srv.Close()
	client := openinference.NewClientWithConfig(srv.Config(), openinference.WithTracerProvider(r.provider))
	_, err := client.CreateChatCompletion(context.Background(), chatRequest("hi"))
	if err == nil {
		t.Fatal("the call succeeded")
	}
	span := r.only(t)
	if got := span.Status(); got.Code != codes.Error || got.Description != err.Error() {
		t.Errorf("got status %v, want Error with %q", got, err)
	}
	wantAttrs(t, span, map[attribute.Key]string{openinference.InputValueKey: "hi"})
}

// TestRefusedBeforeSending pins that what go-openai refuses by itself has no span.
func TestRefusedBeforeSending(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("never"))
	req := chatRequest("hi")
	req.Stream = true
	if _, err := client.CreateChatCompletion(context.Background(), req); !errors.Is(err, openai.ErrChatCompletionStreamNotSupported) {
		t.Errorf("got %v, want ErrChatCompletionStreamNotSupported", err)
	}
	if n := len(r.Started()); n != 0 {
		t.Errorf("got %d spans, want none", n)
	}
}

func TestConfigIsKept(t *testing.T) {
	r := newRecorder()
	srv := mocks.NewServer(mocks.Chat("yes"))
	defer srv.Close()
	var calls atomic.Int32
	config := openai.DefaultAzureConfig("secret", srv.URL)
	config.OrgID = "org"
	config.HTTPClient = doerFunc(func(req *http.Request) (*http.Response, error) {
		calls.Add(1)
		return http.DefaultClient.Do(req)
	})
	ask(t, context.Background(), openinference.NewClientWithConfig(config, openinference.WithTracerProvider(r.provider)), "hi")
	if calls.Load() != 1 {
		t.Errorf("the user's HTTPClient was called %d times, want 1", calls.Load())
	}
	got := srv.Requests()[0]
	if !strings.HasPrefix(got.Path, "/openai/deployments/gpt-4o-mini/chat/completions") || got.Header.Get("Api-Key") != "secret" || got.Header.Get("OpenAI-Organization") != "org" {
		t.Errorf("got request %s with header %v", got.Path, got.Header)
	}
	if r.only(t).Name() != "ChatCompletion" {
		t.Errorf("got span %q, want ChatCompletion", r.only(t).Name())
	}
}

type doerFunc func(*http.Request) (*http.Response, error)

func (f doerFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestTransportUnderClientMakesOneSpan(t *testing.T) {
	r := newRecorder()
	srv := mocks.NewServer(mocks.Chat("yes"))
	defer srv.Close()
	config := srv.Config()
	config.HTTPClient = &http.Client{Transport: openinference.NewTransport(nil, openinference.WithTracerProvider(r.provider))}
	ask(t, context.Background(), openinference.NewClientWithConfig(config, openinference.WithTracerProvider(r.provider)), "hi")
	r.only(t)
}

func TestOtherRequestsPassThrough(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.JSON(http.StatusOK, `{"object":"list","data":[]}`))
	if _, err := client.ListModels(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ListAssistants(context.Background(), nil, nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Started()); n != 0 {
		t.Errorf("got %d spans, want none", n)
	}
}

func TestSuppression(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("yes"))
	ctx := openinference.WithSuppression(context.Background())
	ask(t, ctx, client, "hi")
	_, span := openinference.NewTracer(openinference.WithTracerProvider(r.provider)).Start(ctx, "step", openinference.KindTool)
	span.SetOutput("x")
	span.End()
	if n := len(r.Started()); n != 0 {
		t.Errorf("got %d spans, want none", n)
	}
}

// TestNotRecordedIsNotTouched: neither body is read, but what is below the call sees
// the decision.
func TestNotRecordedIsNotTouched(t *testing.T) {
	body := &countingBody{Reader: strings.NewReader("{}")}
	var below trace.SpanContext
	base := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		below = trace.SpanContextFromContext(req.Context())
		if req.Body != body {
			t.Error("the request has another body")
		}
		return &http.Response{StatusCode: http.StatusOK, Body: body}, nil
	})
	tests := map[string]trace.TracerProvider{
		"sampled out": sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		"no provider": noop.NewTracerProvider(),
	}
	for name, tp := range tests {
		t.Run(name, func(t *testing.T) {
			transport := openinference.NewTransport(base, openinference.WithTracerProvider(tp))
			req, err := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", body)
			if err != nil {
				t.Fatal(err)
			}
			req.GetBody = func() (io.ReadCloser, error) {
				t.Error("the request's body was read")
				return body, nil
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.Body != body || body.reads != 0 {
				t.Errorf("the body was wrapped or read (%d reads)", body.reads)
			}
			if name == "sampled out" && (!below.IsValid() || below.IsSampled()) {
				t.Errorf("got span context %v below, want a valid one that is not sampled", below)
			}
		})
	}
}

type countingBody struct {
	io.Reader
	reads int
}

func (b *countingBody) Read(p []byte) (int, error) { b.reads++; return b.Reader.Read(p) }
func (b *countingBody) Close() error               { return nil }

func TestGlobalProviderIsLookedUpAtEachCall(t *testing.T) {
	srv := mocks.NewServer(mocks.Chat("yes"))
	defer srv.Close()
	client := openinference.NewClientWithConfig(srv.Config())
	old := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(old) })
	for range 2 {
		r := newRecorder()
		otel.SetTracerProvider(r.provider)
		ask(t, context.Background(), client, "hi")
		r.only(t)
	}
}

func TestSpanIsCurrentDuringTheRequest(t *testing.T) {
	r := newRecorder()
	var during trace.SpanContext
	config := openai.DefaultConfig("")
	srv := mocks.NewServer(mocks.Chat("yes"))
	defer srv.Close()
	config.BaseURL = srv.URL
	config.HTTPClient = doerFunc(func(req *http.Request) (*http.Response, error) {
		during = trace.SpanContextFromContext(req.Context())
		return http.DefaultClient.Do(req)
	})
	ask(t, context.Background(), openinference.NewClientWithConfig(config, openinference.WithTracerProvider(r.provider)), "hi")
	if got := r.only(t).SpanContext(); !got.Equal(during) {
		t.Errorf("got %v during the request, want %v", during, got)
	}
}

func TestSamplersSeeTheSession(t *testing.T) {
	var seen []attribute.KeyValue
	r := newRecorder(sdktrace.WithSampler(samplerFunc(func(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
		seen = p.Attributes
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
	})))
	client, _ := newClient(t, r, nil, mocks.Chat("yes"))
	ask(t, openinference.WithUser(openinference.WithSession(context.Background(), "s1"), "ada"), client, "hi")
	for key, want := range map[attribute.Key]string{
		openinference.SessionIDKey:             "s1",
		openinference.UserIDKey:                "ada",
		openinference.OpenInferenceSpanKindKey: "LLM",
		openinference.LLMSystemKey:             "openai",
	} {
		if got, _ := lookup(seen, key); got.String() != want {
			t.Errorf("%s: the sampler got %q, want %q", key, got.String(), want)
		}
	}
}

type samplerFunc func(sdktrace.SamplingParameters) sdktrace.SamplingResult

func (f samplerFunc) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult { return f(p) }
func (f samplerFunc) Description() string                                                { return "test" }

// TestBodyWithoutGetBody sends a body that can be read only once.
func TestBodyWithoutGetBody(t *testing.T) {
	r := newRecorder()
	srv := mocks.NewServer(mocks.Chat("yes"))
	defer srv.Close()
	client := &http.Client{Transport: openinference.NewTransport(nil, openinference.WithTracerProvider(r.provider))}
	const sent = `{"model":"m","messages":[{"role":"user","content":"once"}]}`
	resp, err := client.Post(srv.URL+"/v1/chat/completions", "application/json", io.MultiReader(strings.NewReader(sent)))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if got := string(srv.Requests()[0].Body); got != sent {
		t.Errorf("the server got %q, want %q", got, sent)
	}
	wantAttrs(t, r.only(t), map[attribute.Key]string{openinference.InputValueKey: "once"})
}

func TestEncodedReplyIsNotParsed(t *testing.T) {
	r := newRecorder()
	base := roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Encoding": {"br"}}, Body: io.NopCloser(strings.NewReader("\x01\x02"))}, nil
	})
	transport := openinference.NewTransport(base, openinference.WithTracerProvider(r.provider))
	req, _ := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader(`{"model":"m"}`))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadAll(resp.Body)
	span := r.only(t)
	if span.Status().Code != codes.Ok {
		t.Errorf("got status %v, want Ok", span.Status())
	}
	wantAttrs(t, span, map[attribute.Key]string{openinference.OutputValueKey: "", openinference.LLMModelNameKey: "m"})
}

func TestTextIsMended(t *testing.T) {
	r := newRecorder()
	transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}"))}, nil
	}), openinference.WithTracerProvider(r.provider))
	ctx := openinference.WithSession(context.Background(), "s\xff")
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader("{\"messages\":[{\"role\":\"user\",\"content\":\"\xfe\"}]}"))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	io.ReadAll(resp.Body)
	wantAttrs(t, r.only(t), map[attribute.Key]string{
		openinference.SessionIDKey:   "s\uFFFD",
		openinference.InputValueKey:  "\uFFFD",
		openinference.OutputValueKey: "\uFFFD",
	})
}

func TestStreamUsage(t *testing.T) {
	with := []openinference.Option{openinference.WithStreamUsage()}
	contents := func(t *testing.T, client *openai.Client, req openai.ChatCompletionRequest) (deltas []string, usage bool) {
		t.Helper()
		stream, err := client.CreateChatCompletionStream(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		for {
			chunk, err := stream.Recv()
			if err == io.EOF {
				return deltas, usage
			}
			if err != nil {
				t.Fatal(err)
			}
			usage = usage || chunk.Usage != nil
			for _, c := range chunk.Choices {
				deltas = append(deltas, c.Delta.Content)
			}
			if len(chunk.Choices) == 0 && req.StreamOptions == nil {
				t.Error("the caller sees a chunk without choices")
			}
		}
	}
	t.Run("asks and hides the chunk", func(t *testing.T) {
		r := newRecorder()
		client, srv := newClient(t, r, with, mocks.ChatStream("Clou", "dy"))
		req := chatRequest("a <b>")
		deltas, usage := contents(t, client, req)
		if diff := cmp.Diff([]string{"", "Clou", "dy", ""}, deltas); diff != "" || usage {
			t.Errorf("usage seen: %v; deltas (-want +got):\n%s", usage, diff)
		}
		if got := attr(r.only(t), openinference.LLMTokenCountCompletionKey); got == "" {
			t.Error("no token count on the span")
		}
		var sent openai.ChatCompletionRequest
		if err := json.Unmarshal(srv.Requests()[0].Body, &sent); err != nil {
			t.Fatal(err)
		}
		req.Stream, req.StreamOptions = true, &openai.StreamOptions{IncludeUsage: true}
		if diff := cmp.Diff(req, sent); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
	})
	t.Run("the caller asked", func(t *testing.T) {
		r := newRecorder()
		client, _ := newClient(t, r, with, mocks.ChatStream("Clou", "dy"))
		req := chatRequest("hi")
		req.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
		if _, usage := contents(t, client, req); !usage {
			t.Error("the caller asked for usage and does not see it")
		}
	})
	t.Run("plain call", func(t *testing.T) {
		r := newRecorder()
		client, srv := newClient(t, r, with, mocks.Chat("yes"))
		ask(t, context.Background(), client, "hi")
		if body := string(srv.Requests()[0].Body); strings.Contains(body, "stream_options") {
			t.Errorf("the request was changed: %s", body)
		}
	})
	for name, test := range map[string]struct{ sent, want string }{
		"explicit false": {`{"stream":true,"stream_options":{"include_usage":false}}`, `{"stream":true,"stream_options":{"include_usage":false}}`},
		"not JSON":       {`{"stream":true,"messages":[}`, `{"stream":true,"messages":[}`},
		"unset":          {`{"stream":true,"n":1}`, `{"stream": true, "n": 1, "stream_options": {"include_usage": true}}`},
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			transport := openinference.NewTransport(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
				got, _ = io.ReadAll(req.Body)
				return nil, errors.Join(errors.New("enough"), req.Body.Close())
			}), append(with, openinference.WithTracerProvider(newRecorder().provider))...)
			body := &scripted{pieces: [][]byte{[]byte(test.sent)}, end: io.EOF}
			req, _ := http.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", body)
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(test.sent)), nil }
			if _, err := transport.RoundTrip(req); err == nil || string(got) != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
			if body.closed != 1 {
				t.Errorf("the body was closed %d times, want once", body.closed)
			}
		})
	}
}

// TestStreamUsageKeepsAllOtherBytes compares what passes the filter byte by byte, in
// pieces of any size.
func TestStreamUsageKeepsAllOtherBytes(t *testing.T) {
	const before = ": ping\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"usage\"}}]}\n\ndata: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"
	const after = "data: [DONE]\n\ntail without an end"
	reply := before + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n" + after
	for size := 1; size < len(reply); size++ {
		base := &cannedTransport{response: goldenResponse{Status: http.StatusOK, Body: reply, WireSplit: size, Headers: map[string]string{"Content-Length": fmt.Sprint(len(reply))}}}
		transport := openinference.NewTransport(base, openinference.WithStreamUsage(), openinference.WithTracerProvider(newRecorder().provider))
		req, _ := http.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", strings.NewReader(`{"stream":true}`))
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != before+after {
			t.Fatalf("in pieces of %d: got %q (%v), want %q", size, got, err, before+after)
		}
		if resp.Header.Get("Content-Length") != "" || resp.ContentLength != -1 {
			t.Fatal("the length of the response is still announced")
		}
		if !bytes.Contains(base.got, []byte("include_usage")) {
			t.Fatalf("the request does not ask for usage: %s", base.got)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCloseIdleConnections(t *testing.T) {
	closed := 0
	base := &idleCloser{RoundTripper: http.DefaultTransport, closed: &closed}
	(&http.Client{Transport: openinference.NewTransport(base)}).CloseIdleConnections()
	if closed != 1 {
		t.Errorf("the base was closed %d times, want 1", closed)
	}
}

type idleCloser struct {
	http.RoundTripper
	closed *int
}

func (c *idleCloser) CloseIdleConnections() { *c.closed++ }

func TestNilResponse(t *testing.T) {
	r := newRecorder()
	transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, nil }), openinference.WithTracerProvider(r.provider))
	req := httptest.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", nil)
	if resp, err := transport.RoundTrip(req); resp != nil || err != nil {
		t.Errorf("got %v, %v, want what the base gave", resp, err)
	}
	r.only(t)
}

// TestRetriesAreNumbered sends what openai-go sends with its attempts, the first of
// which is 0.
func TestRetriesAreNumbered(t *testing.T) {
	for count, want := range map[string]string{"": "", "0": "", "1": "1", "12": "12", "-1": "", "many": ""} {
		r := newRecorder()
		transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, nil }), openinference.WithTracerProvider(r.provider))
		req := httptest.NewRequest(http.MethodPost, "https://api.openai.com/v1/embeddings", nil)
		req.Header.Set("X-Stainless-Retry-Count", count)
		if _, err := transport.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		if got := attr(r.only(t), "http.request.resend_count"); got != want {
			t.Errorf("retry %q: got http.request.resend_count %q, want %q", count, got, want)
		}
	}
}

// TestGetBodyThatPanics must not be noticed by a client that would not have called it.
func TestGetBodyThatPanics(t *testing.T) {
	reported := handled(t)
	r := newRecorder()
	transport := openinference.NewTransport(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: req.Body}, nil
	}), openinference.WithTracerProvider(r.provider))
	req := must(http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader("{}")))
	req.GetBody = func() (io.ReadCloser, error) { panic("no body") }
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := must(io.ReadAll(resp.Body)); string(got) != "{}" {
		t.Errorf("got %q sent and answered, want {}", got)
	}
	resp.Body.Close()
	if got := r.only(t).Status().Code; got != codes.Ok {
		t.Errorf("got status %v, want Ok", got)
	}
	if errs := reported(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "span is incomplete: panic: no body") {
		t.Errorf("got reports %v, want one of the panic", errs)
	}
}

// TestGetBodyThatRewinds has a GetBody that hands out the reader of the body itself, as
// openai-go's has for a bytes.Reader.
func TestGetBodyThatRewinds(t *testing.T) {
	const want = `{"messages":[{"role":"user","content":"once more"}]}`
	r := newRecorder()
	var got []byte
	transport := openinference.NewTransport(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		got, _ = io.ReadAll(req.Body)
		return nil, nil
	}), openinference.WithTracerProvider(r.provider))
	body := strings.NewReader(want)
	req := httptest.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", body)
	req.GetBody = func() (io.ReadCloser, error) {
		_, err := body.Seek(0, io.SeekStart)
		return io.NopCloser(body), err
	}
	if _, err := transport.RoundTrip(req); err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("the server got %q, want %q", got, want)
	}
	wantAttrs(t, r.only(t), map[attribute.Key]string{openinference.InputValueKey: "once more"})
}

// TestCitations: the sources of an answer are documents of the span's output.
func TestCitations(t *testing.T) {
	const reply = `{"choices":[{"index":0,"message":{"role":"assistant","content":"06:42","annotations":[
		{"type":"url_citation","url_citation":{"url":"https://tides.example.org","title":"Tides"}},
		{"type":"odd"},
		{"type":"file_citation","file_id":"file-1","filename":"tides.pdf"}]}}]}`
	span := exchange(t, `{"messages":[{"role":"user","content":"When?"}]}`, reply)
	wantAttrs(t, span, map[attribute.Key]string{
		"output.documents.0.document.url":  "https://tides.example.org",
		"output.documents.0.document.name": "Tides",
		"output.documents.1.document.id":   "file-1",
		"output.documents.1.document.name": "tides.pdf",
	})
}
