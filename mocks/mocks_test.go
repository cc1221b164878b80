package mocks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-openinference/openinference/mocks"
	"github.com/google/go-cmp/cmp"
	"github.com/sashabaranov/go-openai"
)

// newServer returns a server that is closed with the test, and a client of it.
func newServer(t *testing.T, replies ...http.HandlerFunc) (*mocks.Server, *openai.Client) {
	t.Helper()
	srv := mocks.NewServer(replies...)
	t.Cleanup(srv.Close)
	return srv, openai.NewClientWithConfig(srv.Config())
}

// ask returns a chat request of four words.
func ask() openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model: openai.GPT4o,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: "Be brief."},
			{Role: openai.ChatMessageRoleUser, MultiContent: []openai.ChatMessagePart{
				{Type: openai.ChatMessagePartTypeText, Text: "Say hello."},
			}},
		},
	}
}

// chat asks for a whole message.
func chat(t *testing.T, client *openai.Client) openai.ChatCompletionResponse {
	t.Helper()
	resp, err := client.CreateChatCompletion(t.Context(), ask())
	if err != nil {
		t.Fatalf("chat: %v", err)
	}
	if len(resp.Choices) != 1 {
		t.Fatalf("got %d choices, want 1", len(resp.Choices))
	}
	return resp
}

// stream asks for a stream and returns its chunks, and the error that ended it.
func stream(t *testing.T, client *openai.Client, req openai.ChatCompletionRequest) ([]openai.ChatCompletionStreamResponse, error) {
	s, err := client.CreateChatCompletionStream(t.Context(), req)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var chunks []openai.ChatCompletionStreamResponse
	for {
		chunk, err := s.Recv()
		if err != nil {
			return chunks, err
		}
		chunks = append(chunks, chunk)
	}
}

// deltas returns the deltas of the chunks that have one, and the last finish
// reason.
func deltas(chunks []openai.ChatCompletionStreamResponse) ([]openai.ChatCompletionStreamChoiceDelta, openai.FinishReason) {
	var (
		all    []openai.ChatCompletionStreamChoiceDelta
		finish openai.FinishReason
	)
	for _, chunk := range chunks {
		for _, choice := range chunk.Choices {
			all = append(all, choice.Delta)
			finish = choice.FinishReason
		}
	}
	return all, finish
}

