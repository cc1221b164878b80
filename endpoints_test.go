package openinference_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httputil"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// tape carries the first request out, and answers all others with the same reply.
type tape struct {
	requests []string // their bodies
	reply    []byte
}

func (p *tape) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	// The boundary of a form is random.
	_, params, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if boundary := params["boundary"]; boundary != "" {
		p.requests = append(p.requests, strings.ReplaceAll(string(body), boundary, "BOUNDARY"))
	} else {
		p.requests = append(p.requests, string(body))
	}
	if p.reply == nil {
		first := req.Clone(req.Context())
		first.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := http.DefaultTransport.RoundTrip(first)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if p.reply, err = httputil.DumpResponse(resp, true); err != nil {
			return nil, err
		}
	}
	return http.ReadResponse(bufio.NewReader(bytes.NewReader(p.reply)), req)
}

// both makes a call with a client that is not traced and with one that is, which get the
// same reply, and checks that they send and return the same. It returns the span.
func both(t *testing.T, reply http.HandlerFunc, call func(*openai.Client) (any, error), opts ...openinference.Option) sdktrace.ReadOnlySpan {
	t.Helper()
	srv := mocks.NewServer(reply)
	defer srv.Close()
	r := newRecorder()
	p := &tape{}
	config := srv.Config()
	config.HTTPClient = &http.Client{Transport: p}
	want, wantErr := call(openai.NewClientWithConfig(config))
	got, err := call(openinference.NewClientWithConfig(config, append(opts, openinference.WithTracerProvider(r.provider))...))
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(err, wantErr) {
		t.Errorf("got %+v and error %v, want %+v and %v", got, err, want, wantErr)
	}
	if p.requests[0] != p.requests[1] {
		t.Errorf("sent %q, want %q", p.requests[1], p.requests[0])
	}
	return r.only(t)
}

