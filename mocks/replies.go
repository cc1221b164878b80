package mocks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Chat answers a chat completion with content. A stream has a chunk for each
// word.
func Chat(content string) http.HandlerFunc {
	return textAnswer("content", strings.SplitAfter(content, " ")).serve
}

// ChatStream answers a chat completion with a chunk for each of deltas, or with
// all of them joined if the request doesn't ask for a stream.
func ChatStream(deltas ...string) http.HandlerFunc {
	return textAnswer("content", deltas).serve
}

// Refusal answers a chat completion with a message that has no content but
// declines, as a model does under structured outputs. A stream has a chunk for
// each word.
func Refusal(refusal string) http.HandlerFunc {
	return textAnswer("refusal", strings.SplitAfter(refusal, " ")).serve
}

// ToolCall answers a chat completion with one call of the function name.
// Arguments should be JSON but are sent as they are, in a stream in several
// fragments. Every reply has a new tool call id.
func ToolCall(name, arguments string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := "call_" + rand.Text()
		call := func(arguments string) object {
			return object{"id": id, "type": "function", "function": object{"name": name, "arguments": arguments}}
		}
		message := func(call object) object {
			return object{"role": "assistant", "content": nil, "refusal": nil, "tool_calls": []object{call}}
		}
		opening := call("")
		opening["index"] = 0
		deltas := []object{message(opening)}
		for _, fragment := range strings.SplitAfter(arguments, `"`) {
			deltas = append(deltas, object{"tool_calls": []object{{"index": 0, "function": object{"arguments": fragment}}}})
		}
		answer{
			message: message(call(arguments)),
			deltas:  deltas,
			finish:  openai.FinishReasonToolCalls,
			tokens:  words(name) + words(arguments),
		}.serve(w, r)
	}
}

// Embedding answers a request for embeddings with vector for every input, in
// base64 if the request's encoding_format is that. The numbers must be finite;
// JSON has no others.
func Embedding(vector ...float32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Model          string `json:"model"`
			Input          any    `json:"input"`
			EncodingFormat string `json:"encoding_format"`
		}
		if !decode(w, r, &req) {
			return
		}
		var encoded any = vector
		if req.EncodingFormat == "base64" {
			// Appending numbers to memory cannot fail.
			raw, _ := binary.Append(nil, binary.LittleEndian, vector)
			encoded = base64.StdEncoding.EncodeToString(raw)
		}
		data := make([]object, inputs(req.Input))
		for i := range data {
			data[i] = object{"object": "embedding", "index": i, "embedding": encoded}
		}
		tokens := words(req.Input)
		writeJSON(w, http.StatusOK, object{
			"object": "list",
			"data":   data,
			"model":  cmp.Or(req.Model, "text-embedding-3-small"),
			"usage":  object{"prompt_tokens": tokens, "total_tokens": tokens},
		})
	}
}

// Error fails a request with an HTTP status and OpenAI's error object, which
// go-openai returns as an [openai.APIError]. The error's type is "requests"
// (with the code "rate_limit_exceeded") for status 429, "server_error" from 500
// on, else "invalid_request_error".
func Error(status int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, status, apiError(status, message))
	}
}

// StreamError answers a chat completion with a chunk for each of deltas and
// then breaks the stream off with an error event, which go-openai returns as an
// [openai.APIError]. A request that doesn't ask for a stream fails as with
// [Error] and status 500.
func StreamError(message string, deltas ...string) http.HandlerFunc {
	a := textAnswer("content", deltas)
	a.failure = apiError(http.StatusInternalServerError, message)
	return a.serve
}

// JSON answers with an HTTP status and a body, sent as it is with the content
// type of JSON: for endpoints without a reply of their own, and for bodies that
// no server should send.
func JSON(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeHeader(w, status, "application/json")
		fmt.Fprint(w, body)
	}
}

// Stream answers with a stream of server-sent events, one for each of events:
// the text after "data: ", a single line, sent as it is. Nothing is added, so
// pass "[DONE]" last where the stream should end as OpenAI's chat streams do.
func Stream(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		writeHeader(w, http.StatusOK, eventStream)
		for _, event := range events {
			writeEvent(w, event)
		}
	}
}