func TestChatAnswersWhole(t *testing.T) {
	tests := []struct {
		name   string
		reply  http.HandlerFunc
		want   openai.ChatCompletionMessage
		finish openai.FinishReason
		tokens int
	}{
		{"chat", mocks.Chat("Hello <you> & me."), openai.ChatCompletionMessage{Content: "Hello <you> & me."}, openai.FinishReasonStop, 4},
		{"empty", mocks.Chat(""), openai.ChatCompletionMessage{}, openai.FinishReasonStop, 0},
		{"stream", mocks.ChatStream("Hel", "lo", " you."), openai.ChatCompletionMessage{Content: "Hello you."}, openai.FinishReasonStop, 2},
		{"refusal", mocks.Refusal("I can't."), openai.ChatCompletionMessage{Refusal: "I can't."}, openai.FinishReasonStop, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, client := newServer(t, test.reply)
			resp := chat(t, client)
			test.want.Role = openai.ChatMessageRoleAssistant
			if diff := cmp.Diff(test.want, resp.Choices[0].Message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			if got := resp.Choices[0].FinishReason; got != test.finish {
				t.Errorf("got finish reason %q, want %q", got, test.finish)
			}
			want := openai.Usage{
				PromptTokens: 4, CompletionTokens: test.tokens, TotalTokens: 4 + test.tokens,
				PromptTokensDetails:     &openai.PromptTokensDetails{},
				CompletionTokensDetails: &openai.CompletionTokensDetails{},
			}
			if diff := cmp.Diff(want, resp.Usage); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepliesLookLikeOpenAIs(t *testing.T) {
	_, client := newServer(t, mocks.Chat("Hello."))
	resp, again := chat(t, client), chat(t, client)
	if resp.Object != "chat.completion" || resp.Model != openai.GPT4o {
		t.Errorf("got object %q and model %q, want chat.completion and the request's", resp.Object, resp.Model)
	}
	if !strings.HasPrefix(resp.ID, "chatcmpl-") || resp.ID == again.ID {
		t.Errorf("got ids %q and %q, want two that start with chatcmpl-", resp.ID, again.ID)
	}
	if age := time.Since(time.Unix(resp.Created, 0)); age < 0 || age > time.Hour {
		t.Errorf("got a reply created %v ago, want now", age)
	}
	if id := resp.Header().Get("X-Request-Id"); !strings.HasPrefix(id, "req_") || id == again.Header().Get("X-Request-Id") {
		t.Errorf("got request id %q, want a fresh one that starts with req_", id)
	}
	if got := resp.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("got content type %q", got)
	}
	limits := resp.GetRateLimitHeaders()
	if limits.LimitRequests == 0 || limits.RemainingTokens == 0 || limits.ResetTokens == "" {
		t.Errorf("got rate limits %+v, want all set", limits)
	}
}

func TestModelHasADefault(t *testing.T) {
	srv, _ := newServer(t, mocks.Chat("Hello."))
	resp, err := http.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Model string }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Model != "gpt-4o-mini" {
		t.Errorf("got model %q and error %v, want gpt-4o-mini", got.Model, err)
	}
}

func TestChatStreams(t *testing.T) {
	type delta = openai.ChatCompletionStreamChoiceDelta
	tests := []struct {
		name  string
		reply http.HandlerFunc
		want  []delta
	}{
		{"chat by word", mocks.Chat("Hello to you."), []delta{
			{Role: "assistant"}, {Content: "Hello "}, {Content: "to "}, {Content: "you."}, {},
		}},
		{"stream by delta", mocks.ChatStream("Hel", "lo"), []delta{
			{Role: "assistant"}, {Content: "Hel"}, {Content: "lo"}, {},
		}},
		{"stream of nothing", mocks.ChatStream(), []delta{{Role: "assistant"}, {}}},
		{"refusal by word", mocks.Refusal("I can't."), []delta{
			{Role: "assistant"}, {Refusal: "I "}, {Refusal: "can't."}, {},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, client := newServer(t, test.reply)
			chunks, err := stream(t, client, ask())
			if err != io.EOF {
				t.Errorf("got error %v, want EOF", err)
			}
			got, finish := deltas(chunks)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("deltas (-want +got):\n%s", diff)
			}
			if finish != openai.FinishReasonStop {
				t.Errorf("got finish reason %q, want stop", finish)
			}
			for _, chunk := range chunks {
				if chunk.ID != chunks[0].ID || chunk.Object != "chat.completion.chunk" || chunk.Model != openai.GPT4o {
					t.Errorf("got chunk %+v, want the stream's id, chat.completion.chunk and the request's model", chunk)
				}
				if chunk.Usage != nil {
					t.Errorf("got usage %+v, want none without include_usage", chunk.Usage)
				}
			}
		})
	}
}

func TestStreamEndsWithUsageOnRequest(t *testing.T) {
	_, client := newServer(t, mocks.ChatStream("Hello ", "you."))
	req := ask()
	req.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	chunks, err := stream(t, client, req)
	if err != io.EOF || len(chunks) != 5 {
		t.Fatalf("got %d chunks and error %v, want 5 and EOF", len(chunks), err)
	}
	for _, chunk := range chunks[:4] {
		if chunk.Usage != nil || len(chunk.Choices) != 1 {
			t.Errorf("got chunk %+v, want a choice and no usage", chunk)
		}
	}
	last := chunks[4]
	if last.Choices == nil || len(last.Choices) != 0 {
		t.Errorf("got choices %v, want an empty list", last.Choices)
	}
	if last.Usage == nil || last.Usage.PromptTokens != 4 || last.Usage.CompletionTokens != 2 || last.Usage.TotalTokens != 6 {
		t.Errorf("got usage %+v, want 4 + 2 tokens", last.Usage)
	}
}

func TestToolCall(t *testing.T) {
	const arguments = `{"city":"Oslo","days":2}`
	_, client := newServer(t, mocks.ToolCall("get_weather", arguments))

	resp := chat(t, client)
	if resp.Choices[0].FinishReason != openai.FinishReasonToolCalls || resp.Usage.CompletionTokens == 0 {
		t.Errorf("got finish reason %q and usage %+v, want tool_calls and tokens", resp.Choices[0].FinishReason, resp.Usage)
	}
	calls := resp.Choices[0].Message.ToolCalls
	if len(calls) != 1 || calls[0].Type != openai.ToolTypeFunction || !strings.HasPrefix(calls[0].ID, "call_") {
		t.Fatalf("got tool calls %+v, want a function with an id", calls)
	}
	if got, want := calls[0].Function, (openai.FunctionCall{Name: "get_weather", Arguments: arguments}); got != want {
		t.Errorf("got call %+v, want %+v", got, want)
	}

	chunks, err := stream(t, client, ask())
	if err != io.EOF {
		t.Errorf("got error %v, want EOF", err)
	}
	all, finish := deltas(chunks)
	if finish != openai.FinishReasonToolCalls {
		t.Errorf("got finish reason %q, want tool_calls", finish)
	}
	if len(all) < 4 {
		t.Fatalf("got deltas %+v, want several fragments", all)
	}
	var joined string
	for i, delta := range all[:len(all)-1] {
		if len(delta.ToolCalls) != 1 || delta.ToolCalls[0].Index == nil || *delta.ToolCalls[0].Index != 0 {
			t.Fatalf("got delta %+v, want a tool call with index 0", delta)
		}
		call := delta.ToolCalls[0]
		if first := i == 0; first != (call.ID != "") || first != (call.Function.Name == "get_weather") {
			t.Errorf("got call %+v in delta %d, want id and name in the first only", call, i)
		}
		if call.ID == calls[0].ID {
			t.Errorf("got id %q twice, want a fresh one", call.ID)
		}
		joined += call.Function.Arguments
	}
	if joined != arguments {
		t.Errorf("got arguments %q, want %q", joined, arguments)
	}
}

func TestEmbedding(t *testing.T) {
	tests := []struct {
		name           string
		req            openai.EmbeddingRequest
		inputs, tokens int
	}{
		{"a string", openai.EmbeddingRequest{Input: "two words"}, 1, 2},
		{"strings", openai.EmbeddingRequest{Input: []string{"one", "two words"}}, 2, 3},
		{"tokens", openai.EmbeddingRequest{Input: []int{1, 2, 3}}, 1, 3},
		{"lists of tokens", openai.EmbeddingRequest{Input: [][]int{{1, 2}, {3}}}, 2, 3},
		{"none", openai.EmbeddingRequest{Input: []string{}}, 0, 0},
		{"base64", openai.EmbeddingRequest{Input: []string{"one", "two"}, EncodingFormat: openai.EmbeddingEncodingFormatBase64}, 2, 2},
	}
	_, client := newServer(t, mocks.Embedding(0.1, -2, 3e-20))
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.req.Model = openai.LargeEmbedding3
			resp, err := client.CreateEmbeddings(t.Context(), test.req)
			if err != nil {
				t.Fatal(err)
			}
			want := make([]openai.Embedding, test.inputs)
			for i := range want {
				want[i] = openai.Embedding{Object: "embedding", Embedding: []float32{0.1, -2, 3e-20}, Index: i}
			}
			if diff := cmp.Diff(want, resp.Data); diff != "" {
				t.Errorf("embeddings (-want +got):\n%s", diff)
			}
			if want := (openai.Usage{PromptTokens: test.tokens, TotalTokens: test.tokens}); resp.Usage != want {
				t.Errorf("got usage %+v, want %+v", resp.Usage, want)
			}
			if resp.Model != openai.LargeEmbedding3 || resp.Object != "list" {
				t.Errorf("got model %q and object %q, want the request's and list", resp.Model, resp.Object)
			}
		})
	}
}

