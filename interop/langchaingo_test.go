package interop_test

import (
	"context"
	"net/http"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

func newLangChain(baseURL string, httpClient *http.Client) (*openai.LLM, error) {
	return openai.New(openai.WithBaseURL(baseURL), openai.WithToken("sk-mocks"), openai.WithModel(model),
		openai.WithEmbeddingModel("text-embedding-3-small"), openai.WithHTTPClient(httpClient))
}

func langChainTools(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	llm, err := newLangChain(baseURL, httpClient)
	if err != nil {
		return nil, err
	}
	messages := []llms.MessageContent{
		llms.TextParts(llms.ChatMessageTypeSystem, system),
		llms.TextParts(llms.ChatMessageTypeHuman, question),
	}
	tools := llms.WithTools([]llms.Tool{{Type: "function", Function: &llms.FunctionDefinition{Name: tool}}})
	first, err := llm.GenerateContent(ctx, messages, tools)
	if err != nil {
		return nil, err
	}
	call := first.Choices[0].ToolCalls[0]
	messages = append(messages,
		llms.MessageContent{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{call}},
		llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{
			llms.ToolCallResponse{ToolCallID: call.ID, Name: tool, Content: weather},
		}})
	second, err := llm.GenerateContent(ctx, messages, tools)
	return []*llms.ContentResponse{first, second}, err
}

func langChainStream(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	llm, err := newLangChain(baseURL, httpClient)
	if err != nil {
		return nil, err
	}
	var chunks []string
	whole, err := llm.Call(ctx, question, llms.WithStreamingFunc(func(_ context.Context, chunk []byte) error {
		chunks = append(chunks, string(chunk))
		return nil
	}))
	return append(chunks, whole), err
}

func langChainEmbed(ctx context.Context, baseURL string, httpClient *http.Client) (any, error) {
	llm, err := newLangChain(baseURL, httpClient)
	if err != nil {
		return nil, err
	}
	return llm.CreateEmbedding(ctx, []string{"rain", "wind"})
}
