package openinference_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/feedback"
	"github.com/go-openinference/openinference/mocks"
)

// TestREADME finds each code block of the README in this file, where it is run.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := withoutIndent(string(source))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) == 0 {
		t.Fatal("the README has no code")
	}
	for _, block := range blocks {
		if !strings.Contains(code, withoutIndent(block[1])) {
			t.Errorf("this block of the README is not in readme_test.go:\n%s", block[1])
		}
	}
}

func withoutIndent(s string) string {
	return regexp.MustCompile(`(?m)^\s+`).ReplaceAllString(s, "")
}

// world gives the README's code what it needs: all requests to the API reach a mock,
// and spans a collector, whose batches are counted.
func world(t *testing.T, replies ...http.HandlerFunc) (srv *mocks.Server, batches *atomic.Int32) {
	t.Helper()
	srv = mocks.NewServer(replies...)
	t.Cleanup(srv.Close)
	target, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	old := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = old })
	http.DefaultTransport = roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host = target.Scheme, target.Host
		return old.RoundTrip(req)
	})
	batches = new(atomic.Int32)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		batches.Add(1)
	}))
	t.Cleanup(collector.Close)
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", collector.URL+"/v1/traces")
	t.Setenv("ARIZE_COLLECTOR_ENDPOINT", collector.URL+"/v1/traces")
	t.Setenv("ARIZE_SPACE_ID", "space")
	t.Setenv("ARIZE_API_KEY", "key")
	return srv, batches
}

func TestREADMEUse(t *testing.T) {
	_, batches := world(t, mocks.Chat("Cloudy."))
	use := func(ctx context.Context, key string, req openai.ChatCompletionRequest) error {
		tp, err := export.Phoenix(ctx, export.WithProject("chatbot"))
		if err != nil {
			return err
		}
		defer tp.Shutdown(context.WithoutCancel(ctx)) // Ctrl-C must not lose the last turn

		client := openinference.NewClient(key, openinference.WithTracerProvider(tp))
		ctx = openinference.WithUser(openinference.WithSession(ctx, "chat-42"), "ada")
		resp, err := client.CreateChatCompletion(ctx, req)
		if err == nil && resp.Choices[0].Message.Content != "Cloudy." {
			t.Errorf("got %v, want the answer", resp)
		}
		return err
	}
	if err := use(t.Context(), "key", chatRequest("Oslo?")); err != nil {
		t.Fatal(err)
	}
	if batches.Load() == 0 {
		t.Error("no span arrived")
	}
}

func TestREADMEMiddleware(t *testing.T) {
	old := http.DefaultServeMux
	t.Cleanup(func() { http.DefaultServeMux = old })
	http.DefaultServeMux = http.NewServeMux()
	var got openinference.Attributes
	chat := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = openinference.AttributesFromContext(r.Context())
	})
	withSession := openinference.Middleware(func(r *http.Request) openinference.Attributes {
		return openinference.Attributes{SessionID: r.Header.Get("X-Session-ID"), UserID: r.Header.Get("X-User-ID")}
	})
	http.Handle("/chat", withSession(chat))

	req := httptest.NewRequest(http.MethodGet, "/chat", nil)
	req.Header.Set("X-Session-ID", "chat-42")
	http.DefaultServeMux.ServeHTTP(httptest.NewRecorder(), req)
	if got.SessionID != "chat-42" {
		t.Errorf("got session %q, want chat-42", got.SessionID)
	}
}

func TestREADMETurn(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("Take a coat."))
	ctx, tp, question := t.Context(), r.provider, "Do I need a coat in Oslo?"
	forecast := func(_ context.Context, city string) (string, error) { return "cloudy in " + city, nil }
	prompt := func(question, sky string) openai.ChatCompletionRequest { return chatRequest(sky, question) }

	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	weather := openinference.Traced(tracer, "weather", openinference.KindTool, forecast)

	answer, err := openinference.Turn(ctx, tracer, "turn", question, func(ctx context.Context, question string) (string, error) {
		sky, err := weather(ctx, "Oslo")
		if err != nil {
			return "", err
		}
		resp, err := client.CreateChatCompletion(ctx, prompt(question, sky))
		if err != nil {
			return "", err
		}
		return resp.Choices[0].Message.Content, nil
	})
	if answer != "Take a coat." || err != nil || len(r.Ended()) != 3 {
		t.Errorf("got %q, %v and %d spans, want the answer and 3", answer, err, len(r.Ended()))
	}
}