func TestError(t *testing.T) {
	tests := []struct {
		status int
		kind   string
		code   any
	}{
		// The code is null, which go-openai reads as 0.
		{http.StatusBadRequest, "invalid_request_error", 0},
		{http.StatusTooManyRequests, "requests", "rate_limit_exceeded"},
		{http.StatusInternalServerError, "server_error", 0},
		{http.StatusServiceUnavailable, "server_error", 0},
	}
	for _, test := range tests {
		t.Run(http.StatusText(test.status), func(t *testing.T) {
			_, client := newServer(t, mocks.Error(test.status, "no luck"))
			_, err := client.CreateChatCompletion(t.Context(), ask())
			got := apiError(t, err)
			if got.HTTPStatusCode != test.status || got.Message != "no luck" || got.Type != test.kind || got.Code != test.code {
				t.Errorf("got %#v, want status %d, message %q, type %q, code %v", got, test.status, "no luck", test.kind, test.code)
			}
			if _, streamErr := client.CreateChatCompletionStream(t.Context(), ask()); streamErr == nil || streamErr.Error() != err.Error() {
				t.Errorf("got error %v from the stream, want %v", streamErr, err)
			}
		})
	}
}

// apiError returns the API error that err wraps.
func apiError(t *testing.T, err error) *openai.APIError {
	t.Helper()
	var apiErr *openai.APIError
	if !errors.As(err, &apiErr) {
		t.Fatalf("got error %v (%T), want an APIError", err, err)
	}
	return apiErr
}

