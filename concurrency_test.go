package openinference_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

// direct carries requests to a handler without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, req)
	return w.Result(), nil
}

// sessionsIn returns the names of sessions that stand in s.
func sessionsIn(s string) (names []string) {
	for _, rest := range strings.Split(s, "session-")[1:] {
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || '9' < r })
		if end < 0 {
			end = len(rest)
		}
		names = append(names, "session-"+rest[:end])
	}
	return names
}

// echo answers every endpoint with the name of the session that the request is about.
func echo(t *testing.T) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := "re: " + strings.Join(sessionsIn(string(body)), " ")
		_, endpoint, _ := strings.Cut(r.URL.Path, "/v1/")
		map[string]http.HandlerFunc{
			"chat/completions":     mocks.Chat(answer),
			"completions":          mocks.Completion(answer),
			"responses":            mocks.Response(answer),
			"embeddings":           mocks.Embedding(1, 2, 3),
			"images/generations":   mocks.ImageURL("https://example.com/" + answer),
			"images/edits":         mocks.ImageURL("https://example.com/" + answer),
			"images/variations":    mocks.ImageURL("https://example.com/" + answer),
			"audio/transcriptions": mocks.Transcription(answer),
			"audio/translations":   mocks.Transcription(answer),
			"audio/speech":         mocks.Speech([]byte(answer)),
			"moderations":          mocks.Moderation(true),
		}[endpoint](w, r)
	})
}

// directClient is a client of echo, traced on the way of go-openai and on that of others.
type directClient struct {
	*openai.Client
	http *http.Client
}

func newDirectClient(t *testing.T, opts ...openinference.Option) directClient {
	config := openai.DefaultConfig("sk-direct")
	config.HTTPClient = &http.Client{Transport: direct{echo(t)}}
	return directClient{
		openinference.NewClientWithConfig(config, opts...),
		&http.Client{Transport: openinference.NewTransport(direct{echo(t)}, opts...)},
	}
}

// post sends a request that not all versions of go-openai have.
func (c directClient) post(ctx context.Context, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.openai.com"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// drain reads a stream to its end.
func drain[T any](stream interface {
	Recv() (T, error)
	Close() error
}, err error) error {
	if err != nil {
		return err
	}
	defer stream.Close()
	for err == nil {
		_, err = stream.Recv()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// endpointCalls are calls of each kind about a session, by the names of their spans.
var endpointCalls = []struct {
	span string
	call func(ctx context.Context, c directClient, session string) error
}{
	{"ChatCompletion", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateChatCompletion(ctx, chatRequest(session))
		return err
	}},
	{"ChatCompletion", func(ctx context.Context, c directClient, session string) error {
		return drain[openai.ChatCompletionStreamResponse](c.CreateChatCompletionStream(ctx, chatRequest(session)))
	}},
	{"Completion", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateCompletion(ctx, openai.CompletionRequest{Model: openai.GPT3Dot5TurboInstruct, Prompt: session})
		return err
	}},
	{"Completion", func(ctx context.Context, c directClient, session string) error {
		return drain[openai.CompletionResponse](c.CreateCompletionStream(ctx, openai.CompletionRequest{Model: openai.GPT3Dot5TurboInstruct, Prompt: session}))
	}},
	{"Response", func(ctx context.Context, c directClient, session string) error {
		return c.post(ctx, "/v1/responses", `{"input":"`+session+`"}`)
	}},
	{"Response", func(ctx context.Context, c directClient, session string) error {
		return c.post(ctx, "/v1/responses", `{"stream":true,"input":"`+session+`"}`)
	}},
	{"CreateEmbeddings", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateEmbeddings(ctx, openai.EmbeddingRequest{Model: openai.SmallEmbedding3, Input: session})
		return err
	}},
	{"ImagesResponse", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateImage(ctx, openai.ImageRequest{Prompt: session})
		return err
	}},
	{"ImagesResponse", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateEditImage(ctx, openai.ImageEditRequest{Image: bytes.NewReader(png), Prompt: session})
		return err
	}},
	{"ImagesResponse", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateVariImage(ctx, openai.ImageVariRequest{Image: bytes.NewReader(png), Size: session})
		return err
	}},
	{"Transcription", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateTranscription(ctx, openai.AudioRequest{Model: openai.Whisper1, FilePath: "a.wav", Reader: strings.NewReader("RIFF"), Prompt: session})
		return err
	}},
	{"Translation", func(ctx context.Context, c directClient, session string) error {
		_, err := c.CreateTranslation(ctx, openai.AudioRequest{Model: openai.Whisper1, FilePath: "a.wav", Reader: strings.NewReader("RIFF"), Prompt: session})
		return err
	}},
	{"Speech", func(ctx context.Context, c directClient, session string) error {
		speech, err := c.CreateSpeech(ctx, openai.CreateSpeechRequest{Model: openai.TTSModel1, Input: session, Voice: openai.VoiceAlloy})
		if err != nil {
			return err
		}
		defer speech.Close()
		_, err = io.Copy(io.Discard, speech)
		return err
	}},
	{"ModerationCreateResponse", func(ctx context.Context, c directClient, session string) error {
		_, err := c.Moderations(ctx, openai.ModerationRequest{Input: session})
		return err
	}},
}

