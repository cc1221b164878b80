// Rag is an agent that answers from documents and with a tool: a search, a model
// call that asks for the tool, the tool, and the answer. Each is a step of one turn
// in Phoenix, with its documents, its scores and its place in the agent's graph.
//
//	go run ./examples/rag -export phoenix "What should I pack for Oslo?"
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
	"github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rag:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("rag", flag.ExitOnError)
	session := flags.String("session", "rag-demo", "session `id`")
	user := flags.String("user", "you", "user `id`")
	backend := flags.String("export", "console", "`backend` that spans go to: console, phoenix or arize")
	_ = flags.Parse(args) // which exits where it fails
	question := cmp.Or(strings.Join(flags.Args(), " "), "What should I pack for Oslo?")

	tp, err := newProvider(ctx, *backend, stdout)
	if err != nil {
		return err
	}
	config := openai.DefaultConfig(os.Getenv("OPENAI_API_KEY"))
	config.BaseURL = cmp.Or(os.Getenv("OPENAI_BASE_URL"), config.BaseURL)
	if os.Getenv("OPENAI_API_KEY") == "" {
		fmt.Fprintln(stdout, "OPENAI_API_KEY is not set: a mock plays the model.")
		server := mocks.NewServer(
			mocks.ToolCall("weather", `{"city":"Oslo"}`),
			mocks.Chat("Rain is on its way, so take the raincoat and boots; the museum wants quiet shoes."))
		defer server.Close()
		config = server.Config()
	}
	ctx = openinference.WithUser(openinference.WithSession(ctx, *session), *user)
	answer, failed := newGuide(config, tp).turn(ctx, question)
	fmt.Fprintf(stdout, "> %s\n%s\n", question, answer)
	return errors.Join(failed, tp.Shutdown(context.WithoutCancel(ctx)))
}

func newProvider(ctx context.Context, backend string, stdout io.Writer) (*sdktrace.TracerProvider, error) {
	switch backend {
	case "console":
		return export.Console(stdout), nil
	case "phoenix":
		return export.Phoenix(ctx, export.WithProject("rag"))
	case "arize":
		return export.Arize(ctx, export.WithProject("rag"))
	}
	return nil, fmt.Errorf("-export %q: want console, phoenix or arize", backend)
}

// guide is the agent.
type guide struct {
	client *openai.Client
	tracer *openinference.Tracer
}

func newGuide(config openai.ClientConfig, tp *sdktrace.TracerProvider) *guide {
	return &guide{
		client: openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp)),
		tracer: openinference.NewTracer(openinference.WithTracerProvider(tp)),
	}
}

// turn answers a question as one turn of the session.
func (g *guide) turn(ctx context.Context, question string) (string, error) {
	return openinference.Turn(ctx, g.tracer, "turn", question, func(ctx context.Context, question string) (string, error) {
		return openinference.Call(ctx, g.tracer, "guide", openinference.KindAgent, question, g.answer)
	})
}

// answer searches, and then asks the model until that has no more use for its tool.
func (g *guide) answer(ctx context.Context, question string) (string, error) {
	span := openinference.SpanFromContext(ctx)
	span.SetAgent("guide")
	span.SetGraphNode("guide", "Travel guide", "")
	found, err := openinference.Call(ctx, g.tracer, "search", openinference.KindRetriever, question, search)
	if err != nil {
		return "", err
	}
	req := openai.ChatCompletionRequest{
		Model: openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: "Answer from this alone:\n" + strings.Join(found, "\n")},
			{Role: openai.ChatMessageRoleUser, Content: question},
		},
		Tools: []openai.Tool{{Type: openai.ToolTypeFunction, Function: forecast()}},
	}
	for range 5 {
		resp, err := g.client.CreateChatCompletion(ctx, req)
		if err != nil {
			return "", err
		}
		if len(resp.Choices) == 0 {
			return "", errors.New("the model has no answer")
		}
		message := resp.Choices[0].Message
		if len(message.ToolCalls) == 0 {
			return message.Content, nil
		}
		req.Messages = append(req.Messages, message)
		for _, call := range message.ToolCalls {
			result, err := openinference.Call(ctx, g.tracer, call.Function.Name, openinference.KindTool, call.Function.Arguments,
				func(ctx context.Context, _ string) (string, error) { return weather(ctx, call) })
			if err != nil {
				result = "error: " + err.Error() // the model may know what to do
			}
			req.Messages = append(req.Messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleTool, ToolCallID: call.ID, Content: result})
		}
	}
	return "", errors.New("no answer after 5 rounds of tool calls")
}

// library is what the agent knows.
func library() []openinference.Document {
	return []openinference.Document{
		{ID: "oslo-1", Content: "In Oslo pack a raincoat and boots from September to April.", Metadata: map[string]any{"chapter": "weather"}},
		{ID: "oslo-2", Content: "The museum in Oslo wants quiet shoes.", Metadata: map[string]any{"chapter": "museums"}},
		{ID: "rome-1", Content: "In Rome take a hat.", Metadata: map[string]any{"chapter": "weather"}},
	}
}

// search finds the documents that have words of the query, those with most first.
func search(ctx context.Context, query string) ([]string, error) {
	wanted := words(query)
	var found []openinference.Document
	for _, d := range library() {
		there, n := words(d.Content), 0
		for _, word := range wanted {
			if slices.Contains(there, word) {
				n++
			}
		}
		if n > 0 {
			d.Score = new(float64(n) / float64(len(wanted)))
			found = append(found, d)
		}
	}
	slices.SortStableFunc(found, func(a, b openinference.Document) int { return cmp.Compare(*b.Score, *a.Score) })
	span := openinference.SpanFromContext(ctx)
	span.SetDocuments(found...)
	span.SetGraphNode("search", "Search", "guide")
	var texts []string
	for _, d := range found {
		texts = append(texts, d.Content)
	}
	return texts, nil
}

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
}

// forecast is the tool that the model may use.
func forecast() *openai.FunctionDefinition {
	return &openai.FunctionDefinition{
		Name:        "weather",
		Description: "Tells the weather of tomorrow in a city.",
		Parameters:  json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`),
	}
}

// weather answers a call of the tool.
func weather(ctx context.Context, call openai.ToolCall) (string, error) {
	tool, span := forecast(), openinference.SpanFromContext(ctx)
	if call.Function.Name != tool.Name {
		return "", fmt.Errorf("there is no tool %q", call.Function.Name)
	}
	span.SetTool(openinference.Tool{Name: tool.Name, Description: tool.Description, Parameters: tool.Parameters, CallID: call.ID})
	span.SetGraphNode("weather", "Weather", "guide")
	var in struct{ City string }
	if err := json.Unmarshal([]byte(call.Function.Arguments), &in); err != nil {
		return "", err
	}
	return "Rain in " + in.City + ".", nil
}