// png is an image of one point.
var png = must(base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="))

var pngURL = "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)

// Where the images of a call are, to be drawn.
const (
	sentPart    = "llm.input_messages.0.message.contents."
	madePart    = "llm.output_messages.0.message.contents."
	imageInPart = ".message_content.image.image.url"
)

func TestEndpoints(t *testing.T) {
	ctx := context.Background()
	completion := openai.CompletionRequest{Model: openai.GPT3Dot5TurboInstruct, Prompt: "The gull <said>", MaxTokens: 8}
	recording := func() openai.AudioRequest {
		return openai.AudioRequest{Model: openai.Whisper1, FilePath: "a.wav", Reader: strings.NewReader("RIFF"), Prompt: "Gulls.", Temperature: 0.5}
	}
	embeddings := openai.EmbeddingRequest{Model: openai.SmallEmbedding3, Input: []string{"a gull", ""}, Dimensions: 2}

	tests := []struct {
		name  string
		reply http.HandlerFunc
		call  func(*openai.Client) (any, error)
		span  string
		want  map[attribute.Key]string
	}{
		{
			"completion", mocks.Completion("mind the chips"),
			func(c *openai.Client) (any, error) { return c.CreateCompletion(ctx, completion) },
			"Completion", map[attribute.Key]string{
				openinference.InputValueKey:              "The gull <said>",
				openinference.InputMIMETypeKey:           "text/plain",
				openinference.OutputValueKey:             "mind the chips",
				openinference.LLMModelNameKey:            openai.GPT3Dot5TurboInstruct,
				openinference.LLMInvocationParametersKey: `{"model": "gpt-3.5-turbo-instruct", "max_tokens": 8, "stream": false}`,
				openinference.LLMTokenCountTotalKey:      "6",
				openinference.LLMFinishReasonKey:         "stop",
				"llm.prompts.0.prompt.text":              "The gull <said>",
				"llm.choices.0.completion.text":          "mind the chips",
			},
		},
		{
			"completion stream", mocks.Completion("mind the chips"),
			func(c *openai.Client) (any, error) {
				stream, err := c.CreateCompletionStream(ctx, completion)
				if err != nil {
					return nil, err
				}
				defer stream.Close()
				var chunks []openai.CompletionResponse
				for {
					chunk, err := stream.Recv()
					if err == io.EOF {
						return chunks, nil
					}
					if err != nil {
						return chunks, err
					}
					chunks = append(chunks, chunk)
				}
			},
			"Completion", map[attribute.Key]string{
				openinference.OutputValueKey:     "mind the chips",
				openinference.LLMFinishReasonKey: "stop",
				"llm.prompts.0.prompt.text":      "The gull <said>",
				"llm.choices.0.completion.text":  "mind the chips",
			},
		},
		{
			"embeddings", mocks.Embedding(0.5, -0.25),
			func(c *openai.Client) (any, error) { return c.CreateEmbeddings(ctx, embeddings) },
			"CreateEmbeddings", map[attribute.Key]string{
				openinference.OpenInferenceSpanKindKey:         "EMBEDDING",
				openinference.LLMSystemKey:                     "",
				openinference.LLMModelNameKey:                  "",
				openinference.InputMIMETypeKey:                 "application/json",
				openinference.OutputMIMETypeKey:                "application/json",
				openinference.EmbeddingModelNameKey:            "text-embedding-3-small",
				openinference.EmbeddingInvocationParametersKey: `{"dimensions": 2, "model": "text-embedding-3-small"}`,
				openinference.LLMTokenCountPromptKey:           "2",
				openinference.LLMTokenCountTotalKey:            "2",
				"embedding.embeddings.0.embedding.text":        "a gull",
				"embedding.embeddings.0.embedding.vector":      "[0.5,-0.25]",
				"embedding.embeddings.1.embedding.vector":      "[0.5,-0.25]",
			},
		},
		{
			"embeddings in base64", mocks.Embedding(0.1),
			func(c *openai.Client) (any, error) {
				request := embeddings
				request.EncodingFormat = openai.EmbeddingEncodingFormatBase64
				return c.CreateEmbeddings(ctx, request)
			},
			"CreateEmbeddings", map[attribute.Key]string{
				"embedding.embeddings.1.embedding.vector": "[0.10000000149011612]",
			},
		},
		{
			"image", mocks.ImageURL("https://example.com/1.png", "https://example.com/2.png"),
			func(c *openai.Client) (any, error) {
				return c.CreateImage(ctx, openai.ImageRequest{Prompt: "Two gulls", Model: openai.CreateImageModelDallE2, N: 2})
			},
			"ImagesResponse", map[attribute.Key]string{
				openinference.InputValueKey:              "Two gulls",
				openinference.OutputMIMETypeKey:          "application/json",
				openinference.LLMModelNameKey:            "dall-e-2",
				openinference.LLMInvocationParametersKey: `{"model": "dall-e-2", "n": 2}`,
				"output.images.0.image.url":              "https://example.com/1.png",
				"output.images.1.image.url":              "https://example.com/2.png",
				madePart + "0.message_content.type":      "image",
				madePart + "0" + imageInPart:             "https://example.com/1.png",
				madePart + "1.message_content.type":      "image",
				madePart + "1" + imageInPart:             "https://example.com/2.png",
				sentPart + "0.message_content.type":      "", // input.value has the prompt
			},
		},
		{
			"image in the format asked for", mocks.Image(png),
			func(c *openai.Client) (any, error) {
				return c.CreateImage(ctx, openai.ImageRequest{Prompt: "A gull", OutputFormat: openai.CreateImageOutputFormatWEBP})
			},
			"ImagesResponse", map[attribute.Key]string{
				"output.images.0.image.url":         "data:image/webp;base64," + base64.StdEncoding.EncodeToString(png),
				madePart + "0.message_content.type": "image",
				madePart + "0" + imageInPart:        "data:image/webp;base64," + base64.StdEncoding.EncodeToString(png),
			},
		},
		{
			"image edit", mocks.Image(png),
			func(c *openai.Client) (any, error) {
				return c.CreateEditImage(ctx, openai.ImageEditRequest{
					Image: bytes.NewReader(png), Mask: strings.NewReader("GIF89a"), Prompt: "1984", Model: openai.CreateImageModelGptImage1, N: 2,
				})
			},
			"ImagesResponse", map[attribute.Key]string{
				openinference.InputValueKey:              "1984",
				openinference.LLMInvocationParametersKey: `{"model": "gpt-image-1", "n": 2, "size": "", "response_format": ""}`,
				"input.images.0.image.url":               pngURL,
				"input.images.1.image.url":               "data:image/gif;base64,R0lGODlh",
				sentPart + "0.message_content.type":      "text",
				sentPart + "0.message_content.text":      "1984",
				sentPart + "1.message_content.type":      "image",
				sentPart + "1" + imageInPart:             pngURL,
				sentPart + "2" + imageInPart:             "data:image/gif;base64,R0lGODlh",
				"output.images.0.image.url":              pngURL,
				madePart + "0" + imageInPart:             pngURL,
			},
		},
		{
			"image variation", mocks.Image(png),
			func(c *openai.Client) (any, error) {
				return c.CreateVariImage(ctx, openai.ImageVariRequest{Image: bytes.NewReader(png), N: 1})
			},
			"ImagesResponse", map[attribute.Key]string{
				openinference.InputValueKey:         `{"n": 1, "size": "", "response_format": ""}`,
				"input.images.0.image.url":          pngURL,
				sentPart + "0.message_content.type": "image",
				sentPart + "0" + imageInPart:        pngURL,
				"output.images.0.image.url":         pngURL,
				madePart + "0" + imageInPart:        pngURL,
			},
		},
		{
			"transcription", mocks.Transcription("Ahoy there."),
			func(c *openai.Client) (any, error) {
				request := recording()
				request.TimestampGranularities = []openai.TranscriptionTimestampGranularity{openai.TranscriptionTimestampGranularityWord}
				return c.CreateTranscription(ctx, request)
			},
			"Transcription", map[attribute.Key]string{
				openinference.InputValueKey:     `{"model": "whisper-1", "prompt": "Gulls.", "temperature": 0.50, "timestamp_granularities": ["word"]}`,
				openinference.InputMIMETypeKey:  "application/json",
				openinference.OutputValueKey:    "Ahoy there.",
				openinference.OutputMIMETypeKey: "text/plain",
				openinference.LLMModelNameKey:   "whisper-1",
			},
		},
		{
			"transcription as text", mocks.Transcription("Ahoy there.\n"),
			func(c *openai.Client) (any, error) {
				request := recording()
				request.Format = openai.AudioResponseFormatText
				return c.CreateTranscription(ctx, request)
			},
			"Transcription", map[attribute.Key]string{
				openinference.OutputValueKey:             "Ahoy there.\n",
				openinference.OutputMIMETypeKey:          "text/plain",
				openinference.LLMInvocationParametersKey: `{"model": "whisper-1", "response_format": "text", "temperature": 0.50}`,
			},
		},
		{
			"translation", mocks.Transcription("Ahoy there."),
			func(c *openai.Client) (any, error) { return c.CreateTranslation(ctx, recording()) },
			"Translation", map[attribute.Key]string{openinference.OutputValueKey: "Ahoy there."},
		},
		{
			"speech", mocks.Speech([]byte("ID3\x00\xff")),
			func(c *openai.Client) (any, error) {
				resp, err := c.CreateSpeech(ctx, openai.CreateSpeechRequest{Model: openai.TTSModel1, Input: "Ahoy.", Voice: openai.VoiceAlloy})
				if err != nil {
					return nil, err
				}
				defer resp.Close()
				return io.ReadAll(resp)
			},
			"Speech", map[attribute.Key]string{
				openinference.InputValueKey:              "Ahoy.",
				openinference.LLMModelNameKey:            "tts-1",
				openinference.LLMInvocationParametersKey: `{"model": "tts-1", "voice": "alloy"}`,
				openinference.OutputValueKey:             "",
				openinference.OutputMIMETypeKey:          "",
			},
		},
		{
			"moderation", mocks.Moderation(true),
			func(c *openai.Client) (any, error) {
				return c.Moderations(ctx, openai.ModerationRequest{Input: "A calm sea.", Model: openai.ModerationOmniLatest})
			},
			"ModerationCreateResponse", map[attribute.Key]string{
				openinference.InputValueKey:              "A calm sea.",
				openinference.OutputMIMETypeKey:          "application/json",
				openinference.LLMModelNameKey:            "omni-moderation-latest",
				openinference.LLMInvocationParametersKey: `{"model": "omni-moderation-latest"}`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := both(t, test.reply, test.call)
			if span.Name() != test.span || span.Status().Code != codes.Ok {
				t.Errorf("got span %q with status %v, want %q and Ok", span.Name(), span.Status(), test.span)
			}
			wantAttrs(t, span, test.want)
		})
	}
}

// send gives a transport a request and a reply, which it reads a byte at a time, and
// returns the span.
func send(t *testing.T, path, contentType, body, replyType string, reply io.Reader, opts ...openinference.Option) sdktrace.ReadOnlySpan {
	t.Helper()
	r := newRecorder()
	base := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		if got, err := io.ReadAll(req.Body); err != nil || string(got) != body {
			t.Errorf("the server got %q and error %v, want %q", got, err, body)
		}
		return &http.Response{
			StatusCode: http.StatusOK,
			Header:     http.Header{"Content-Type": {replyType}},
			Body:       io.NopCloser(iotest.OneByteReader(reply)),
		}, nil
	})
	transport := openinference.NewTransport(base, append(opts, openinference.WithTracerProvider(r.provider))...)
	req, err := http.NewRequest(http.MethodPost, "https://api.openai.com"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return r.only(t)
}