// wantOwn checks that everything about a session in a span is about its own.
func wantOwn(t *testing.T, span sdktrace.ReadOnlySpan) {
	t.Helper()
	id := attr(span, openinference.SessionIDKey)
	if got := attr(span, openinference.InputValueKey); !strings.Contains(got, id) {
		t.Errorf("%s of %s: got input.value %q", span.Name(), id, got)
	}
	for _, kv := range span.Attributes() {
		for _, other := range sessionsIn(kv.Value.String()) {
			if other != id {
				t.Errorf("%s of %s: %s = %s", span.Name(), id, kv.Key, kv.Value.String())
			}
		}
	}
	if span.Status().Code != codes.Ok {
		t.Errorf("%s of %s: got status %v, want Ok", span.Name(), id, span.Status())
	}
}

// TestManyGoroutines shares one client between a thousand goroutines that call all
// endpoints.
func TestManyGoroutines(t *testing.T) {
	noMoreGoroutines(t)
	const n = 1000
	r := newRecorder()
	client := newDirectClient(t, openinference.WithTracerProvider(r.provider))
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-begin
			id := fmt.Sprint("session-", i)
			ctx := openinference.WithSession(context.Background(), id)
			if err := endpointCalls[i%len(endpointCalls)].call(ctx, client, id); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	wg.Wait()
	spans := r.Ended()
	if len(spans) != n {
		t.Fatalf("got %d spans, want %d", len(spans), n)
	}
	for _, span := range spans {
		wantOwn(t, span)
		var i int
		fmt.Sscanf(attr(span, openinference.SessionIDKey), "session-%d", &i)
		if want := endpointCalls[i%len(endpointCalls)].span; span.Name() != want {
			t.Errorf("session-%d: got span %s, want %s", i, span.Name(), want)
		}
	}
}

// TestInterleavedSessions has ten thousand conversations that take turns, each in a
// context that was made once.
func TestInterleavedSessions(t *testing.T) {
	const sessions, turns, workers = 10_000, 2, 50
	r := newRecorder()
	config := openai.DefaultConfig("sk-direct")
	config.HTTPClient = doerFunc(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		reply := `{"choices":[{"index":0,"message":{"content":"re: ` + sessionsIn(string(body))[0] + `"}}]}`
		if bytes.Contains(body, []byte(`"stream":true`)) {
			reply = "data: " + strings.Replace(reply, "message", "delta", 1) + "\n\ndata: [DONE]\n\n"
		}
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(reply))}, err
	})
	client := directClient{Client: openinference.NewClientWithConfig(config, openinference.WithTracerProvider(r.provider))}
	contexts := make([]context.Context, sessions)
	for i := range contexts {
		contexts[i] = openinference.WithSession(context.Background(), fmt.Sprint("session-", i))
	}
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for turn := range turns {
				for i := worker; i < sessions; i += workers {
					call := endpointCalls[(i+turn)%2].call // plain and streamed
					if err := call(contexts[i], client, fmt.Sprint("session-", i)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, span := range r.Ended() {
		wantOwn(t, span)
		count[attr(span, openinference.SessionIDKey)]++
	}
	for id, n := range count {
		if n != turns {
			t.Errorf("%s: got %d spans, want %d", id, n, turns)
		}
	}
	if len(count) != sessions {
		t.Errorf("got %d sessions, want %d", len(count), sessions)
	}
}

// TestProviderChangesUnderLoad replaces the global provider and shuts the old one down
// while calls are under way. The calls do not notice, and each span that was started ends.
func TestProviderChangesUnderLoad(t *testing.T) {
	old := otel.GetTracerProvider()
	t.Cleanup(func() { otel.SetTracerProvider(old) })
	var recorders []*recorder
	change := func() {
		r := newRecorder()
		recorders = append(recorders, r)
		otel.SetTracerProvider(r.provider)
		if len(recorders) > 1 {
			if err := recorders[len(recorders)-2].provider.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
	change()
	client := newDirectClient(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id := fmt.Sprint("session-", i)
			ctx := openinference.WithSession(context.Background(), id)
			for turn := 0; ; turn++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := endpointCalls[(i+turn)%len(endpointCalls)].call(ctx, client, id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 100 {
		ask(t, context.Background(), client.Client, "hi") // so that each provider has something to do
		change()
	}
	close(stop)
	wg.Wait()
	spans := 0
	for _, r := range recorders {
		for _, span := range r.Ended() {
			spans++
			if attr(span, openinference.SessionIDKey) != "" {
				wantOwn(t, span)
			}
		}
		for _, span := range r.Started() {
			if span.IsRecording() {
				t.Errorf("a span of %s has not ended", attr(span, openinference.SessionIDKey))
			}
		}
	}
	if spans < 100 {
		t.Errorf("got %d spans, want one for each provider at least", spans)
	}
}