// Slow delays reply: it waits d before the first byte, and where reply streams,
// before each further event as well. It waits no longer than the client does.
func Slow(reply http.HandlerFunc, d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reply(&slowWriter{w, r.Context(), d}, r)
	}
}

// HangUp sends the status, the headers and the first n bytes of the body of
// reply, then closes the connection; the client sees an unexpected EOF. A body
// of n bytes or fewer arrives whole. It ends its handler with
// [http.ErrAbortHandler], which a server of net/http recovers from.
func HangUp(reply http.HandlerFunc, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reply(&cutWriter{w, n}, r)
	}
}

// object is a JSON object. What is in a message or a delta varies, so a struct
// would not do.
type object map[string]any

// answer is the model's answer to a chat request.
type answer struct {
	message object   // the whole message
	deltas  []object // the same in pieces, the role first
	finish  openai.FinishReason
	tokens  int
	failure object // if set, what breaks the stream off
}

// textAnswer returns an answer that has nothing but the pieces of one field.
func textAnswer(field string, pieces []string) answer {
	message := func(text string) object {
		m := object{"role": "assistant", "content": nil, "refusal": nil}
		m[field] = text
		return m
	}
	deltas := []object{message("")}
	for _, piece := range pieces {
		deltas = append(deltas, object{field: piece})
	}
	whole := strings.Join(pieces, "")
	return answer{
		message: message(whole),
		deltas:  deltas,
		finish:  openai.FinishReasonStop,
		tokens:  words(whole),
	}
}

// completion is a chat.completion or, in a stream, a chat.completion.chunk.
type completion struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Created           int64    `json:"created"`
	Model             string   `json:"model"`
	ServiceTier       string   `json:"service_tier"`
	SystemFingerprint string   `json:"system_fingerprint"`
	Choices           []choice `json:"choices"`
	Usage             any      `json:"usage,omitempty"` // a *openai.Usage
}

type choice struct {
	Index        int                 `json:"index"`
	Message      object              `json:"message,omitzero"`
	Delta        object              `json:"delta,omitzero"`
	Logprobs     *struct{}           `json:"logprobs"` // always null
	FinishReason openai.FinishReason `json:"finish_reason"`
}