func TestStreamErrorBreaksOffAfterDeltas(t *testing.T) {
	_, client := newServer(t, mocks.StreamError("overloaded", "Hel", "lo"))
	chunks, err := stream(t, client, ask())
	if got := apiError(t, err); got.Message != "overloaded" || got.Type != "server_error" {
		t.Errorf("got %#v, want a server error that says overloaded", got)
	}
	got, _ := deltas(chunks)
	want := []openai.ChatCompletionStreamChoiceDelta{{Role: "assistant"}, {Content: "Hel"}, {Content: "lo"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deltas (-want +got):\n%s", diff)
	}

	_, err = client.CreateChatCompletion(t.Context(), ask())
	if got := apiError(t, err); got.Message != "overloaded" || got.HTTPStatusCode != http.StatusInternalServerError {
		t.Errorf("got %#v, want status 500 and overloaded", got)
	}
}

func TestJSONIsSentAsItIs(t *testing.T) {
	_, client := newServer(t,
		mocks.JSON(http.StatusOK, `{"data":[{"id":"gpt-4o"}]}`),
		mocks.JSON(http.StatusBadGateway, "<html>"),
	)
	models, err := client.ListModels(t.Context())
	if err != nil || len(models.Models) != 1 || models.Models[0].ID != "gpt-4o" {
		t.Errorf("got %+v and error %v, want one model", models, err)
	}
	_, err = client.ListModels(t.Context())
	var reqErr *openai.RequestError
	if !errors.As(err, &reqErr) || reqErr.HTTPStatusCode != http.StatusBadGateway || string(reqErr.Body) != "<html>" {
		t.Errorf("got error %v, want a RequestError with the body", err)
	}
}

func TestStreamIsSentAsItIs(t *testing.T) {
	srv, _ := newServer(t, mocks.Stream(`{"a":1}`, "[DONE]"))
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if want := "data: {\"a\":1}\n\ndata: [DONE]\n\n"; err != nil || string(body) != want {
		t.Errorf("got %q and error %v, want %q", body, err, want)
	}
	if got, want := resp.Header.Get("Content-Type"), "text/event-stream; charset=utf-8"; got != want {
		t.Errorf("got content type %q, want %q", got, want)
	}
}

// flushChecker notices a write that follows one which wasn't flushed.
type flushChecker struct {
	http.ResponseWriter
	writes, flushed int
	late            bool
}

func (w *flushChecker) Write(p []byte) (int, error) {
	w.late = w.late || w.flushed < w.writes
	w.writes++
	return w.ResponseWriter.Write(p)
}

func (w *flushChecker) Flush() { w.flushed = w.writes }

func TestEachChunkIsFlushed(t *testing.T) {
	w := &flushChecker{ResponseWriter: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"stream":true}`))
	mocks.ChatStream("Hel", "lo")(w, r)
	if w.writes != 5 || w.flushed != 5 || w.late {
		t.Errorf("got %d writes, %d flushed, late: %v, want 5, each flushed before the next", w.writes, w.flushed, w.late)
	}
}

func TestSlowWaitsBeforeEachWrite(t *testing.T) {
	tests := []struct {
		name, request string
		writes        int
	}{
		{"whole", `{}`, 1},
		{"stream", `{"stream":true}`, 5}, // role, two deltas, finish, [DONE]
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(test.request))
				w := httptest.NewRecorder()
				start := time.Now()
				mocks.Slow(mocks.ChatStream("Hel", "lo"), time.Minute)(w, r)
				if got, want := time.Since(start), time.Duration(test.writes)*time.Minute; got != want {
					t.Errorf("got a reply in %v, want %v", got, want)
				}
				if w.Body.Len() == 0 {
					t.Error("got no body")
				}
			})
		})
	}
}

func TestSlowStopsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"stream":true}`))
		w := httptest.NewRecorder()
		start := time.Now()
		mocks.Slow(mocks.ChatStream("Hel", "lo"), time.Hour)(w, r)
		if got := time.Since(start); got != time.Minute || w.Body.Len() != 0 {
			t.Errorf("got body %q after %v, want none after %v", w.Body, got, time.Minute)
		}
	})
}

