package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/feedback"
	"github.com/sashabaranov/go-openai"
)

const (
	rubric = `You judge conversations between a user and an assistant. Answer with
"frustration", from 0 (the user is content) to 1 (the user is about to leave), with
"helpfulness", from 0 (the user got nothing) to 1 (the user got all that was asked for), and
with "explanation", one sentence that names the reason. An error means that the user got no
answer. Judge `
	lastTurn = "the last turn; what comes before is there to understand it."
	allTurns = "the conversation as a whole, and above all how it ends."
)

var schema = json.RawMessage(`{"type":"object","additionalProperties":false,
	"properties":{"frustration":{"type":"number"},"helpfulness":{"type":"number"},"explanation":{"type":"string"}},
	"required":["frustration","helpfulness","explanation"]}`)

// verdict is what the judge says of a turn or of a session.
type verdict struct {
	Frustration float64 `json:"frustration"`
	Helpfulness float64 `json:"helpfulness"`
	Explanation string  `json:"explanation"`
}

// score is 1 at its best and -1 at its worst.
func (v verdict) score() float64 { return v.Helpfulness - v.Frustration }

func (v verdict) annotations() []feedback.Annotation {
	annotation := func(name string, score float64) feedback.Annotation {
		// By the identifier the next run replaces this one's, and no other annotator's.
		return feedback.Annotation{Name: name, Score: &score, Explanation: v.Explanation, Kind: feedback.LLM, Identifier: "evals"}
	}
	return []feedback.Annotation{annotation("frustration", v.Frustration), annotation("helpfulness", v.Helpfulness)}
}

// conversation is a session with the verdicts on its turns and on the whole.
type conversation struct {
	turns    []feedback.Turn
	verdicts []verdict
	whole    verdict
}

func (c conversation) judgements(session string) []feedback.Judgement {
	judgements := []feedback.Judgement{feedback.OnSession(session, c.whole.annotations()...)}
	for i, t := range c.turns {
		judgements = append(judgements, feedback.OnTrace(t.Root, c.verdicts[i].annotations()...))
	}
	return judgements
}

type judge struct {
	client *openai.Client
	tracer *openinference.Tracer
	model  string
}

// conversation judges each turn, knowing those before it, and then the whole.
func (j *judge) conversation(ctx context.Context, turns []feedback.Turn) (c conversation, err error) {
	c.turns = turns
	var transcript strings.Builder
	for _, t := range turns {
		fmt.Fprintf(&transcript, "User: %s\n", t.Input)
		if t.Output != "" {
			fmt.Fprintf(&transcript, "Assistant: %s\n", t.Output)
		}
		for _, e := range t.Errors {
			fmt.Fprintf(&transcript, "Error: %s\n", e)
		}
		v, err := openinference.Call(ctx, j.tracer, "Judge a turn", openinference.KindEvaluator, transcript.String(), j.ask(lastTurn))
		if err != nil {
			return c, err
		}
		c.verdicts = append(c.verdicts, v)
	}
	c.whole, err = openinference.Call(ctx, j.tracer, "Judge a session", openinference.KindEvaluator, transcript.String(), j.ask(allTurns))
	return c, err
}

// ask returns a function that has the model judge that part of a transcript.
func (j *judge) ask(part string) func(context.Context, string) (verdict, error) {
	return func(ctx context.Context, transcript string) (v verdict, err error) {
		resp, err := j.client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
			Model: j.model,
			Messages: []openai.ChatCompletionMessage{
				{Role: openai.ChatMessageRoleSystem, Content: rubric + part},
				{Role: openai.ChatMessageRoleUser, Content: transcript},
			},
			ResponseFormat: &openai.ChatCompletionResponseFormat{
				Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
				JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "verdict", Schema: schema, Strict: true},
			},
		})
		if err != nil {
			return v, err
		}
		if len(resp.Choices) == 0 {
			return v, errors.New("the model gave no answer")
		}
		answer := resp.Choices[0].Message.Content
		if err := json.Unmarshal([]byte(answer), &v); err != nil {
			return v, fmt.Errorf("verdict %q: %w", answer, err)
		}
		return v, nil
	}
}
