//go:build e2e

// Package e2e_test proves against a real Phoenix that conversations show up in
// its Sessions view. It starts one itself, and installs it first where that is
// needed:
//
//	go test -tags e2e ./e2e
package e2e_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

var server *phoenix // without authentication

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	p, err := startPhoenix()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := p.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	server = p
	return m.Run()
}

// names returns a project for the test and a session that no other run has.
func names(t *testing.T) (project, session string) {
	project = strings.ReplaceAll(t.Name(), "/", "-")
	return project, project + "-" + rand.Text()
}

// newProvider returns a provider for the server that fails the test if a span
// is lost.
func newProvider(t *testing.T, project string) *sdktrace.TracerProvider {
	t.Helper()
	tp, err := export.Phoenix(t.Context(), exportTo(t, project)...)
	if err != nil {
		t.Fatal(err)
	}
	return tp
}

func exportTo(t *testing.T, project string) []export.Option {
	return []export.Option{
		export.WithEndpoint(server.grpc),
		export.WithProject(project),
		export.WithErrorHandler(func(err error) { t.Error(err) }),
	}
}

// newClient returns a traced client of a model that gives the replies.
func newClient(t *testing.T, tp *sdktrace.TracerProvider, replies ...http.HandlerFunc) *openai.Client {
	model := mocks.NewServer(replies...)
	t.Cleanup(model.Close)
	return openinference.NewClientWithConfig(model.Config(),
		openinference.WithTracerProvider(tp), openinference.WithStreamUsage())
}

func shutdown(t *testing.T, tp *sdktrace.TracerProvider) {
	t.Helper()
	if err := tp.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// adas is the context of a session of the user ada.
func adas(t *testing.T, session string) context.Context {
	return openinference.WithUser(openinference.WithSession(t.Context(), session), "ada")
}

func ask(question string) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model:    openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: question}},
	}
}

// cost is what Phoenix reckons for tokens of gpt-4o-mini, in dollars.
func cost(prompt, completion float64) float64 {
	return prompt*0.15e-6 + completion*0.6e-6
}

func TestChatbot(t *testing.T) {
	project, session := names(t)
	_, grpcPort, _ := strings.Cut(server.grpc, ":")
	chatbot := exec.Command("go", "run", "../examples/chatbot", "-session", session, "-user", "ada", "-export", "phoenix")
	chatbot.Stdin = strings.NewReader("Hello!\nWhat time is it in Tokyo?\nThank you.\n")
	chatbot.Env = append(os.Environ(),
		"OPENAI_API_KEY=", "PHOENIX_COLLECTOR_ENDPOINT="+server.url, "PHOENIX_GRPC_PORT="+grpcPort, "PHOENIX_PROJECT="+project)
	if out, err := chatbot.CombinedOutput(); err != nil {
		t.Fatalf("chatbot: %v\n%s", err, out)
	}

	out, err := exec.Command("./accept.sh", project, session, "ada", "3", server.url).CombinedOutput()
	if err != nil {
		t.Errorf("accept.sh: %v", err)
	}
	t.Logf("accept.sh:\n%s", out)
	if got := server.page(t, project, session).FirstInput; got != "Hello!" {
		t.Errorf("got first input %q, want Hello!", got)
	}
	// Three turns, an answer for each, and a tool call with the answer that asks for it.
	kinds := make(map[string]int)
	for _, s := range server.spans(t, project, session, 8) {
		kinds[s.SpanKind]++
	}
	if kinds["CHAIN"] != 3 || kinds["LLM"] != 4 || kinds["TOOL"] != 1 {
		t.Errorf("got spans of kinds %v, want 3 CHAIN, 4 LLM and 1 TOOL", kinds)
	}
}

