// Evals finds the conversations that went badly, and who had them. It reads the
// sessions of a project from Phoenix, has a model judge every turn and every session,
// writes the verdicts to Phoenix as annotations, and ranks sessions and users, worst
// first. Without a project it makes up some conversations first:
//
//	phoenix serve &
//	go run ./examples/evals
//	OPENAI_API_KEY=… go run ./examples/evals -project chatbot
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/feedback"
	"github.com/go-openinference/openinference/mocks"
	"github.com/sashabaranov/go-openai"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C waits for nothing
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "evals:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("evals", flag.ExitOnError)
	project := flags.String("project", "", "`name` of the project in Phoenix; made-up conversations if there is none")
	newest := flags.Int("n", 20, "`number` of sessions to judge at most, the newest ones")
	model := flags.String("model", openai.GPT4oMini, "`name` of the model that judges")
	_ = flags.Parse(args) // which exits where it fails

	phoenix, err := feedback.NewClient()
	if err != nil {
		return err
	}
	if *project == "" {
		*project = "evals"
		if err := play(ctx, phoenix, *project); err != nil {
			return err
		}
	}
	sessions, err := phoenix.Sessions(ctx, *project)
	if err != nil {
		return err
	}
	sessions = sessions[max(0, len(sessions)-max(0, *newest)):]

	config := openai.DefaultConfig(os.Getenv("OPENAI_API_KEY"))
	config.BaseURL = cmp.Or(os.Getenv("OPENAI_BASE_URL"), config.BaseURL)
	if os.Getenv("OPENAI_API_KEY") == "" {
		fmt.Fprintln(stdout, "OPENAI_API_KEY is not set: a mock plays the judge.")
		server := mocks.NewServer(mockJudge)
		defer server.Close()
		config = server.Config()
	}
	// The judge has a project of its own: its calls are not turns of the sessions.
	tp, err := export.Phoenix(ctx, export.WithHTTP(), export.WithProject(*project+"-judge"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tp.Shutdown(context.WithoutCancel(ctx))) }()
	j := &judge{
		client: openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp)),
		tracer: openinference.NewTracer(openinference.WithTracerProvider(tp)),
		model:  *model,
	}

	conversations := make(map[string]conversation)
	for _, s := range sessions {
		turns, err := phoenix.Transcript(ctx, s.ID)
		if err != nil {
			return err
		}
		c, err := j.conversation(ctx, turns)
		if err != nil {
			return fmt.Errorf("judge session %s: %w", s.ID, err)
		}
		if err := phoenix.Send(ctx, c.judgements(s.ID)...); err != nil {
			return err
		}
		conversations[s.ID] = c
	}

	// Again, now with the scores, those of human annotators among them.
	if sessions, err = phoenix.Sessions(ctx, *project); err != nil {
		return err
	}
	report(stdout, sessions, conversations)
	fmt.Fprintf(stdout, "\nWhere to look: Phoenix → project %s → Sessions; the judge at work: project %[1]s-judge\n", *project)
	return nil
}
