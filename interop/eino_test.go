package interop_test

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/cloudwego/eino-ext/components/model/openai"
	"github.com/cloudwego/eino/schema"
)

// newEino returns eino's client, which is made of a fork of go-openai.
func newEino(ctx context.Context, baseURL string, httpClient *http.Client) (*openai.ChatModel, error) {
	return openai.NewChatModel(ctx, &openai.ChatModelConfig{BaseURL: baseURL, APIKey: "sk-mocks", Model: model, HTTPClient: httpClient})
}

func einoTools(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	chatModel, err := newEino(ctx, baseURL, httpClient)
	if err != nil {
		return nil, err
	}
	withTools, err := chatModel.WithTools([]*schema.ToolInfo{{Name: tool, ParamsOneOf: schema.NewParamsOneOfByParams(map[string]*schema.ParameterInfo{
		"city": {Type: schema.String},
	})}})
	if err != nil {
		return nil, err
	}
	messages := []*schema.Message{schema.SystemMessage(system), schema.UserMessage(question)}
	first, err := withTools.Generate(ctx, messages)
	if err != nil {
		return nil, err
	}
	messages = append(messages, first, schema.ToolMessage(weather, first.ToolCalls[0].ID))
	second, err := withTools.Generate(ctx, messages)
	return []*schema.Message{first, second}, err
}

func einoStream(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	chatModel, err := newEino(ctx, baseURL, httpClient)
	if err != nil {
		return nil, err
	}
	stream, err := chatModel.Stream(ctx, []*schema.Message{schema.UserMessage(question)})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var messages []*schema.Message
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return messages, nil
		}
		if err != nil {
			return messages, err
		}
		messages = append(messages, message)
	}
}
