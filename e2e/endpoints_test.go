//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	openai "github.com/sashabaranov/go-openai"

	"github.com/go-openinference/openinference/mocks"
)

// square returns an image that a person can see on a page.
func square(t *testing.T, c color.Color) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewPaletted(image.Rect(0, 0, 96, 96), color.Palette{c})); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func dataURL(image []byte) string {
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(image)
}

// encoded returns v as go-openai sends it.
func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// drain reads a stream to its end.
func drain[T any](stream interface{ Recv() (T, error) }) error {
	for {
		if _, err := stream.Recv(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestEndpoints has a call of each endpoint, and what Phoenix must show of it: what was
// asked and answered, be it text, tools, images or vectors.
func TestEndpoints(t *testing.T) {
	orange, blue := square(t, color.RGBA{R: 255, G: 140, A: 255}), square(t, color.RGBA{B: 255, A: 255})
	look := openai.FunctionDefinition{
		Name:        "look_up_bird",
		Description: "Looks a bird up.",
		Parameters:  map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}},
	}
	tool := openai.Tool{Type: openai.ToolTypeFunction, Function: &look}
	withImage := openai.CreateResponseRequest{
		Model:        "o4-mini",
		Instructions: "You know birds.",
		Input: []any{openai.ResponseInputMessage{Role: "user", Content: []any{
			openai.ResponseInputText{Type: "input_text", Text: "Which bird is this?"},
			openai.ResponseInputImage{Type: "input_image", ImageURL: dataURL(orange)},
		}}},
		Tools: []openai.ResponseTool{openai.NewResponseFunctionTool(look)},
	}
	tests := []struct {
		name       string
		reply      http.HandlerFunc
		call       func(context.Context, *openai.Client) error
		span, kind string
		want       map[string]any
	}{
		{
			"chat with tools and an image", mocks.ToolCall("look_up_bird", `{"name":"gull"}`),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
					Model: openai.GPT4oMini,
					Messages: []openai.ChatCompletionMessage{
						{Role: openai.ChatMessageRoleSystem, Content: "You know birds."},
						{Role: openai.ChatMessageRoleUser, MultiContent: []openai.ChatMessagePart{
							{Type: openai.ChatMessagePartTypeText, Text: "Which bird is this?"},
							{Type: openai.ChatMessagePartTypeImageURL, ImageURL: &openai.ChatMessageImageURL{URL: dataURL(orange)}},
						}},
					},
					Tools: []openai.Tool{tool},
				})
				return err
			},
			"ChatCompletion", "LLM", map[string]any{
				"input.value":                          "Which bird is this?",
				"output.value":                         `look_up_bird({"name":"gull"})`,
				"llm.model_name":                       openai.GPT4oMini,
				"llm.tools.0.tool.json_schema":         encoded(t, tool),
				"llm.input_messages.0.message.role":    "system",
				"llm.input_messages.0.message.content": "You know birds.",
				"llm.input_messages.1.message.role":    "user",
				"llm.input_messages.1.message.contents.0.message_content.text":            "Which bird is this?",
				"llm.input_messages.1.message.contents.1.message_content.image.image.url": dataURL(orange),
				"llm.output_messages.0.message.role":                                      "assistant",
				"llm.output_messages.0.message.tool_calls.0.tool_call.function.name":      "look_up_bird",
				"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": `{"name":"gull"}`,
			},
		},
		{
			"chat that is answered by voice", mocks.JSON(http.StatusOK, `{"model":"gpt-4o-audio-preview","choices":[{"index":0,"finish_reason":"stop",`+
				`"message":{"role":"assistant","content":null,"audio":{"id":"audio_1","data":"UklGRg==","transcript":"A gull."}}}]}`),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateChatCompletion(ctx, ask("Which bird cries like that?"))
				return err
			},
			"ChatCompletion", "LLM", map[string]any{
				"output.value": "A gull.",
				"llm.output_messages.0.message.contents.0.message_content.text": "A gull.",
			},
		},
		{
			"response", mocks.Response("A gull."),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateResponse(ctx, withImage)
				return err
			},
			"Response", "LLM", map[string]any{
				"input.value":                          "Which bird is this?",
				"output.value":                         "A gull.",
				"llm.model_name":                       "o4-mini",
				"llm.tools.0.tool.json_schema":         encoded(t, withImage.Tools[0]),
				"llm.input_messages.0.message.role":    "system",
				"llm.input_messages.0.message.content": "You know birds.",
				"llm.input_messages.1.message.role":    "user",
				"llm.input_messages.1.message.contents.0.message_content.text":            "Which bird is this?",
				"llm.input_messages.1.message.contents.1.message_content.image.image.url": dataURL(orange),
				"llm.output_messages.0.message.role":                                      "assistant",
				"llm.output_messages.0.message.contents.0.message_content.text":           "A gull.",
			},
		},
		{
			"stream of a response that thinks and calls a tool", mocks.Stream(
				`{"type":"response.created","response":{"id":"resp_1","status":"in_progress","model":"o4-mini","output":[]}}`,
				`{"type":"response.output_item.added","output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}`,
				`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"Grey back, "}`,
				`{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"pink legs."}`,
				`{"type":"response.output_item.added","output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"call_1","name":"look_up_bird","arguments":""}}`,
				`{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"name\":"}`,
				`{"type":"response.function_call_arguments.delta","output_index":1,"delta":"\"gull\"}"}`,
				`{"type":"response.completed","response":{"id":"resp_1","status":"completed","model":"o4-mini","output":[],"usage":{"input_tokens":9,"output_tokens":5,"total_tokens":14}}}`,
			),
			func(ctx context.Context, c *openai.Client) error {
				stream, err := c.CreateResponseStream(ctx, withImage)
				if err != nil {
					return err
				}
				defer stream.Close()
				return drain(stream)
			},
			"Response", "LLM", map[string]any{
				"output.value": `look_up_bird({"name":"gull"})`,
				"llm.output_messages.0.message.contents.0.message_content.type":           "reasoning",
				"llm.output_messages.0.message.contents.0.message_content.text":           "Grey back, pink legs.",
				"llm.output_messages.1.message.tool_calls.0.tool_call.function.name":      "look_up_bird",
				"llm.output_messages.1.message.tool_calls.0.tool_call.function.arguments": `{"name":"gull"}`,
				"llm.token_count.total": 14.0,
			},
		},
		{
			"response that draws", mocks.JSON(http.StatusOK, `{"model":"gpt-5","status":"completed","output":[`+
				`{"type":"image_generation_call","id":"ig_1","result":"`+base64.StdEncoding.EncodeToString(blue)+`"}]}`),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateResponse(ctx, withImage)
				return err
			},
			"Response", "LLM", map[string]any{
				"output.images.0.image.url":                                                dataURL(blue),
				"llm.output_messages.0.message.contents.0.message_content.type":            "image",
				"llm.output_messages.0.message.contents.0.message_content.image.image.url": dataURL(blue),
			},
		},
		{
			"completion", mocks.Completion("and a gull."),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateCompletion(ctx, openai.CompletionRequest{Model: openai.GPT3Dot5TurboInstruct, Prompt: "A tern"})
				return err
			},
			"Completion", "LLM", map[string]any{
				"input.value":                   "A tern",
				"output.value":                  "and a gull.",
				"llm.prompts.0.prompt.text":     "A tern",
				"llm.choices.0.completion.text": "and a gull.",
			},
		},
		{
			"embeddings", mocks.Embedding(0.5, -0.25),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateEmbeddings(ctx, openai.EmbeddingRequest{Model: openai.SmallEmbedding3, Input: []string{"a tern", "a gull"}})
				return err
			},
			"CreateEmbeddings", "EMBEDDING", map[string]any{
				"embedding.model_name":                    string(openai.SmallEmbedding3),
				"embedding.embeddings.0.embedding.text":   "a tern",
				"embedding.embeddings.0.embedding.vector": []any{0.5, -0.25},
				"embedding.embeddings.1.embedding.text":   "a gull",
				"embedding.embeddings.1.embedding.vector": []any{0.5, -0.25},
			},
		},
		{
			"image", mocks.Image(orange),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateImage(ctx, openai.ImageRequest{Model: openai.CreateImageModelGptImage1, Prompt: "An orange square"})
				return err
			},
			"ImagesResponse", "LLM", map[string]any{
				"input.value":               "An orange square",
				"llm.model_name":            openai.CreateImageModelGptImage1,
				"output.images.0.image.url": dataURL(orange),
				"llm.output_messages.0.message.contents.0.message_content.type":            "image",
				"llm.output_messages.0.message.contents.0.message_content.image.image.url": dataURL(orange),
			},
		},
		{
			"image at a URL", mocks.JSON(http.StatusOK, `{"data":[{"url":"https://example.com/1.png","revised_prompt":"A square in the orange of the evening"}]}`),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateImage(ctx, openai.ImageRequest{Model: openai.CreateImageModelDallE3, Prompt: "An orange square"})
				return err
			},
			"ImagesResponse", "LLM", map[string]any{
				"output.images.0.image.url":                                                "https://example.com/1.png",
				"llm.output_messages.0.message.contents.0.message_content.text":            "A square in the orange of the evening",
				"llm.output_messages.0.message.contents.1.message_content.image.image.url": "https://example.com/1.png",
			},
		},
		{
			"image of an image", mocks.Image(blue),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateEditImage(ctx, openai.ImageEditRequest{
					Model: openai.CreateImageModelGptImage1, Prompt: "The same in blue",
					Image: openai.WrapReader(bytes.NewReader(orange), "square.png", "image/png"),
				})
				return err
			},
			"ImagesResponse", "LLM", map[string]any{
				"input.value":               "The same in blue",
				"input.images.0.image.url":  dataURL(orange),
				"output.images.0.image.url": dataURL(blue),
				"llm.input_messages.0.message.contents.0.message_content.text":             "The same in blue",
				"llm.input_messages.0.message.contents.1.message_content.image.image.url":  dataURL(orange),
				"llm.output_messages.0.message.contents.0.message_content.image.image.url": dataURL(blue),
			},
		},
		{
			"transcription", mocks.Transcription("A gull cries."),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateTranscription(ctx, openai.AudioRequest{Model: openai.Whisper1, FilePath: "gull.wav", Reader: strings.NewReader("RIFF")})
				return err
			},
			"Transcription", "LLM", map[string]any{"output.value": "A gull cries.", "llm.model_name": openai.Whisper1},
		},
		{
			"translation", mocks.Transcription("A gull cries."),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.CreateTranslation(ctx, openai.AudioRequest{Model: openai.Whisper1, FilePath: "moewe.wav", Reader: strings.NewReader("RIFF")})
				return err
			},
			"Translation", "LLM", map[string]any{"output.value": "A gull cries.", "llm.model_name": openai.Whisper1},
		},
		{
			"speech", mocks.Speech([]byte("ID3")),
			func(ctx context.Context, c *openai.Client) error {
				speech, err := c.CreateSpeech(ctx, openai.CreateSpeechRequest{Model: openai.TTSModel1, Input: "A gull cries.", Voice: openai.VoiceAlloy})
				if err != nil {
					return err
				}
				defer speech.Close()
				_, err = io.Copy(io.Discard, speech)
				return err
			},
			"Speech", "LLM", map[string]any{"input.value": "A gull cries.", "llm.model_name": string(openai.TTSModel1)},
		},
		{
			"moderation", mocks.Moderation(true),
			func(ctx context.Context, c *openai.Client) error {
				_, err := c.Moderations(ctx, openai.ModerationRequest{Model: openai.ModerationOmniLatest, Input: "I'll get that gull!"})
				return err
			},
			"ModerationCreateResponse", "LLM", map[string]any{
				"input.value":      "I'll get that gull!",
				"llm.model_name":   openai.ModerationOmniLatest,
				"output.mime_type": "application/json",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			project, session := names(t)
			tp := newProvider(t, project)
			if err := test.call(adas(t, session), newClient(t, tp, test.reply)); err != nil {
				t.Fatal(err)
			}
			shutdown(t, tp)

			s := server.spans(t, project, session, 1)[0]
			if s.Name != test.span || s.SpanKind != test.kind || s.StatusCode != "OK" {
				t.Errorf("got span %s of kind %s with status %s %q, want %s, %s, OK", s.Name, s.SpanKind, s.StatusCode, s.StatusMessage, test.span, test.kind)
			}
			got := make(map[string]any)
			for key := range test.want {
				got[key] = s.Attributes[key]
			}
			if diff := gocmp.Diff(test.want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
		})
	}
}