// serve answers a chat request with a, whole or as a stream.
func (a answer) serve(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Model    string `json:"model"`
		Messages []struct {
			Content any `json:"content"`
		} `json:"messages"`
		Stream        bool `json:"stream"`
		StreamOptions struct {
			IncludeUsage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	if !decode(w, r, &req) {
		return
	}
	usage := &openai.Usage{
		CompletionTokens:        a.tokens,
		PromptTokensDetails:     &openai.PromptTokensDetails{},
		CompletionTokensDetails: &openai.CompletionTokensDetails{},
	}
	for _, message := range req.Messages {
		usage.PromptTokens += words(message.Content)
	}
	usage.TotalTokens = usage.PromptTokens + usage.CompletionTokens
	c := completion{
		ID:                "chatcmpl-" + rand.Text(),
		Object:            "chat.completion",
		Created:           time.Now().Unix(),
		Model:             cmp.Or(req.Model, openai.GPT4oMini),
		ServiceTier:       "default",
		SystemFingerprint: "fp_mocks",
	}

	switch {
	case req.Stream:
		a.stream(w, c, usage, req.StreamOptions.IncludeUsage)
	case a.failure != nil:
		writeJSON(w, http.StatusInternalServerError, a.failure)
	default:
		c.Choices = []choice{{Message: a.message, FinishReason: a.finish}}
		c.Usage = usage
		writeJSON(w, http.StatusOK, c)
	}
}

// stream sends a in chunks that are copies of c.
func (a answer) stream(w http.ResponseWriter, c completion, usage *openai.Usage, includeUsage bool) {
	writeHeader(w, http.StatusOK, eventStream)
	c.Object = "chat.completion.chunk"
	if includeUsage {
		// OpenAI then has "usage": null in every chunk but the last.
		c.Usage = (*openai.Usage)(nil)
	}
	for _, delta := range a.deltas {
		c.Choices = []choice{{Delta: delta}}
		writeEvent(w, encode(c))
	}
	if a.failure != nil {
		writeEvent(w, encode(a.failure))
		return
	}
	c.Choices = []choice{{Delta: object{}, FinishReason: a.finish}}
	writeEvent(w, encode(c))
	if includeUsage {
		c.Choices = []choice{}
		c.Usage = usage
		writeEvent(w, encode(c))
	}
	writeEvent(w, "[DONE]")
}

// decode reads the JSON of a request into req. It refuses what isn't JSON and
// then returns false.
func decode(w http.ResponseWriter, r *http.Request, req any) bool {
	err := json.NewDecoder(r.Body).Decode(req)
	if err != nil {
		Error(http.StatusBadRequest, "mocks: decode the request: "+err.Error())(w, r)
	}
	return err == nil
}

// words counts the words of a decoded JSON value: those of a string, of a
// message's parts and of a list of inputs. A number is a token already.
func words(v any) int {
	switch v := v.(type) {
	case string:
		return len(strings.Fields(v))
	case float64:
		return 1
	case map[string]any:
		return words(v["text"])
	case []any:
		n := 0
		for _, item := range v {
			n += words(item)
		}
		return n
	}
	return 0
}

// inputs counts the inputs of a request for embeddings: a string, a list of
// tokens, or a list of either.
func inputs(v any) int {
	list, ok := v.([]any)
	if !ok {
		return 1
	}
	if len(list) > 0 {
		if _, ok := list[0].(float64); ok {
			return 1
		}
	}
	return len(list)
}

// apiError returns OpenAI's error object for an HTTP status.
func apiError(status int, message string) object {
	kind, code := "invalid_request_error", any(nil)
	switch {
	case status == http.StatusTooManyRequests:
		kind, code = "requests", "rate_limit_exceeded"
	case status >= http.StatusInternalServerError:
		kind = "server_error"
	}
	return object{"error": object{"message": message, "type": kind, "param": nil, "code": code}}
}

const eventStream = "text/event-stream; charset=utf-8"

// writeHeader sends the status and the headers of all replies.
func writeHeader(w http.ResponseWriter, status int, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Openai-Processing-Ms", "1")
	h.Set("Openai-Version", "2020-10-01")
	h.Set("X-Request-Id", "req_"+rand.Text())
	h.Set("X-Ratelimit-Limit-Requests", "10000")
	h.Set("X-Ratelimit-Limit-Tokens", "200000")
	h.Set("X-Ratelimit-Remaining-Requests", "9999")
	h.Set("X-Ratelimit-Remaining-Tokens", "199999")
	h.Set("X-Ratelimit-Reset-Requests", "8.64s")
	h.Set("X-Ratelimit-Reset-Tokens", "1ms")
	w.WriteHeader(status)
}

// writeJSON sends a whole reply.
func writeJSON(w http.ResponseWriter, status int, v any) {
	writeHeader(w, status, "application/json")
	fmt.Fprint(w, encode(v))
}

// writeEvent sends one event of a stream in one write and at once. It fails
// only when the client has gone, and so do those after it.
func writeEvent(w http.ResponseWriter, data string) {
	fmt.Fprintf(w, "data: %s\n\n", data)
	http.NewResponseController(w).Flush()
}

// encode returns v as JSON with <, > and & as they are, as OpenAI sends them.
func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // all that is encoded here can be
	return strings.TrimSuffix(b.String(), "\n")
}

// slowWriter waits before each write, or until ctx is done.
type slowWriter struct {
	http.ResponseWriter
	ctx context.Context
	d   time.Duration
}

func (w *slowWriter) Write(p []byte) (int, error) {
	select {
	case <-time.After(w.d):
		return w.ResponseWriter.Write(p)
	case <-w.ctx.Done():
		return 0, w.ctx.Err()
	}
}

// Unwrap lets [http.ResponseController] flush.
func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// cutWriter aborts its handler at the first byte for which none is left.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		_, _ = w.ResponseWriter.Write(p[:w.left])
		http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets [http.ResponseController] flush.
func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