const formType = "multipart/form-data; boundary=B"

// form returns a form with those fields, in pairs of name and value. A name with a
// file name behind a slash is that of a file.
func form(fields ...string) string {
	var b strings.Builder
	for i := 0; i < len(fields); i += 2 {
		b.WriteString("--B\r\nContent-Disposition: form-data; name=\"")
		if name, file, ok := strings.Cut(fields[i], "/"); ok {
			b.WriteString(name + "\"; filename=\"" + file)
		} else {
			b.WriteString(name)
		}
		b.WriteString("\"\r\n\r\n" + fields[i+1] + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

func TestFormIsRecordedAsJSON(t *testing.T) {
	whole := form("model", "m", "image/a.png", string(png), "prompt", "7")
	tests := []struct {
		name, form, want string
		images           []string
	}{
		{"types", form("n", "2", "temperature", "0.50", "stream", "true", "size", "1x1", "prompt", "1984", "user", "42", "x", "null", "y", `"q"`),
			`{"n": 2, "temperature": 0.50, "stream": true, "size": "1x1", "prompt": "1984", "user": "42", "x": "null", "y": "\"q\""}`, nil},
		{"an object", form("chunking_strategy", `{"type":"server_vad","threshold":0.5}`), `{"chunking_strategy": {"type":"server_vad","threshold":0.5}}`, nil},
		{"lists", form("include[]", "logprobs", "tag", "a", "n", "1", "tag", "b"), `{"include": ["logprobs"], "tag": ["a", "b"], "n": 1}`, nil},
		{"images", form("image[]/a.png", string(png), "image[]/empty.png", "", "image[]/b.gif", "GIF89a", "mask/m.png", string(png), "file/x.png", string(png), "image", "https://example.com/a.png"),
			`{"image": "https://example.com/a.png"}`, []string{pngURL, "data:image/gif;base64,R0lGODlh", pngURL}},
		{"not UTF-8", form("user", "\xff"), `{"user": "\ufffd"}`, nil},
		{"without names", form("", "x", "n", "1"), `{"n": 1}`, nil},
		{"cut off in the image", whole[:strings.Index(whole, "IHDR")+4], `{"model": "m"}`, []string{"data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="}},
		{"empty", "", "", nil},
		{"no form", "{}", `{}`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := send(t, "/v1/images/edits", formType, test.form, "application/json", strings.NewReader("{}"), openinference.WithIOFormat(openinference.IOJSON))
			wantAttrs(t, span, map[attribute.Key]string{openinference.InputValueKey: test.want})
			var images []string
			for _, kv := range span.Attributes() {
				if strings.HasPrefix(string(kv.Key), "input.images.") {
					images = append(images, kv.Value.AsString())
				}
			}
			if !reflect.DeepEqual(images, test.images) {
				t.Errorf("got images %q, want %q", images, test.images)
			}
		})
	}
}

func TestFormWithoutBoundary(t *testing.T) {
	for _, contentType := range []string{"multipart/form-data", "multipart/form-data; boundary"} {
		span := send(t, "/v1/images/edits", contentType, form("image/a.png", string(png)), "application/json", strings.NewReader("{}"))
		wantAttrs(t, span, map[attribute.Key]string{openinference.InputValueKey: "{}"})
	}
}

// TestFormWithoutGetBody sends a form that can be read only once.
func TestFormWithoutGetBody(t *testing.T) {
	r := newRecorder()
	srv := mocks.NewServer(mocks.Transcription("Ahoy there."))
	defer srv.Close()
	client := &http.Client{Transport: openinference.NewTransport(nil, openinference.WithTracerProvider(r.provider))}
	sent := form("file/a.wav", "RIFF", "model", "whisper-1", "response_format", "text")
	resp, err := client.Post(srv.URL+"/v1/audio/transcriptions", formType, io.MultiReader(strings.NewReader(sent)))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if got := string(srv.Requests()[0].Body); got != sent {
		t.Errorf("the server got %q, want %q", got, sent)
	}
	wantAttrs(t, r.only(t), map[attribute.Key]string{
		openinference.InputValueKey:  `{"model": "whisper-1", "response_format": "text"}`,
		openinference.OutputValueKey: "Ahoy there.",
	})
}

// TestImagesInJSON has an edit that is no form, and images that come with the prompts they
// were made with, or not at all.
func TestImagesInJSON(t *testing.T) {
	span := send(t, "/v1/images/edits", "application/json",
		`{"prompt":"Add a hat","images":[{"file_id":"file_1"},{"image_url":"`+pngURL+`"}],"mask":{"image_url":"https://example.com/mask.png"}}`,
		"application/json", strings.NewReader(`{"output_format":"jpeg","data":[{"b64_json":"AAAA","revised_prompt":"A gull in a hat"},{},{"url":"https://example.com/3.png"}]}`))
	wantAttrs(t, span, map[attribute.Key]string{
		openinference.InputValueKey:         "Add a hat",
		"input.images.0.image.url":          pngURL,
		"input.images.1.image.url":          "https://example.com/mask.png",
		sentPart + "0.message_content.text": "Add a hat",
		sentPart + "1" + imageInPart:        pngURL,
		sentPart + "2" + imageInPart:        "https://example.com/mask.png",
		sentPart + "3.message_content.type": "",
		"output.images.0.image.url":         "data:image/jpeg;base64,AAAA",
		"output.images.1.image.url":         "",
		"output.images.2.image.url":         "https://example.com/3.png",
		madePart + "0.message_content.type": "text",
		madePart + "0.message_content.text": "A gull in a hat",
		madePart + "1.message_content.type": "image",
		madePart + "1" + imageInPart:        "data:image/jpeg;base64,AAAA",
		madePart + "2.message_content.type": "image",
		madePart + "2" + imageInPart:        "https://example.com/3.png",
		madePart + "3.message_content.type": "",
	})
}

func TestImagesOverTheLimitAreRedacted(t *testing.T) {
	image := append(bytes.Clone(png), make([]byte, 1000)...)
	encoded := base64.StdEncoding.EncodeToString(image)
	url := "data:image/png;base64," + encoded
	const redacted = openinference.Redacted
	tests := []struct {
		name          string
		config        openinference.TraceConfig
		input, output string
		value         string // in output.value
	}{
		{"at the limit", openinference.TraceConfig{Base64ImageMaxLength: len(url)}, url, url, encoded},
		{"URL over the limit", openinference.TraceConfig{Base64ImageMaxLength: len(encoded)}, redacted, redacted, encoded},
		{"over the limit", openinference.TraceConfig{Base64ImageMaxLength: len(encoded) - 1}, redacted, redacted, redacted},
		{"far over the limit", openinference.TraceConfig{Base64ImageMaxLength: 1}, redacted, redacted, redacted},
		{"none kept", openinference.TraceConfig{Base64ImageMaxLength: -1}, redacted, redacted, redacted},
		{"input images hidden", openinference.TraceConfig{HideInputImages: true}, redacted, url, encoded},
		{"inputs hidden", openinference.TraceConfig{HideInputs: true}, "", url, encoded},
		{"outputs hidden", openinference.TraceConfig{HideOutputs: true}, url, "", ""},
		{"output messages hidden", openinference.TraceConfig{HideOutputMessages: true}, url, url, encoded},
		{"input messages hidden", openinference.TraceConfig{HideInputMessages: true}, url, url, encoded},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := send(t, "/v1/images/edits", formType, form("image/a.png", string(image)),
				"application/json", strings.NewReader(`{"data":[{"b64_json":"`+encoded+`"}]}`), openinference.WithTraceConfig(test.config))
			want := redacted
			if test.value != "" {
				want = `{"data":[{"b64_json":"` + test.value + `"}]}`
			}
			sent, made := test.input, test.output // the same in messages, unless these are hidden
			if test.config.HideInputMessages {
				sent = ""
			}
			if test.config.HideOutputMessages {
				made = ""
			}
			wantAttrs(t, span, map[attribute.Key]string{
				"input.images.0.image.url":   test.input,
				sentPart + "0" + imageInPart: sent,
				"output.images.0.image.url":  test.output,
				madePart + "0" + imageInPart: made,
				openinference.OutputValueKey: want,
			})
		})
	}
}