func TestStreamAlone(t *testing.T) {
	project, session := names(t)
	tp := newProvider(t, project)
	stream, err := newClient(t, tp, mocks.ChatStream("It is ", "sunny", " there.")).
		CreateChatCompletionStream(adas(t, session), ask("How is Oslo?"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for err == nil {
		_, err = stream.Recv()
	}
	if err != io.EOF {
		t.Fatalf("got error %v, want EOF", err)
	}
	shutdown(t, tp)

	server.wantPage(t, project, session, page{
		User: "ada", Turns: 1, FirstInput: "How is Oslo?", LastOutput: "It is sunny there.",
		Prompt: 3, Completion: 4, Cost: cost(3, 4),
	})
}

func TestFailedCall(t *testing.T) {
	project, session := names(t)
	tp := newProvider(t, project)
	_, err := newClient(t, tp, mocks.Error(http.StatusTooManyRequests, "Slow down.")).
		CreateChatCompletion(adas(t, session), ask("How is Oslo?"))
	if err == nil {
		t.Fatal("got no error, want that of the model")
	}
	shutdown(t, tp)

	server.wantPage(t, project, session, page{User: "ada", Turns: 1, Failed: 1, FirstInput: "How is Oslo?"})
	s := server.spans(t, project, session, 1)[0]
	if s.StatusCode != "ERROR" || s.StatusMessage != err.Error() {
		t.Errorf("got status %s %q, want ERROR %q", s.StatusCode, s.StatusMessage, err)
	}
}

// A provider of the user's own keeps 128 attributes of the more than 400.
func TestLongChatUnderDefaultLimits(t *testing.T) {
	project, session := names(t)
	processor, err := export.PhoenixProcessor(t.Context(), exportTo(t, project)...)
	if err != nil {
		t.Fatal(err)
	}
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(processor))
	req := ask("")
	req.Messages = nil
	for i := range 100 {
		req.Messages = append(req.Messages,
			openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: fmt.Sprintf("question %d", i)},
			openai.ChatCompletionMessage{Role: openai.ChatMessageRoleAssistant, Content: fmt.Sprintf("answer %d", i)})
	}
	req.Messages[199] = openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: "the end"}
	if _, err := newClient(t, tp, mocks.Chat("Good bye.")).CreateChatCompletion(adas(t, session), req); err != nil {
		t.Fatal(err)
	}
	shutdown(t, tp)

	server.wantPage(t, project, session, page{
		User: "ada", Turns: 1, FirstInput: "the end", LastOutput: "Good bye.",
		Prompt: 400, Completion: 2, Cost: cost(400, 2),
	})
	s := server.spans(t, project, session, 1)[0]
	if got := s.Attributes["llm.model_name"]; got != openai.GPT4oMini {
		t.Errorf("got model %v, want %s", got, openai.GPT4oMini)
	}
}

// One byte that isn't UTF-8 would cost all spans of a request.
func TestTextThatIsNotUTF8(t *testing.T) {
	const bad, mended = "caf\xe9", "caf\uFFFD"
	project, session := names(t)
	tp := newProvider(t, project)
	ctx := adas(t, session)

	ctx, turn := openinference.NewTracer(openinference.WithTracerProvider(tp)).Start(ctx, "Turn "+bad, openinference.KindChain)
	turn.SetInput(bad)
	client := newClient(t, tp, mocks.JSON(http.StatusOK,
		`{"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"`+bad+`"}}]}`))
	resp, err := client.CreateChatCompletion(openinference.WithTags(ctx, bad), ask(bad))
	if err != nil {
		t.Fatal(err)
	}
	_, step := tp.Tracer("another instrumentation").Start(ctx, "Step "+bad)
	step.SetAttributes(openinference.OpenInferenceSpanKindKey.String(string(openinference.KindTool)),
		openinference.SessionIDKey.String(session), openinference.InputValueKey.String(bad), attribute.String(bad, bad))
	step.End()
	turn.SetOutput(resp.Choices[0].Message.Content)
	turn.End()
	shutdown(t, tp)

	server.wantPage(t, project, session, page{User: "ada", Turns: 1, FirstInput: mended, LastOutput: mended})
	spans := server.spans(t, project, session, 3)
	for i, name := range []string{"ChatCompletion", "Step " + mended, "Turn " + mended} {
		if spans[i].Name != name {
			t.Errorf("got span %q, want %q", spans[i].Name, name)
		}
	}
	if got := spans[0].Attributes["llm.output_messages.0.message.content"]; got != mended {
		t.Errorf("got output message %q, want %q", got, mended)
	}
	if got := spans[1].Attributes[mended]; got != mended {
		t.Errorf("got foreign attribute %q, want %q", got, mended)
	}
}

