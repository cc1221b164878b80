package interop_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// What every client asks, and what it is answered.
const (
	model    = "gpt-4o-mini"
	system   = "Be brief."
	question = "How is <b>Oslo</b>?"
	tool     = "get_weather"
	city     = `{"city":"Oslo"}`
	weather  = "cloudy, 7 °C"
	answer   = "Cloudy, 7 °C."
)

// program does something with a client that sends its requests to baseURL through
// httpClient, and returns all that the client gave it.
type program func(ctx context.Context, baseURL string, httpClient *http.Client) (any, error)

// chatClients are the programs of each client that has chat completions.
var chatClients = map[string]struct {
	tools  program // asks with a tool, answers the call of it and asks again
	stream program
}{
	"openai-go":   {openAITools, openAIStream},
	"langchaingo": {langChainTools, langChainStream},
	"eino":        {einoTools, einoStream},
}

func TestToolCall(t *testing.T) {
	for name, client := range chatClients {
		t.Run(name, func(t *testing.T) {
			spans := trace(t, client.tools, mocks.ToolCall(tool, city), mocks.Chat(answer))
			wantSpan(t, spans[0], "ChatCompletion", map[attribute.Key]string{
				openinference.LLMSystemKey:                          openinference.SystemOpenAI,
				openinference.LLMModelNameKey:                       model,
				openinference.InputValueKey:                         question,
				"llm.input_messages.0.message.role":                 "system",
				"llm.input_messages.0.message.content":              system,
				"llm.input_messages.1.message.role":                 "user",
				"llm.input_messages.1.message.content":              question,
				openinference.LLMTokenCountPromptKey:                "5",
				openinference.LLMTokenCountCompletionKey:            "2",
				openinference.LLMTokenCountTotalKey:                 "7",
				openinference.LLMFinishReasonKey:                    "tool_calls",
				openinference.OutputValueKey:                        tool + "(" + city + ")",
				call("llm.output_messages.0", "function.name"):      tool,
				call("llm.output_messages.0", "function.arguments"): city,
			})
			wantTool(t, spans[0])
			id := attr(spans[0], call("llm.output_messages.0", "id"))
			wantSpan(t, spans[1], "ChatCompletion", map[attribute.Key]string{
				openinference.LLMModelNameKey:                 model,
				openinference.InputValueKey:                   question,
				call("llm.input_messages.2", "id"):            id,
				call("llm.input_messages.2", "function.name"): tool,
				"llm.input_messages.3.message.role":           "tool",
				"llm.input_messages.3.message.content":        weather,
				"llm.input_messages.3.message.tool_call_id":   id,
				openinference.LLMFinishReasonKey:              "stop",
				openinference.OutputValueKey:                  answer,
				"llm.output_messages.0.message.role":          "assistant",
				"llm.output_messages.0.message.content":       answer,
				openinference.LLMTokenCountCompletionKey:      "3",
			})
		})
	}
}

// call returns the key of a part of the only tool call of a message.
func call(message, part string) attribute.Key {
	return attribute.Key(message + ".message.tool_calls.0.tool_call." + part)
}

func TestStream(t *testing.T) {
	for name, client := range chatClients {
		t.Run(name, func(t *testing.T) {
			spans := trace(t, client.stream, mocks.ChatStream("Cloudy", ", ", "7 °C."))
			wantSpan(t, spans[0], "ChatCompletion", map[attribute.Key]string{
				openinference.LLMModelNameKey:            model,
				openinference.InputValueKey:              question,
				"llm.input_messages.0.message.content":   question,
				openinference.OutputValueKey:             answer,
				"llm.output_messages.0.message.content":  answer,
				openinference.LLMFinishReasonKey:         "stop",
				openinference.LLMTokenCountPromptKey:     "3",
				openinference.LLMTokenCountCompletionKey: "3",
				openinference.LLMTokenCountTotalKey:      "6",
			})
			if events := spans[0].Events(); len(events) != 1 || events[0].Name != "First Token Stream Event" {
				t.Errorf("got events %v, want the first token's", events)
			}
		})
	}
}

func TestError(t *testing.T) {
	for name, client := range chatClients {
		t.Run(name, func(t *testing.T) {
			for _, program := range []program{client.tools, client.stream} {
				span := trace(t, program, mocks.Error(http.StatusUnauthorized, "Incorrect API key provided"))[0]
				const want = "error, status code: 401, status: 401 Unauthorized, message: Incorrect API key provided"
				if got := span.Status(); got.Code != codes.Error || got.Description != want {
					t.Errorf("got status %v, want Error with %q", got, want)
				}
			}
		})
	}
}