func TestHangUp(t *testing.T) {
	t.Run("whole", func(t *testing.T) {
		_, client := newServer(t, mocks.HangUp(mocks.Chat("Hello."), 20))
		if _, err := client.CreateChatCompletion(t.Context(), ask()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got error %v, want unexpected EOF", err)
		}
	})
	t.Run("headers only", func(t *testing.T) {
		_, client := newServer(t, mocks.HangUp(mocks.Error(http.StatusTeapot, "no luck"), 0))
		_, err := client.CreateChatCompletion(t.Context(), ask())
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "reading response body") {
			t.Errorf("got error %v, want unexpected EOF in the body", err)
		}
	})
	t.Run("stream", func(t *testing.T) {
		events := []string{`{"choices":[{"delta":{"content":"Hel"}}]}`, `{"choices":[{"delta":{"content":"lo"}}]}`, "[DONE]"}
		_, client := newServer(t, mocks.HangUp(mocks.Stream(events...), len("data: \n\n")+len(events[0])+10))
		chunks, err := stream(t, client, ask())
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(chunks) != 1 {
			t.Errorf("got %d chunks and error %v, want 1 and unexpected EOF", len(chunks), err)
		}
	})
	t.Run("after the end", func(t *testing.T) {
		_, client := newServer(t, mocks.HangUp(mocks.JSON(http.StatusOK, `{"choices":[{}]}`), len(`{"choices":[{}]}`)))
		chat(t, client)
	})
	t.Run("slowly", func(t *testing.T) {
		_, client := newServer(t,
			mocks.HangUp(mocks.Slow(mocks.ChatStream("Hel", "lo"), time.Millisecond), 300),
			mocks.Slow(mocks.HangUp(mocks.ChatStream("Hel", "lo"), 300), time.Millisecond),
		)
		for range 2 {
			chunks, err := stream(t, client, ask())
			if !errors.Is(err, io.ErrUnexpectedEOF) || len(chunks) != 1 {
				t.Errorf("got %d chunks and error %v, want 1 and unexpected EOF", len(chunks), err)
			}
		}
	})
}