func TestVectors(t *testing.T) {
	tests := []struct {
		name, vector string
		config       openinference.TraceConfig
		want         string
	}{
		{"numbers", "[0, -1.5e-1, 2]", openinference.TraceConfig{}, "[0,-0.15,2]"},
		{"base64", `"AAAAPwAAgL4="`, openinference.TraceConfig{}, "[0.5,-0.25]"},
		{"escaped base64", `"\/\/9\/Pw=="`, openinference.TraceConfig{}, "[0.9999999403953552]"},
		{"hidden", "[1]", openinference.TraceConfig{HideEmbeddingsVectors: true}, openinference.Redacted},
		{"hidden and not decoded", `"?"`, openinference.TraceConfig{HideEmbeddingsVectors: true}, openinference.Redacted},
		{"empty and hidden", "[ ]", openinference.TraceConfig{HideEmbeddingsVectors: true}, ""},
		{"empty", "[]", openinference.TraceConfig{}, ""},
		{"empty base64", `""`, openinference.TraceConfig{}, ""},
		{"null", "null", openinference.TraceConfig{}, ""},
		{"not all numbers", `[1, "2"]`, openinference.TraceConfig{}, ""},
		{"not base64", `"?"`, openinference.TraceConfig{}, ""},
		{"half a number", `"AAA="`, openinference.TraceConfig{}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := send(t, "/v1/embeddings", "application/json", `{"model":"m","input":"x"}`,
				"application/json", strings.NewReader(`{"data":[{"embedding":`+test.vector+`}],"usage":{"prompt_tokens":1,"completion_tokens":0,"total_tokens":1}}`),
				openinference.WithTraceConfig(test.config))
			wantAttrs(t, span, map[attribute.Key]string{
				"embedding.embeddings.0.embedding.vector": test.want,
				openinference.EmbeddingModelNameKey:       "m",
				openinference.LLMTokenCountCompletionKey:  "", // a vector is no completion
			})
		})
	}
}

