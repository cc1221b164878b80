package interop_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// newOpenAI returns the official client of OpenAI.
func newOpenAI(baseURL string, httpClient *http.Client) openai.Client {
	return openai.NewClient(option.WithBaseURL(baseURL), option.WithAPIKey("sk-mocks"), option.WithHTTPClient(httpClient))
}

func openAIChat() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(question)},
	}
}

func openAITools(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	client := newOpenAI(baseURL, httpClient)
	params := openAIChat()
	params.Messages = append([]openai.ChatCompletionMessageParamUnion{openai.SystemMessage(system)}, params.Messages...)
	params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: tool})}
	first, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		return nil, err
	}
	message := first.Choices[0].Message
	params.Messages = append(params.Messages, message.ToParam(), openai.ToolMessage(weather, message.ToolCalls[0].ID))
	second, err := client.Chat.Completions.New(ctx, params)
	return []*openai.ChatCompletion{first, second}, err
}

func openAIStream(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	client := newOpenAI(baseURL, httpClient)
	params := openAIChat()
	params.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := client.Chat.Completions.NewStreaming(ctx, params)
	defer stream.Close()
	var chunks []openai.ChatCompletionChunk
	for stream.Next() {
		chunks = append(chunks, stream.Current())
	}
	return chunks, stream.Err()
}

func openAIEmbed(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	client := newOpenAI(baseURL, httpClient)
	return client.Embeddings.New(ctx, openai.EmbeddingNewParams{
		Model: "text-embedding-3-small",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"rain", "wind"}},
	})
}

func openAIAsk(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	client := newOpenAI(baseURL, httpClient)
	return client.Chat.Completions.New(ctx, openAIChat())
}

func responseParams() responses.ResponseNewParams {
	return responses.ResponseNewParams{
		Model:        model,
		Instructions: openai.String(system),
		Input:        responses.ResponseNewParamsInputUnion{OfString: openai.String(question)},
		Tools:        []responses.ToolUnionParam{responses.ToolParamOfFunction(tool, nil, false)},
	}
}

func TestOpenAIResponses(t *testing.T) {
	programs := map[string]program{
		"plain": func(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
			client := newOpenAI(baseURL, httpClient)
			return client.Responses.New(ctx, responseParams())
		},
		"stream": func(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
			client := newOpenAI(baseURL, httpClient)
			stream := client.Responses.NewStreaming(ctx, responseParams())
			defer stream.Close()
			var events []responses.ResponseStreamEventUnion
			for stream.Next() {
				events = append(events, stream.Current())
			}
			return events, stream.Err()
		},
	}
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			span := trace(t, program, mocks.Response(answer))[0]
			wantSpan(t, span, "Response", map[attribute.Key]string{
				openinference.LLMModelNameKey:                                   model,
				openinference.InputValueKey:                                     question,
				openinference.OutputValueKey:                                    answer,
				"llm.input_messages.0.message.role":                             "system",
				"llm.input_messages.0.message.content":                          system,
				"llm.input_messages.1.message.content":                          question,
				"llm.output_messages.0.message.role":                            "assistant",
				"llm.output_messages.0.message.contents.0.message_content.text": answer,
				openinference.LLMTokenCountPromptKey:                            "5",
				openinference.LLMTokenCountCompletionKey:                        "3",
				openinference.LLMTokenCountTotalKey:                             "8",
			})
			wantTool(t, span)
			span = trace(t, program, mocks.ResponseToolCall(tool, city))[0]
			wantSpan(t, span, "Response", map[attribute.Key]string{
				openinference.OutputValueKey:                        tool + "(" + city + ")",
				call("llm.output_messages.0", "function.name"):      tool,
				call("llm.output_messages.0", "function.arguments"): city,
			})
		})
	}
}

// overloaded asks to come back at once.
func overloaded(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After-Ms", "1")
	mocks.Error(http.StatusServiceUnavailable, "overloaded")(w, r)
}

// TestOpenAIRetries: a span for each attempt, and from the second on its number.
func TestOpenAIRetries(t *testing.T) {
	spans := trace(t, openAIAsk, overloaded, overloaded, mocks.Chat(answer))
	for i, want := range []string{"", "1", "2"} {
		if got := attr(spans[i], "http.request.resend_count"); got != want {
			t.Errorf("attempt %d: got http.request.resend_count %q, want %q", i, got, want)
		}
		if got := attr(spans[i], openinference.InputValueKey); got != question {
			t.Errorf("attempt %d: got input %q, want %q", i, got, question)
		}
	}
	for _, span := range spans[:2] {
		if got := span.Status(); got.Code != codes.Error {
			t.Errorf("got status %v, want Error", got)
		}
	}
	wantSpan(t, spans[2], "ChatCompletion", map[attribute.Key]string{openinference.OutputValueKey: answer})
}

func TestOpenAIRetriesInATurn(t *testing.T) {
	srv := mocks.NewServer(overloaded, mocks.Chat(answer))
	t.Cleanup(srv.Close)
	r, provider := newRecorder()
	ask := func(ctx context.Context, _ string) (any, error) {
		return openAIAsk(ctx, srv.URL+"/v1", &http.Client{Transport: openinference.NewTransport(nil, provider)})
	}
	if _, err := openinference.Turn(t.Context(), openinference.NewTracer(provider), "turn", question, ask); err != nil {
		t.Fatal(err)
	}
	spans := r.Ended()
	if len(spans) != 3 {
		t.Fatalf("got %d spans, want two attempts and the turn", len(spans))
	}
	for _, attempt := range spans[:2] {
		if got, want := attempt.Parent(), spans[2].SpanContext(); !got.Equal(want) {
			t.Errorf("got an attempt below %v, want below the turn, %v", got, want)
		}
	}
}

// TestOpenAIReader sends a body that the client's GetBody does not copy: it hands out the
// same reader again.
func TestOpenAIReader(t *testing.T) {
	post := func(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
		client := newOpenAI(baseURL, httpClient)
		var reply openai.ChatCompletion
		err := client.Post(ctx, "chat/completions", bytes.NewReader([]byte(`{"model":"m","messages":[{"role":"user","content":"once more"}]}`)), &reply)
		return reply, err
	}
	span := trace(t, post, mocks.Chat(answer))[0]
	wantSpan(t, span, "ChatCompletion", map[attribute.Key]string{openinference.InputValueKey: "once more"})
}
