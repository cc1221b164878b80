//go:build !goopenai141

// go-openai has the Responses API since v1.42.

package openinference_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

func TestResponse(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Response("Cloudy, 7 °C."))
	resp, err := client.CreateResponse(t.Context(), openai.CreateResponseRequest{
		Model:              openai.GPT4oMini,
		Instructions:       "Be brief.",
		Input:              "Is it raining in Oslo & Bergen?",
		PreviousResponseID: "resp_before",
		Conversation:       openai.ResponseConversation{ID: "conv_1"},
		Prompt:             &openai.ResponsePrompt{ID: "pmpt_1"},
		Tools:              []openai.ResponseTool{openai.NewResponseFunctionTool(openai.FunctionDefinition{Name: "get_weather"})},
	})
	if err != nil {
		t.Fatal(err)
	}
	span := r.only(t)
	if span.Name() != "Response" || span.Status().Code != codes.Ok {
		t.Errorf("got span %q with status %v, want Response and Ok", span.Name(), span.Status())
	}
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.OpenInferenceSpanKindKey:   "LLM",
		openinference.LLMModelNameKey:            openai.GPT4oMini,
		openinference.InputValueKey:              "Is it raining in Oslo & Bergen?",
		openinference.InputMIMETypeKey:           "text/plain",
		openinference.OutputValueKey:             resp.GetOutputText(),
		openinference.LLMTokenCountPromptKey:     "9",
		openinference.LLMTokenCountCompletionKey: "3",
		openinference.LLMTokenCountTotalKey:      "12",
		openinference.LLMFinishReasonKey:         "completed",
		openinference.PromptIDKey:                "pmpt_1",
		"openai.previous_response_id":            "resp_before",
		"openai.conversation.id":                 "conv_1",
		"openai.response.id":                     attribute.StringValue(resp.ID).String(),
		"llm.tools.0.tool.json_schema":           `{"name":"get_weather","parameters":null,"type":"function"}`,
	})
	want := map[string]string{
		"0.message.role": "system", "0.message.content": "Be brief.",
		"1.message.role": "user", "1.message.content": "Is it raining in Oslo & Bergen?",
	}
	if diff := cmp.Diff(want, below(span, "llm.input_messages.")); diff != "" {
		t.Errorf("input messages (-want +got):\n%s", diff)
	}
	want = map[string]string{
		"0.message.role": "assistant",
		"0.message.contents.0.message_content.type": "text",
		"0.message.contents.0.message_content.text": "Cloudy, 7 °C.",
	}
	if diff := cmp.Diff(want, below(span, "llm.output_messages.")); diff != "" {
		t.Errorf("output messages (-want +got):\n%s", diff)
	}
	parameters := attr(span, openinference.LLMInvocationParametersKey)
	for _, word := range []string{"raining", "Be brief", "get_weather"} {
		if strings.Contains(parameters, word) {
			t.Errorf("got parameters %s, want them without the content", parameters)
		}
	}
}

func TestResponseStream(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Response("Hello to you."))
	stream, err := client.CreateResponseStream(t.Context(), openai.CreateResponseRequest{Model: openai.GPT4o, Input: "Say hello."})
	if err != nil {
		t.Fatal(err)
	}
	var text string
	for {
		event, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		text += event.Delta
		if event.Type == openai.ResponseStreamEventCompleted {
			break
		}
	}
	if text != "Hello to you." {
		t.Errorf("got deltas of %q", text)
	}
	// The stream is neither at its end nor closed: the last event ends the span.
	span := r.only(t)
	if got := span.Status().Code; got != codes.Ok {
		t.Errorf("got status %v, want Ok", got)
	}
	if events := span.Events(); len(events) != 1 || events[0].Name != "First Token Stream Event" {
		t.Errorf("got events %v, want one for the first token", events)
	}
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.LLMModelNameKey:                                   openai.GPT4o,
		openinference.InputValueKey:                                     "Say hello.",
		openinference.OutputValueKey:                                    "Hello to you.",
		openinference.LLMFinishReasonKey:                                "completed",
		openinference.LLMTokenCountPromptKey:                            "2",
		openinference.LLMTokenCountCompletionKey:                        "3",
		"llm.output_messages.0.message.contents.0.message_content.text": "Hello to you.",
	})
}

func TestResponseToolCallIsTheText(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.ResponseToolCall("get_weather", `{"city":"Oslo"}`))
	req := openai.CreateResponseRequest{Input: "How is Oslo?"}
	if _, err := client.CreateResponse(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	stream, err := client.CreateResponseStream(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for err == nil {
		_, err = stream.Recv()
	}
	for _, span := range r.await(t, 2) {
		wantAttrs(t, span, map[attribute.Key]string{
			openinference.OutputValueKey:                                              `get_weather({"city":"Oslo"})`,
			openinference.OutputMIMETypeKey:                                           "text/plain",
			"llm.output_messages.0.message.tool_calls.0.tool_call.function.name":      "get_weather",
			"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": `{"city":"Oslo"}`,
		})
	}
}

// TestResponseErrorEventIsUnchanged compares the span with what the caller gets.
func TestResponseErrorEventIsUnchanged(t *testing.T) {
	for name, event := range map[string]string{
		"fields": `{"type":"error","code":"server_error","message":"Broken."}`,
		"object": `{"type":"error","error":{"code":"server_error","message":"Broken."}}`,
		"line":   `{"error":{"code":"server_error","message":"Broken."}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder()
			client, _ := newClient(t, r, nil, mocks.Stream(created, event))
			stream, err := client.CreateResponseStream(t.Context(), openai.CreateResponseRequest{Input: "Hi"})
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
			got, err := stream.Recv()
			var want string
			switch {
			case err != nil:
				want = err.Error()
			case got.Error != nil:
				want = got.Error.Message
			default:
				want = got.Message
			}
			if status := r.only(t).Status(); want == "" || status.Code != codes.Error || status.Description != want {
				t.Errorf("got status %v %q, want an error: %q", status.Code, status.Description, want)
			}
		})
	}
}

func TestResponseStreamLeftEarly(t *testing.T) {
	tests := []struct {
		name  string
		leave func(*openai.ResponseStream, context.CancelCauseFunc)
		code  codes.Code
		want  string
	}{
		{"closed", func(s *openai.ResponseStream, _ context.CancelCauseFunc) { s.Close() }, codes.Unset, ""},
		{"cancelled", func(_ *openai.ResponseStream, cancel context.CancelCauseFunc) { cancel(errors.New("enough")) }, codes.Error, "enough"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRecorder()
			hold := make(chan struct{})
			defer close(hold)
			client, _ := newClient(t, r, nil, func(w http.ResponseWriter, req *http.Request) {
				mocks.Stream(created, added, hello)(w, req)
				select {
				case <-hold:
				case <-req.Context().Done():
				}
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			stream, err := client.CreateResponseStream(ctx, openai.CreateResponseRequest{Input: "Say hello."})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			test.leave(stream, cancel)
			span := r.await(t, 1)[0]
			if got := span.Status(); got.Code != test.code || got.Description != test.want {
				t.Errorf("got status %v %q, want %v %q", got.Code, got.Description, test.code, test.want)
			}
			wantAttrs(t, span, map[attribute.Key]string{openinference.OutputValueKey: "Hello"})
		})
	}
}