func TestEmbeddings(t *testing.T) {
	for name, program := range map[string]program{"openai-go": openAIEmbed, "langchaingo": langChainEmbed} {
		t.Run(name, func(t *testing.T) {
			spans := trace(t, program, mocks.Embedding(0.25, -0.5))
			wantSpan(t, spans[0], "CreateEmbeddings", map[attribute.Key]string{
				openinference.EmbeddingModelNameKey:       "text-embedding-3-small",
				"embedding.embeddings.0.embedding.text":   "rain",
				"embedding.embeddings.0.embedding.vector": "[0.25,-0.5]",
				"embedding.embeddings.1.embedding.text":   "wind",
				openinference.LLMTokenCountPromptKey:      "2",
			})
		})
	}
}

// trace runs a program with a plain HTTP client and with a traced one, against a server
// with those replies. Both must send the same and get the same. It returns the spans,
// one for each reply.
func trace(t *testing.T, run program, replies ...http.HandlerFunc) []sdktrace.ReadOnlySpan {
	t.Helper()
	srv := mocks.NewServer(twice(replies)...)
	t.Cleanup(srv.Close)
	r, provider := newRecorder()
	traced := openinference.NewTransport(nil, provider)
	ctx := openinference.WithUser(openinference.WithSession(t.Context(), "chat-42"), "ada")

	want, wantErr := run(ctx, srv.URL+"/v1", &http.Client{})
	got, err := run(ctx, srv.URL+"/v1", &http.Client{Transport: traced})
	if fmt.Sprintf("%T %v", err, err) != fmt.Sprintf("%T %v", wantErr, wantErr) {
		t.Errorf("traced, the client returns error %v, else %v", err, wantErr)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("traced, the client returns %+v, else %+v", got, want)
	}
	requests := srv.Requests()
	if len(requests) != 2*len(replies) {
		t.Fatalf("got %d requests, want %d (errors %v, %v)", len(requests), 2*len(replies), wantErr, err)
	}
	if diff := cmp.Diff(requests[:len(replies)], requests[len(replies):]); diff != "" {
		t.Errorf("requests of the traced client (-plain +traced):\n%s", diff)
	}
	spans := r.Ended()
	if len(spans) != len(replies) {
		t.Fatalf("got %d spans, want %d", len(spans), len(replies))
	}
	for _, span := range spans {
		if session, user := attr(span, openinference.SessionIDKey), attr(span, openinference.UserIDKey); session != "chat-42" || user != "ada" {
			t.Errorf("got session %q and user %q, want chat-42 and ada", session, user)
		}
	}
	return spans
}

// newRecorder returns a recorder of spans, and the option that sends them there.
func newRecorder() (*tracetest.SpanRecorder, openinference.Option) {
	r := tracetest.NewSpanRecorder()
	return r, openinference.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r)))
}

// twice returns replies followed by the same ones, byte for byte: a mock makes a
// new id for each.
func twice(replies []http.HandlerFunc) []http.HandlerFunc {
	first, second := make([]http.HandlerFunc, len(replies)), make([]http.HandlerFunc, len(replies))
	for i, reply := range replies {
		var sent *httptest.ResponseRecorder
		second[i] = func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), sent.Header())
			w.WriteHeader(sent.Code)
			_, _ = w.Write(sent.Body.Bytes())
		}
		first[i] = func(w http.ResponseWriter, req *http.Request) {
			sent = httptest.NewRecorder()
			reply(sent, req)
			second[i](w, req)
		}
	}
	return slices.Concat(first, second)
}

// wantSpan checks a span of a call that succeeded.
func wantSpan(t *testing.T, span sdktrace.ReadOnlySpan, name string, want map[attribute.Key]string) {
	t.Helper()
	if span.Name() != name || span.Status().Code != codes.Ok {
		t.Errorf("got span %s with status %v, want %s, Ok", span.Name(), span.Status(), name)
	}
	for key, w := range want {
		if got := attr(span, key); got != w {
			t.Errorf("%s: got %q, want %q", key, got, w)
		}
	}
}

// wantTool checks that the definition of the tool is there, which each client sends in
// its own way.
func wantTool(t *testing.T, span sdktrace.ReadOnlySpan) {
	t.Helper()
	if got := attr(span, "llm.tools.0.tool.json_schema"); !strings.Contains(got, tool) {
		t.Errorf("llm.tools.0.tool.json_schema: got %q, want that of %s", got, tool)
	}
}

// attr returns an attribute of a span as text, "" if it is not there.
func attr(span sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, kv := range span.Attributes() {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}
