package mocks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"

	"github.com/go-openinference/openinference/mocks"
	"github.com/sashabaranov/go-openai"
)

// A tool call, its result and the answer, and what the application sent.
func Example() {
	srv := mocks.NewServer(
		mocks.ToolCall("get_weather", `{"city":"Oslo"}`),
		mocks.Chat("It is sunny in Oslo."),
	)
	defer srv.Close()
	client := openai.NewClientWithConfig(srv.Config())

	ctx := context.Background()
	req := openai.ChatCompletionRequest{
		Model:    openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "How is Oslo?"}},
	}
	resp, err := client.CreateChatCompletion(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	message := resp.Choices[0].Message
	call := message.ToolCalls[0]
	fmt.Println(call.Function.Name, call.Function.Arguments)

	req.Messages = append(req.Messages, message, openai.ChatCompletionMessage{
		Role: openai.ChatMessageRoleTool, ToolCallID: call.ID, Content: "sunny",
	})
	resp, err = client.CreateChatCompletion(ctx, req)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Choices[0].Message.Content)

	for _, r := range srv.Requests() {
		var sent openai.ChatCompletionRequest
		if err := json.Unmarshal(r.Body, &sent); err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Method, r.Path, len(sent.Messages))
	}
	// Output:
	// get_weather {"city":"Oslo"}
	// It is sunny in Oslo.
	// POST /v1/chat/completions 1
	// POST /v1/chat/completions 3
}

// A stream that fails midway: a good application keeps what came before.
func ExampleStreamError() {
	srv := mocks.NewServer(mocks.StreamError("The server is overloaded.", "It is ", "sun"))
	defer srv.Close()
	client := openai.NewClientWithConfig(srv.Config())

	stream, err := client.CreateChatCompletionStream(context.Background(), openai.ChatCompletionRequest{
		Model:    openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "How is Oslo?"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer stream.Close()
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println("\nfailed:", err)
			break
		}
		fmt.Print(chunk.Choices[0].Delta.Content)
	}
	// Output:
	// It is sun
	// failed: error, The server is overloaded.
}
