package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
	_ "time/tzdata" // for machines without time zones of their own

	"github.com/go-openinference/openinference"
	"github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/trace"
)

// clock is the tool that the model may use.
func clock() openai.Tool {
	return openai.Tool{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
		Name:        "time_in",
		Description: "Tells the time in a time zone, such as Asia/Tokyo.",
		Parameters:  json.RawMessage(`{"type":"object","properties":{"zone":{"type":"string"}},"required":["zone"]}`),
	}}
}

// use does what the model calls for, and returns what to tell it.
func (b *chatbot) use(ctx context.Context, call openai.ToolCall) openai.ChatCompletionMessage {
	name, arguments := call.Function.Name, call.Function.Arguments
	fmt.Fprintf(b.out, "[%s %s]\n", name, arguments)
	result, err := openinference.Call(ctx, b.tracer, name, openinference.KindTool, arguments,
		func(_ context.Context, arguments string) (string, error) {
			if name != "time_in" {
				return "", fmt.Errorf("there is no tool %q", name)
			}
			return timeIn(arguments)
		},
		trace.WithAttributes(openinference.ToolNameKey.String(name), openinference.ToolIDKey.String(call.ID)))
	if err != nil {
		result = "error: " + err.Error() // the model may know what to do
	}
	return openai.ChatCompletionMessage{Role: openai.ChatMessageRoleTool, ToolCallID: call.ID, Content: result}
}

// timeIn tells the time in a zone, UTC if there is none in the arguments.
func timeIn(arguments string) (string, error) {
	var in struct{ Zone string }
	if err := json.Unmarshal([]byte(arguments), &in); err != nil {
		return "", err
	}
	zone, err := time.LoadLocation(in.Zone)
	if err != nil {
		return "", err
	}
	return time.Now().In(zone).Format("It is 15:04 on Monday, 2 January, in ") + zone.String() + ".", nil
}