func TestResultStreams(t *testing.T) {
	const (
		partial   = `{"type":"image_generation.partial_image","b64_json":"AAAA"}`
		completed = `{"type":"image_generation.completed","b64_json":"BBBB","output_format":"webp","usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}`
		ahoy      = `{"type":"transcript.text.delta","delta":"Ahoy "}`
		there     = `{"type":"transcript.text.delta","delta":"there."}`
		done      = `{"type":"transcript.text.done","text":"Ahoy there.","usage":{"input_tokens":5,"input_token_details":{"audio_tokens":5},"output_tokens":2,"total_tokens":7}}`
	)
	tests := []struct {
		name   string
		path   string
		events []string
		status codes.Code
		want   map[attribute.Key]string
	}{
		{"image", "/v1/images/generations", []string{partial, completed}, codes.Ok, map[attribute.Key]string{
			openinference.OutputValueKey:             completed,
			openinference.LLMTokenCountPromptKey:     "3",
			openinference.LLMTokenCountCompletionKey: "4",
			"output.images.0.image.url":              "data:image/webp;base64,BBBB",
			madePart + "0.message_content.type":      "image",
			madePart + "0" + imageInPart:             "data:image/webp;base64,BBBB",
			madePart + "1.message_content.type":      "", // of the part of an image
		}},
		{"image cut off", "/v1/images/generations", []string{partial}, codes.Error, map[attribute.Key]string{
			openinference.OutputValueKey: "",
			"output.images.0.image.url":  "",
			madePart + "0" + imageInPart: "",
		}},
		{"image edit", "/v1/images/edits", []string{`{"type":"image_edit.completed","b64_json":"BBBB"}`}, codes.Ok, map[attribute.Key]string{
			"output.images.0.image.url":  "data:image/png;base64,BBBB",
			madePart + "0" + imageInPart: "data:image/png;base64,BBBB",
		}},
		{"transcription", "/v1/audio/transcriptions", []string{ahoy, there, done}, codes.Ok, map[attribute.Key]string{
			openinference.OutputValueKey:                         "Ahoy there.",
			openinference.LLMTokenCountPromptKey:                 "5",
			openinference.LLMTokenCountPromptDetailsAudioKey:     "5",
			openinference.LLMTokenCountCompletionKey:             "2",
			openinference.LLMTokenCountPromptDetailsCacheReadKey: "",
		}},
		{"transcription cut off", "/v1/audio/transcriptions", []string{ahoy, there}, codes.Error, map[attribute.Key]string{
			openinference.OutputValueKey: "Ahoy there.",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			stream := "data: " + strings.Join(test.events, "\n\ndata: ") + "\n\n"
			span := send(t, test.path, formType, form("stream", "true"), "text/event-stream", strings.NewReader(stream))
			if got := span.Status(); got.Code != test.status {
				t.Errorf("got status %v, want %v", got, test.status)
			}
			if events := span.Events(); len(events) == 0 || events[0].Name != "First Token Stream Event" {
				t.Errorf("got events %v, want the first token first", events)
			}
			wantAttrs(t, span, test.want)
		})
	}
}