// A request of more than 4 MiB is refused by gRPC, with all spans in it.
func TestLargeBatch(t *testing.T) {
	project, session := names(t)
	tp := newProvider(t, project)
	client := newClient(t, tp, mocks.Chat("Read."))
	for _, size := range []int{200, 400, 600, 800, 1024, 1024, 1024, 1024} { // KiB, 6 MiB together
		req := ask(strings.Repeat("x", size<<10))
		req.Messages = append(req.Messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: "Read this."})
		if _, err := client.CreateChatCompletion(adas(t, session), req); err != nil {
			t.Fatal(err)
		}
	}
	shutdown(t, tp)

	server.wantPage(t, project, session, page{
		User: "ada", Turns: 8, FirstInput: "Read this.", LastOutput: "Read.",
		Prompt: 24, Completion: 8, Cost: cost(24, 8),
	})
	for _, s := range server.spans(t, project, session, 8) {
		if history := s.Attributes["llm.input_messages.0.message.content"].(string); strings.Trim(history, "x") != "" {
			t.Errorf("got a history of %d bytes that was cut", len(history))
		}
	}
}

func TestLargeSpanIsCut(t *testing.T) {
	project, session := names(t)
	tp := newProvider(t, project)
	client := newClient(t, tp, mocks.Chat("Read."))
	// A span keeps 4 MiB of a text, which is still too much for one request.
	const size, kept = 5 << 20, 4 << 20
	if _, err := client.CreateChatCompletion(adas(t, session), ask(strings.Repeat("x", size))); err != nil {
		t.Fatal(err)
	}
	shutdown(t, tp)

	input := server.spans(t, project, session, 1)[0].Attributes["input.value"].(string)
	if want := fmt.Sprintf("…[truncated by openinference: %d bytes]", kept); !strings.HasSuffix(input, want) {
		t.Errorf("got an input of %d bytes that ends in %q, want %q", len(input), input[max(0, len(input)-100):], want)
	}
	server.wantPage(t, project, session, page{
		User: "ada", Turns: 1, FirstInput: input, LastOutput: "Read.",
		Prompt: 1, Completion: 1, Cost: cost(1, 1),
	})
}

func TestAPIKey(t *testing.T) {
	const key, wrong = "the-admin-secret-of-32-characters-1", "a-key-that-nobody-has-given-out"
	p, err := startPhoenix("PHOENIX_ENABLE_AUTH=true", "PHOENIX_SECRET=another-secret-of-32-characters-1", "PHOENIX_ADMIN_SECRET="+key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	p.key = key

	tests := []struct {
		name     string
		endpoint string
	}{
		{"gRPC", p.grpc},
		{"HTTP", p.url},
	}
	for _, test := range tests {
		t.Run(test.name+" wrong", func(t *testing.T) {
			project, session := names(t)
			var mu sync.Mutex
			var handled []error
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(test.endpoint), export.WithAPIKey(wrong),
				export.WithProject(project), export.WithErrorHandler(func(err error) {
					mu.Lock()
					defer mu.Unlock()
					handled = append(handled, err)
				}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := newClient(t, tp, mocks.Chat("Hello.")).CreateChatCompletion(adas(t, session), ask("Hi!")); err != nil {
				t.Errorf("got error %v from the model call, want none", err)
			}
			lost := tp.Shutdown(t.Context())

			mu.Lock()
			defer mu.Unlock()
			if len(handled) != 1 {
				t.Fatalf("the handler got %d errors, want 1: %v", len(handled), handled)
			}
			for from, err := range map[string]error{"the handler": handled[0], "Shutdown": lost} {
				if err == nil {
					t.Errorf("%s got no error", from)
					continue
				}
				for _, want := range []string{"rejected the API key", "PHOENIX_API_KEY", "1 span lost"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s got %q, want it to say %q", from, err, want)
					}
				}
				if strings.Contains(err.Error(), wrong) {
					t.Errorf("%s got %q, which has the key in it", from, err)
				}
			}
		})
		t.Run(test.name+" right", func(t *testing.T) {
			project, session := names(t)
			tp, err := export.Phoenix(t.Context(), export.WithEndpoint(test.endpoint), export.WithAPIKey(key), export.WithProject(project))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := newClient(t, tp, mocks.Chat("Hello.")).CreateChatCompletion(adas(t, session), ask("Hi!")); err != nil {
				t.Fatal(err)
			}
			shutdown(t, tp)
			p.wantPage(t, project, session, page{
				User: "ada", Turns: 1, FirstInput: "Hi!", LastOutput: "Hello.", Prompt: 1, Completion: 1, Cost: cost(1, 1),
			})
		})
	}
}
