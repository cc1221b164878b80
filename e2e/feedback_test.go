//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/feedback"
	"github.com/go-openinference/openinference/mocks"
)

func newFeedback(t *testing.T) *feedback.Client {
	t.Helper()
	client, err := feedback.NewClient(feedback.WithEndpoint(server.url))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func score(name string, score float64, identifier string) feedback.Annotation {
	return feedback.Annotation{Name: name, Score: &score, Identifier: identifier}
}

func TestFeedback(t *testing.T) {
	project, session := names(t)
	tp := newProvider(t, project)
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	client := newClient(t, tp, mocks.Chat("It is sunny there."), mocks.Error(http.StatusTooManyRequests, "Slow down."))
	var roots []trace.SpanContext
	answer := func(ctx context.Context, question string) (string, error) {
		roots = append(roots, openinference.NearestSpanContext(ctx))
		resp, err := client.CreateChatCompletion(ctx, ask(question))
		if err != nil {
			return "", err
		}
		return resp.Choices[0].Message.Content, nil
	}
	if _, err := openinference.Turn(adas(t, session), tracer, "Turn", "How is Oslo?", answer); err != nil {
		t.Fatal(err)
	}
	if _, err := openinference.Turn(adas(t, session), tracer, "Turn", "And Bergen?", answer); err == nil {
		t.Fatal("got no error, want that of the model")
	}

	reader := newFeedback(t)
	sent := make(chan error, 1)
	go func() { // before the spans are there
		sent <- reader.Send(t.Context(),
			feedback.OnSpan(roots[0], score("thumb", 0, ""), feedback.Annotation{
				Name: "tone", Label: "dry", Score: new(0.5), Explanation: "No greeting, caf\xe9.",
				Kind: feedback.LLM, Identifier: "judge-v2", Metadata: map[string]any{"rubric": 2},
			}),
			feedback.OnTrace(roots[0], score("thumb", 1, "")),
			feedback.OnSession(" "+session, score("resolved", 0, "ada"), score("resolved", 1, "bob"),
				feedback.Annotation{Name: "language", Label: "en", Kind: feedback.Code}))
	}()
	shutdown(t, tp)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	// The same name and identifier replaces.
	if err := reader.Send(t.Context(), feedback.OnSession(session, score("resolved", 0.5, "ada"))); err != nil {
		t.Fatal(err)
	}

	server.wantPage(t, project, session, page{
		User: "ada", Turns: 2, Failed: 1, FirstInput: "How is Oslo?", Prompt: 3, Completion: 4, Cost: cost(3, 4),
	})
	sessions, err := reader.Sessions(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	want := []feedback.Session{{
		ID: session, User: "ada", Turns: 2, Errors: 1, PromptTokens: 3, CompletionTokens: 4, Cost: cost(3, 4),
		Scores: map[string]float64{"resolved": 0.75},
	}}
	clock := cmpopts.IgnoreTypes(time.Time{}, time.Duration(0))
	if diff := gocmp.Diff(want, sessions, clock, cmpopts.EquateApprox(1e-6, 0)); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	if s := sessions[0]; s.Latency <= 0 || !s.End.After(s.Start) || time.Since(s.Start) > time.Hour {
		t.Errorf("got latency %v, start %v, end %v", s.Latency, s.Start, s.End)
	}

	turns, err := reader.Transcript(t.Context(), session)
	if err != nil {
		t.Fatal(err)
	}
	failure := "error, status code: 429, status: 429 Too Many Requests, message: Slow down."
	wantTurns := []feedback.Turn{
		{
			Root: roots[0].WithRemote(true), Input: "How is Oslo?", Output: "It is sunny there.",
			Scores: map[string]float64{"thumb": 0.5, "tone": 0.5},
		},
		{Root: roots[1].WithRemote(true), Input: "And Bergen?", Errors: []string{"ChatCompletion: " + failure, "Turn: " + failure}},
	}
	if diff := gocmp.Diff(wantTurns, turns, clock, cmpopts.EquateEmpty(), gocmp.Comparer(trace.SpanContext.Equal)); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}

	var stored struct{ Data []map[string]any }
	server.call(t, http.MethodGet, "/v1/projects/"+project+"/span_annotations?include_annotation_names=tone&span_ids="+roots[0].SpanID().String(), nil, &stored)
	if len(stored.Data) != 1 {
		t.Fatalf("got %d annotations of the name tone, want 1", len(stored.Data))
	}
	for key, want := range map[string]any{
		"annotator_kind": "LLM", "identifier": "judge-v2", "metadata": map[string]any{"rubric": 2.0},
		"result": map[string]any{"label": "dry", "score": 0.5, "explanation": "No greeting, caf\uFFFD."},
	} {
		if diff := gocmp.Diff(want, stored.Data[0][key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}

// More than a page of sessions, and of turns in one.
func TestFeedbackPages(t *testing.T) {
	const n = 101
	project, session := names(t)
	tp := newProvider(t, project)
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	var landed []feedback.Judgement
	turn := func(session, input string) {
		ctx, span := tracer.Start(adas(t, session), "Turn", openinference.KindChain)
		span.SetInput(input)
		span.End()
		landed = append(landed, feedback.OnSpan(openinference.NearestSpanContext(ctx), feedback.Annotation{Name: "seen", Label: "yes"}))
	}
	for i := range n {
		turn(session, fmt.Sprint(i))
		turn(fmt.Sprint(session, "-", i), "Hi!")
	}
	shutdown(t, tp)
	client := newFeedback(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Send(ctx, landed...); err != nil {
		t.Fatal(err)
	}

	sessions, err := client.Sessions(ctx, project)
	if err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, s := range sessions {
		ids[s.ID] = true
	}
	if len(sessions) != n+1 || len(ids) != n+1 {
		t.Errorf("got %d sessions, %d different ones, want %d", len(sessions), len(ids), n+1)
	}
	turns, err := client.Transcript(ctx, session)
	if err != nil || len(turns) != n {
		t.Fatalf("got %d turns and error %v, want %d", len(turns), err, n)
	}
	for i, turn := range turns {
		if turn.Input != fmt.Sprint(i) {
			t.Errorf("got input %q of turn %d, want its number", turn.Input, i)
		}
	}
}

func TestFeedbackOnWhatIsNotThere(t *testing.T) {
	_, session := names(t)
	client := newFeedback(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	sent := client.Send(ctx, feedback.OnSession(session, score("thumb", 1, "")))
	_, read := client.Transcript(t.Context(), session)
	_, listed := client.Sessions(t.Context(), session)
	for _, err := range []error{sent, read, listed} {
		if !errors.Is(err, feedback.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	}
	reserved := client.Send(t.Context(), feedback.OnSession(session, feedback.Annotation{Name: "note", Label: "x"}))
	if reserved == nil || !strings.Contains(reserved.Error(), "reserved") {
		t.Errorf("got %v, want that note is reserved", reserved)
	}
}

func TestEvals(t *testing.T) {
	evals := exec.Command("go", "run", "../examples/evals")
	evals.Env = append(os.Environ(), "OPENAI_API_KEY=", "PHOENIX_COLLECTOR_ENDPOINT="+server.url)
	out, err := evals.CombinedOutput()
	if err != nil {
		t.Fatalf("evals: %v\n%s", err, out)
	}
	t.Logf("evals:\n%s", out)
	want := `
SESSION .*
refund-\w+ +bob +0\.60 +0\.80 +4 +0 +155 .* █▆▂▂ +turn 3: No! I want a refund, not an exchange!
login-\w+ +carol +0\.60 +0\.80 +5 +1 +151 .* █▂▄▂█ +turn 2: The link is wrong, it says 404\.
(?s:.*)
USER .*
carol (?s:.*)
ada +1\.00 +0\.00 +2 `
	if !regexp.MustCompile(want).Match(out) {
		t.Errorf("want %s", want)
	}
	if sessions, err := newFeedback(t).Sessions(t.Context(), "evals"); err != nil || len(sessions) != 5 {
		t.Errorf("got %d sessions and error %v, want 5", len(sessions), err)
	}
}