func TestTextReply(t *testing.T) {
	text, srt := form("response_format", "text"), form("response_format", "srt")
	tests := []struct {
		name, form, replyType string
		reply                 io.Reader
		status                codes.Code
		output, outputType    string
	}{
		{"text", text, "text/plain", strings.NewReader("data was lost"), codes.Ok, "data was lost", "text/plain"},
		{"subtitles of another type", srt, "text/html", strings.NewReader("1\n00:00 --> 00:01\nAhoy.\n"), codes.Ok, "1\n00:00 --> 00:01\nAhoy.\n", "text/plain"},
		{"JSON all the same", text, "application/json", strings.NewReader(`{"words":[]}`), codes.Ok, `{"words":[]}`, "application/json"},
		{"silence", text, "text/plain", strings.NewReader(""), codes.Ok, "", ""},
		{"cut off", text, "text/plain", io.MultiReader(strings.NewReader("Ahoy"), iotest.ErrReader(io.ErrUnexpectedEOF)), codes.Error, "", ""},
		{"text in place of JSON", form("model", "m"), "text/html", strings.NewReader("<html>"), codes.Error, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := send(t, "/v1/audio/transcriptions", formType, test.form, test.replyType, test.reply)
			if got := span.Status(); got.Code != test.status {
				t.Errorf("got status %v, want %v", got, test.status)
			}
			wantAttrs(t, span, map[attribute.Key]string{
				openinference.OutputValueKey:    test.output,
				openinference.OutputMIMETypeKey: test.outputType,
			})
		})
	}
}