func TestRepliesComeInOrderAndTheLastRepeats(t *testing.T) {
	_, client := newServer(t, mocks.Chat("one"), mocks.Chat("two"))
	for _, want := range []string{"one", "two", "two"} {
		if got := chat(t, client).Choices[0].Message.Content; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNoRepliesIsAClearError(t *testing.T) {
	_, client := newServer(t)
	_, err := client.CreateChatCompletion(t.Context(), ask())
	if got := apiError(t, err); !strings.Contains(got.Message, "no reply") || got.HTTPStatusCode != http.StatusNotFound {
		t.Errorf("got error %v, want status 404 that says there is no reply", got)
	}
}

func TestRequestThatIsNotJSONIsRefused(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{"chat": mocks.Chat("Hello."), "embedding": mocks.Embedding(1)} {
		t.Run(name, func(t *testing.T) {
			srv, _ := newServer(t, reply)
			resp, err := http.Post(srv.URL+"/v1", "application/json", strings.NewReader(`{"model":`))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var body openai.ErrorResponse
			if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.Error == nil {
				t.Fatalf("got error object %v and error %v, want one", body.Error, err)
			}
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body.Error.Message, "decode the request") {
				t.Errorf("got %v and status %d, want 400 that says why", body.Error, resp.StatusCode)
			}
		})
	}
}

func TestRequestsAreRecorded(t *testing.T) {
	srv, _ := newServer(t, mocks.Chat("Hello."))
	config := openai.DefaultAzureConfig("secret", srv.URL)
	chat(t, openai.NewClientWithConfig(config))

	got := srv.Requests()
	if len(got) != 1 {
		t.Fatalf("got %d requests, want 1", len(got))
	}
	const path = "/openai/deployments/gpt-4o/chat/completions"
	if got[0].Method != http.MethodPost || got[0].Path != path || got[0].URL != path+"?api-version=2023-05-15" {
		t.Errorf("got %s %s (%s), want POST to Azure's path", got[0].Method, got[0].URL, got[0].Path)
	}
	if key := got[0].Header.Get("Api-Key"); key != "secret" {
		t.Errorf("got key %q, want secret", key)
	}
	want, err := json.Marshal(ask())
	if err != nil {
		t.Fatal(err)
	}
	if string(got[0].Body) != string(want) {
		t.Errorf("got body %s, want %s", got[0].Body, want)
	}

	got[0].Header.Set("Api-Key", "changed")
	got[0].Body[0] = '!'
	if again := srv.Requests()[0]; again.Header.Get("Api-Key") != "secret" || again.Body[0] != '{' {
		t.Errorf("got %+v after a change to an earlier result, want a copy", again)
	}
}

func TestCloseCutsOffOpenReplies(t *testing.T) {
	started, failed := make(chan struct{}), make(chan error)
	var ended bool
	srv, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		close(started)
		mocks.Slow(mocks.Chat("Hello."), time.Hour)(w, r)
		ended = true
	})
	go func() {
		_, err := client.CreateChatCompletion(t.Context(), ask())
		failed <- err
	}()
	<-started
	srv.Close()
	if !ended {
		t.Error("the reply still runs after Close")
	}
	if err := <-failed; err == nil {
		t.Error("got a reply, want an error")
	}
}

func TestServerServesConcurrently(t *testing.T) {
	srv, client := newServer(t, mocks.Chat("Hello to you."))
	const calls = 20
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			req := ask()
			req.Model = fmt.Sprintf("model-%d", i)
			resp, err := client.CreateChatCompletion(t.Context(), req)
			if err != nil || resp.Model != req.Model {
				t.Errorf("got model %q and error %v, want %q", resp.Model, err, req.Model)
			}
			srv.Requests()
		})
		wg.Go(func() {
			chunks, err := stream(t, client, ask())
			if err != io.EOF || len(chunks) != 5 {
				t.Errorf("got %d chunks and error %v, want 5 and EOF", len(chunks), err)
			}
		})
	}
	wg.Wait()
	if got := len(srv.Requests()); got != 2*calls {
		t.Errorf("got %d requests, want %d", got, 2*calls)
	}
}
