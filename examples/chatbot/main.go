// Chatbot is a chat that shows up as a session in Phoenix, in Arize AX or right in
// the terminal: a trace for each turn, with model calls and tool calls below it.
//
//	OPENAI_API_KEY=… go run ./examples/chatbot -export phoenix
package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
	"github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C waits for nothing
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, term.IsTerminal(int(os.Stdin.Fd()))); err != nil {
		fmt.Fprintln(os.Stderr, "chatbot:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer, terminal bool) error {
	flags := flag.NewFlagSet("chatbot", flag.ExitOnError)
	session := flags.String("session", time.Now().Format("chat-20060102-150405-")+rand.Text()[:6], "session `id`")
	user := flags.String("user", "you", "user `id`")
	backend := flags.String("export", "auto", "`backend` that spans go to: auto, console, phoenix or arize")
	model := flags.String("model", openai.GPT4oMini, "`name` of the model")
	_ = flags.Parse(args) // which exits where it fails
	if strings.TrimSpace(*session) == "" || strings.TrimSpace(*user) == "" {
		return errors.New("-session and -user must not be blank; leave them out for the defaults")
	}
	tp, place, err := newProvider(ctx, *backend, stdout)
	if err != nil {
		return err
	}
	config := openai.DefaultConfig(os.Getenv("OPENAI_API_KEY"))
	config.BaseURL = cmp.Or(os.Getenv("OPENAI_BASE_URL"), config.BaseURL)
	if os.Getenv("OPENAI_API_KEY") == "" {
		fmt.Fprintln(stdout, "OPENAI_API_KEY is not set: a mock plays the model.")
		server := mocks.NewServer(mock)
		defer server.Close()
		config = server.Config()
	}
	fmt.Fprintf(stdout, "Talking to %s at %s.\n\n", *model, config.BaseURL)

	bot := &chatbot{
		client: openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp), openinference.WithStreamUsage()),
		tracer: openinference.NewTracer(openinference.WithTracerProvider(tp)),
		req:    openai.ChatCompletionRequest{Model: *model, Tools: []openai.Tool{clock()}},
		out:    stdout,
	}
	failed := bot.chat(openinference.WithUser(openinference.WithSession(ctx, *session), *user), stdin, terminal)
	// Ctrl-C has cancelled ctx, but must not lose the last turn.
	if err := tp.Shutdown(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(failed, err)
	}
	fmt.Fprintf(stdout, "\nWhere to look: %s → %s\n", place, *session)
	if terminal {
		return nil // the errors have been seen
	}
	return failed
}

// newProvider returns where spans go, and words for it.
func newProvider(ctx context.Context, backend string, stdout io.Writer) (tp *sdktrace.TracerProvider, place string, err error) {
	auto := backend == "auto"
	arize := os.Getenv("ARIZE_SPACE_ID") != "" && os.Getenv("ARIZE_API_KEY") != ""
	phoenix := os.Getenv("PHOENIX_COLLECTOR_ENDPOINT") != "" || os.Getenv("PHOENIX_API_KEY") != ""
	switch {
	case auto && arize && phoenix:
		err = errors.New("variables of both Arize and Phoenix are set; choose with -export arize or -export phoenix")
	case backend == "arize" || auto && arize:
		project := cmp.Or(os.Getenv("ARIZE_PROJECT_NAME"), "chatbot")
		place = "Arize AX → project " + project + " → Sessions"
		tp, err = export.Arize(ctx, export.WithProject(project))
	case backend == "phoenix" || auto && phoenix:
		project := cmp.Or(os.Getenv("PHOENIX_PROJECT"), os.Getenv("PHOENIX_PROJECT_NAME"), "chatbot")
		ui := cmp.Or(strings.TrimSuffix(os.Getenv("PHOENIX_COLLECTOR_ENDPOINT"), "/v1/traces"), "Phoenix (by default http://localhost:6006)")
		place = ui + " → project " + project + " → Sessions"
		tp, err = export.Phoenix(ctx, export.WithProject(project))
	case backend == "console" || auto:
		tp, place = export.Console(stdout), "above"
	default:
		err = fmt.Errorf("-export %q: want auto, console, phoenix or arize", backend)
	}
	return tp, place, err
}

type chatbot struct {
	client *openai.Client
	tracer *openinference.Tracer
	req    openai.ChatCompletionRequest // with the conversation so far
	out    io.Writer
}

// chat answers the lines of stdin or, if there are none, three of its own.
func (b *chatbot) chat(ctx context.Context, stdin io.Reader, terminal bool) (failed error) {
	r, w := io.Pipe() // Ctrl-C can end its reads, unlike those of stdin
	go func() { _, err := io.Copy(w, stdin); w.CloseWithError(err) }()
	context.AfterFunc(ctx, func() { w.Close() })
	in := bufio.NewReader(r)
	if !terminal {
		if _, err := in.Peek(1); err == io.EOF {
			in.Reset(strings.NewReader("Hello! Who are you?\nWhat time is it in Tokyo?\nWhat did I ask first?"))
		}
	}
	for lines := bufio.NewScanner(in); ; {
		fmt.Fprint(b.out, "> ")
		if ctx.Err() != nil || !lines.Scan() {
			fmt.Fprintln(b.out)
			return errors.Join(failed, lines.Err(), context.Cause(ctx))
		}
		question := strings.TrimSpace(lines.Text())
		if !terminal {
			fmt.Fprintln(b.out, question)
		}
		if question == "" {
			continue
		}
		if _, err := openinference.Turn(ctx, b.tracer, "Turn", question, b.answer); err != nil {
			fmt.Fprintf(b.out, "error: %v\n\n", err)
			failed = errors.New("not every question was answered")
		}
	}
}

// answer is one turn: it asks the model until that has no more use for its tool.
func (b *chatbot) answer(ctx context.Context, question string) (string, error) {
	defer fmt.Fprint(b.out, "\n\n")
	req := b.req
	req.Messages = append(req.Messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: question})
	for range 5 {
		message, err := b.ask(ctx, req)
		if err != nil {
			return "", err
		}
		req.Messages = append(req.Messages, message)
		if len(message.ToolCalls) == 0 {
			b.req = req // only now, so that a turn that fails is forgotten
			return message.Content, nil
		}
		for _, call := range message.ToolCalls {
			req.Messages = append(req.Messages, b.use(ctx, call))
		}
	}
	return "", errors.New("no answer after 5 rounds of tool calls")
}

// ask prints what the model says as it comes, and returns it whole.
func (b *chatbot) ask(ctx context.Context, req openai.ChatCompletionRequest) (message openai.ChatCompletionMessage, err error) {
	stream, err := b.client.CreateChatCompletionStream(ctx, req)
	if err != nil {
		return message, err
	}
	defer stream.Close()
	message.Role = openai.ChatMessageRoleAssistant
	var indices []int // of message.ToolCalls
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return message, nil
		}
		if err != nil {
			return message, err
		}
		for _, choice := range chunk.Choices {
			fmt.Fprint(b.out, choice.Delta.Content)
			message.Content += choice.Delta.Content
			for _, part := range choice.Delta.ToolCalls {
				index := *cmp.Or(part.Index, new(len(indices))) // some servers leave it out
				if i := slices.Index(indices, index); i >= 0 {
					message.ToolCalls[i].Function.Arguments += part.Function.Arguments
					continue
				}
				part.Index = nil // which requests do not have
				indices, message.ToolCalls = append(indices, index), append(message.ToolCalls, part)
			}
		}
	}
}