func TestStreamUsageOfCompletion(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, []openinference.Option{openinference.WithStreamUsage()}, mocks.Completion("mind the chips"))
	stream, err := client.CreateCompletionStream(context.Background(), openai.CompletionRequest{Prompt: "The gull said"})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(chunk.Choices) == 0 {
			t.Errorf("got the chunk %+v, want none without choices", chunk)
		}
	}
	wantAttrs(t, r.only(t), map[attribute.Key]string{
		openinference.OutputValueKey:             "mind the chips",
		openinference.LLMTokenCountPromptKey:     "3",
		openinference.LLMTokenCountCompletionKey: "3",
	})
}

func TestSpeechThatIsNotRead(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Speech(make([]byte, 1<<20)))
	resp, err := client.CreateSpeech(context.Background(), openai.CreateSpeechRequest{Input: "Ahoy."})
	if err != nil {
		t.Fatal(err)
	}
	resp.Close()
	if got := r.only(t).Status().Code; got != codes.Unset {
		t.Errorf("got status %v, want Unset", got)
	}
}

func TestSpeechFails(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Error(http.StatusBadRequest, "no such voice"))
	_, err := client.CreateSpeech(context.Background(), openai.CreateSpeechRequest{Input: "Ahoy."})
	if _, ok := errors.AsType[*openai.APIError](err); !ok {
		t.Fatalf("got error %v, want an APIError", err)
	}
	wantException(t, r.only(t), "*openai.APIError", err.Error())
}

