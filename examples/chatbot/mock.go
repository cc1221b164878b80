package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-openinference/openinference/mocks"
	"github.com/sashabaranov/go-openai"
)

// mock plays a model that uses its tool when it is asked for the time.
func mock(w http.ResponseWriter, r *http.Request) {
	var req openai.ChatCompletionRequest
	var body bytes.Buffer
	if err := json.NewDecoder(io.TeeReader(r.Body, &body)).Decode(&req); err != nil {
		mocks.Error(http.StatusBadRequest, err.Error())(w, r)
		return
	}
	r.Body = io.NopCloser(&body) // for the reply
	last := req.Messages[len(req.Messages)-1]
	switch {
	case last.Role == openai.ChatMessageRoleTool:
		mocks.Chat(last.Content)(w, r)
	case strings.Contains(last.Content, "Tokyo"):
		mocks.ToolCall("time_in", `{"zone":"Asia/Tokyo"}`)(w, r)
	case strings.Contains(last.Content, "time"):
		mocks.ToolCall("time_in", `{"zone":"UTC"}`)(w, r)
	case len(req.Messages) == 1:
		mocks.Chat("I am a mock of a model, and all that I know is the time.")(w, r)
	default:
		mocks.Chat(fmt.Sprintf("You began with %q.", req.Messages[0].Content))(w, r)
	}
}
