package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/feedback"
	"github.com/go-openinference/openinference/mocks"
	"github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/trace"
)

// scripts are the made-up conversations: questions, each with its answer, "" where the
// model fails.
var scripts = []struct {
	topic, user string
	turns       [][2]string
}{
	{"returns", "ada", [][2]string{
		{"How long can I return the shoes?", "You have 30 days from the day they arrived."},
		{"And who pays for the parcel?", "We do; the label is in the box."},
		{"Perfect, thank you.", "You are welcome. Enjoy your day."},
	}},
	{"refund", "bob", [][2]string{
		{"I want a refund for order 1187.", "Of course. May I have the order number?"},
		{"It is 1187, as I already said.", "Thank you. Do you want to exchange the order?"},
		{"No! I want a refund, not an exchange!", "Sorry, I can't find an exchange for you."},
		{"You still get it wrong. This is useless!", "Sorry, I can't help you with that."},
	}},
	{"invoice", "ada", [][2]string{
		{"Where do I find my invoice?", "Under Orders, at the foot of each order."},
		{"Can it have my VAT number?", "Yes: add it under Settings, and download the invoice again."},
	}},
	{"login", "carol", [][2]string{
		{"I can't log in.", "Reset the password with the link below the form."},
		{"The link is wrong, it says 404.", ""},
		{"Are you still there?", "Sorry, I can't see that. What is your question?"},
		{"The reset link is still wrong!", "The right one is on the help page, under Password."},
		{"That works.", "Good. Is there anything else?"},
	}},
	{"address", "bob", [][2]string{
		{"Please change my address to 4 Elm Street.", "Done. Parcels go to 4 Elm Street from now on."},
		{"Also for order 1190?", "Sorry, I can't change that one: it has left the house."},
	}},
}

// play has the conversations and waits until Phoenix shows them.
func play(ctx context.Context, phoenix *feedback.Client, project string) error {
	// Whether there is a Phoenix is better asked before than after.
	if _, err := phoenix.Sessions(ctx, project); err != nil && !errors.Is(err, feedback.ErrNotFound) {
		return err
	}
	tp, err := export.Phoenix(ctx, export.WithHTTP(), export.WithProject(project))
	if err != nil {
		return err
	}
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	var played []feedback.Judgement
	for _, script := range scripts {
		var replies []http.HandlerFunc
		for _, turn := range script.turns {
			reply := mocks.Chat(turn[1])
			if turn[1] == "" {
				reply = mocks.Error(http.StatusServiceUnavailable, "The server is overloaded.")
			}
			replies = append(replies, reply)
		}
		server := mocks.NewServer(replies...)
		client := openinference.NewClientWithConfig(server.Config(), openinference.WithTracerProvider(tp))
		ctx := openinference.WithUser(openinference.WithSession(ctx, script.topic+"-"+rand.Text()[:6]), script.user)
		req := openai.ChatCompletionRequest{Model: openai.GPT4oMini}
		for _, turn := range script.turns {
			var span trace.SpanContext
			_, _ = openinference.Turn(ctx, tracer, "Turn", turn[0], func(ctx context.Context, question string) (string, error) {
				span = openinference.NearestSpanContext(ctx)
				req.Messages = append(req.Messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: question})
				resp, err := client.CreateChatCompletion(ctx, req)
				if err != nil {
					return "", err // which belongs to the show
				}
				req.Messages = append(req.Messages, resp.Choices[0].Message)
				return resp.Choices[0].Message.Content, nil
			})
			played = append(played, feedback.OnSpan(span, feedback.Annotation{Name: "made up", Label: "yes", Kind: feedback.Code}))
		}
		server.Close()
	}
	if err := tp.Shutdown(ctx); err != nil {
		return err
	}
	return phoenix.Send(ctx, played...) // which waits for the spans
}

// mockJudge plays a model that counts words. Of the last turn it sees only that.
func mockJudge(w http.ResponseWriter, r *http.Request) {
	var req openai.ChatCompletionRequest
	var body bytes.Buffer
	if err := json.NewDecoder(io.TeeReader(r.Body, &body)).Decode(&req); err != nil {
		mocks.Error(http.StatusBadRequest, err.Error())(w, r)
		return
	}
	r.Body = io.NopCloser(&body) // for the reply
	text, weight := req.Messages[1].Content, 0.1
	if strings.HasSuffix(req.Messages[0].Content, lastTurn) {
		text, weight = text[strings.LastIndex("\n"+text, "\nUser: "):], 0.35
	}
	count := func(words ...string) (n float64) {
		for _, word := range words {
			n += float64(strings.Count(text, word))
		}
		return n
	}
	angry, useless := count("!", "already", "still", "wrong"), count("Sorry", "Error: ")
	answer, _ := json.Marshal(verdict{ // numbers and text can always be encoded
		Frustration: min(1, weight*(angry+useless)),
		Helpfulness: max(0, 1-weight*(angry+useless)/2),
		Explanation: "The mock has counted angry words and empty answers.",
	})
	mocks.Chat(string(answer))(w, r)
}