func TestModelsThatDiffer(t *testing.T) {
	tests := []struct {
		name, path, asked, answered string
		want                        map[attribute.Key]string
	}{
		{"differ", "/v1/chat/completions", "gpt-4o", "gpt-4o-2024-08-06", map[attribute.Key]string{
			openinference.LLMModelNameKey:         "gpt-4o-2024-08-06",
			openinference.LLMRequestModelNameKey:  "gpt-4o",
			openinference.LLMResponseModelNameKey: "gpt-4o-2024-08-06",
		}},
		{"same", "/v1/chat/completions", "gpt-4o", "gpt-4o", map[attribute.Key]string{
			openinference.LLMModelNameKey:         "gpt-4o",
			openinference.LLMRequestModelNameKey:  "",
			openinference.LLMResponseModelNameKey: "",
		}},
		{"not answered", "/v1/chat/completions", "gpt-4o", "", map[attribute.Key]string{
			openinference.LLMModelNameKey:        "gpt-4o",
			openinference.LLMRequestModelNameKey: "",
		}},
		{"embeddings", "/v1/embeddings", "small", "small-2", map[attribute.Key]string{
			openinference.EmbeddingModelNameKey:   "small-2",
			openinference.LLMModelNameKey:         "",
			openinference.LLMRequestModelNameKey:  "",
			openinference.LLMResponseModelNameKey: "",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			span := send(t, test.path, "application/json", `{"model":"`+test.asked+`"}`, "application/json", strings.NewReader(`{"model":"`+test.answered+`"}`))
			wantAttrs(t, span, test.want)
		})
	}
}

func TestCost(t *testing.T) {
	for reported, want := range map[string]string{"0.0025": "0.0025", "0": "0", "null": "", `{"total_cost":1}`: ""} {
		span := send(t, "/v1/chat/completions", "application/json", "{}", "application/json", strings.NewReader(`{"usage":{"cost":`+reported+`}}`))
		if got := attr(span, openinference.LLMCostTotalKey); got != want {
			t.Errorf("cost %s: got %q, want %q", reported, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	tests := []struct{ url, full, path string }{
		{"https://api.openai.com/v1/chat/completions", "", ""},
		{"https://API.openai.com/v1/chat/completions", "", ""},
		{"https://user:secret@gateway.example:8443/v1/a%2Fb/chat/completions?key=secret#secret", "https://gateway.example:8443/v1/a%2Fb/chat/completions", "/v1/a%2Fb/chat/completions"},
		{"https://x.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=1", "https://x.openai.azure.com/openai/deployments/gpt/chat/completions", "/openai/deployments/gpt/chat/completions"},
		{"https://gateway.example/v1/embeddings", "", ""},
	}
	for _, test := range tests {
		t.Run(test.url, func(t *testing.T) {
			r := newRecorder()
			base := roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
			req, err := http.NewRequest(http.MethodPost, test.url, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			openinference.NewTransport(base, openinference.WithTracerProvider(r.provider)).RoundTrip(req)
			span := r.only(t)
			wantAttrs(t, span, map[attribute.Key]string{"url.full": test.full, "url.path": test.path})
			for _, kv := range span.Attributes() {
				if strings.Contains(kv.Value.String(), "secret") {
					t.Errorf("%s = %s has a secret in it", kv.Key, kv.Value.String())
				}
			}
		})
	}
}

// TestFilesAreNotCopied sends a large file and gets one: neither may be held in memory.
func TestFilesAreNotCopied(t *testing.T) {
	const size = 16 << 20
	file := strings.Repeat("x", size)
	tests := []struct {
		name, path, contentType, body string
		reply                         string
	}{
		{"upload", "/v1/audio/transcriptions", formType, form("file/a.wav", file, "model", "m"), "{}"},
		{"image", "/v1/images/edits", formType, form("image/a.png", file, "model", "m"), "{}"},
		{"download", "/v1/audio/speech", "application/json", `{"model":"m"}`, file},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRecorder()
			base := roundTripperFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(test.reply))}, nil
			})
			transport := openinference.NewTransport(base, openinference.WithTracerProvider(r.provider))
			req, err := http.NewRequest(http.MethodPost, "https://api.openai.com"+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", test.contentType)

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > size/8 {
				t.Errorf("got %d bytes allocated for a file of %d", got, size)
			}
			wantAttrs(t, r.only(t), map[attribute.Key]string{openinference.LLMModelNameKey: "m"})
		})
	}
}