// TestREADMEExport runs what the README shows of package export.
func TestREADMEExport(t *testing.T) {
	ctx := t.Context()
	for name, provider := range map[string]func() (*sdktrace.TracerProvider, error){
		"Phoenix": func() (*sdktrace.TracerProvider, error) {
			tp, err := export.Phoenix(ctx) // localhost:4317, or PHOENIX_COLLECTOR_ENDPOINT, PHOENIX_API_KEY, PHOENIX_PROJECT
			return tp, err
		},
		"Arize": func() (*sdktrace.TracerProvider, error) {
			tp, err := export.Arize(ctx, export.WithProject("chatbot")) // ARIZE_SPACE_ID and ARIZE_API_KEY
			return tp, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, batches := world(t)
			tp, err := provider()
			if err != nil {
				t.Fatal(err)
			}
			_, span := openinference.NewTracer(openinference.WithTracerProvider(tp)).Start(ctx, "turn", openinference.KindChain)
			span.End()
			if err := tp.Shutdown(ctx); err != nil || batches.Load() != 1 {
				t.Errorf("got %v and %d batches, want one", err, batches.Load())
			}
		})
	}
}

func ExampleNewTracer() {
	tp := export.Console(os.Stdout) // the Sessions view in a terminal
	defer tp.Shutdown(context.Background())
}

func TestREADMEFeedback(t *testing.T) {
	var got string
	phoenix := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.URL.Path + " " + string(body)
		io.WriteString(w, `{"data":[{"id":"1"}]}`)
	}))
	defer phoenix.Close()
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", phoenix.URL)
	send := func(ctx context.Context) error {
		client, err := feedback.NewClient() // PHOENIX_COLLECTOR_ENDPOINT, PHOENIX_API_KEY
		if err != nil {
			return err
		}
		err = client.Send(ctx, feedback.OnSession("chat-42",
			feedback.Annotation{Name: "frustration", Label: "high", Score: new(0.9), Explanation: "asked three times"}))
		return err
	}
	if err := send(t.Context()); err != nil || !strings.HasPrefix(got, "/v1/session_annotations") || !strings.Contains(got, "asked three times") {
		t.Errorf("got %v and request %q, want the annotation of the session", err, got)
	}
}

func TestREADMEOtherServers(t *testing.T) {
	srv, _ := world(t, mocks.Chat("yes"))
	r := newRecorder()
	tp, key := r.provider, "key"
	ollama := func() *openai.Client {
		config := openai.DefaultConfig("ollama") // Ollama, vLLM, LM Studio and others with the API of OpenAI
		config.BaseURL = "http://localhost:11434/v1"
		client := openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp))
		return client
	}
	azure := func() *openai.Client {
		config := openai.DefaultAzureConfig(key, "https://my-resource.openai.azure.com")
		client := openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp))
		return client
	}
	ask(t, t.Context(), ollama(), "hi")
	ask(t, t.Context(), azure(), "hi")
	httpClient := &http.Client{Transport: openinference.NewTransport(nil, openinference.WithTracerProvider(tp))}
	resp, err := httpClient.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	spans := r.Ended()
	if len(spans) != 3 {
		t.Fatalf("got %d spans, want 3", len(spans))
	}
	for i, want := range []string{"", openinference.ProviderAzure, ""} {
		if got := attr(spans[i], openinference.LLMProviderKey); got != want {
			t.Errorf("span %d: got provider %q, want %q", i, got, want)
		}
	}
}

func TestREADMEMocks(t *testing.T) {
	srv := mocks.NewServer(mocks.ToolCall("get_weather", `{"city":"Oslo"}`), mocks.Chat("Cloudy, 7 °C."))
	defer srv.Close()
	client := openinference.NewClientWithConfig(srv.Config())
	ask(t, t.Context(), client, "hi")
	if n := len(srv.Requests()); n != 1 {
		t.Errorf("got %d requests, want 1", n)
	}
}
