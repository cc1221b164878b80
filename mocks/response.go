package mocks

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Response answers a request of the Responses API with a message that says
// text. A stream has a delta for each word.
func Response(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := "msg_" + rand.Text()
		part := func(text string) object {
			return object{"type": "output_text", "annotations": []object{}, "logprobs": []object{}, "text": text}
		}
		message := func(status string, content ...object) object {
			return object{"id": id, "type": "message", "status": status, "role": "assistant", "content": append([]object{}, content...)}
		}
		at := func(event object) object {
			event["item_id"], event["output_index"], event["content_index"] = id, 0, 0
			return event
		}
		events := []object{at(object{"type": "response.content_part.added", "part": part("")})}
		for _, delta := range strings.SplitAfter(text, " ") {
			events = append(events, at(object{"type": "response.output_text.delta", "delta": delta, "logprobs": []object{}}))
		}
		output{
			opened: message("in_progress"),
			events: append(events,
				at(object{"type": "response.output_text.done", "text": text, "logprobs": []object{}}),
				at(object{"type": "response.content_part.done", "part": part(text)})),
			item:   message("completed", part(text)),
			tokens: words(text),
		}.serve(w, r)
	}
}

// ResponseToolCall answers a request of the Responses API with one call of the
// function name. Arguments should be JSON but are sent as they are, in a stream
// in several fragments. Every reply has a new call id.
func ResponseToolCall(name, arguments string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, callID := "fc_"+rand.Text(), "call_"+rand.Text()
		call := func(status, arguments string) object {
			return object{"id": id, "type": "function_call", "status": status, "call_id": callID, "name": name, "arguments": arguments}
		}
		at := func(event object) object {
			event["item_id"], event["output_index"] = id, 0
			return event
		}
		var events []object
		for _, fragment := range strings.SplitAfter(arguments, `"`) {
			events = append(events, at(object{"type": "response.function_call_arguments.delta", "delta": fragment}))
		}
		output{
			opened: call("in_progress", ""),
			events: append(events, at(object{"type": "response.function_call_arguments.done", "arguments": arguments})),
			item:   call("completed", arguments),
			tokens: words(name) + words(arguments),
		}.serve(w, r)
	}
}

// output is what a response has to say: one item.
type output struct {
	opened object   // the item as a stream announces it
	events []object // that fill it
	item   object   // the whole item
	tokens int
}

// serve answers a request of the Responses API with o, whole or as a stream.
func (o output) serve(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Model              string  `json:"model"`
		Instructions       any     `json:"instructions"`
		Input              any     `json:"input"`
		PreviousResponseID *string `json:"previous_response_id"`
		Stream             bool    `json:"stream"`
	}
	if !decode(w, r, &req) {
		return
	}
	id, created := "resp_"+rand.Text(), time.Now().Unix()
	response := func(status string, usage any, items ...object) object {
		return object{
			"id":                   id,
			"object":               "response",
			"created_at":           created,
			"status":               status,
			"background":           false,
			"error":                nil,
			"incomplete_details":   nil,
			"instructions":         req.Instructions,
			"model":                cmp.Or(req.Model, openai.GPT4oMini),
			"output":               append([]object{}, items...),
			"parallel_tool_calls":  true,
			"previous_response_id": req.PreviousResponseID,
			"service_tier":         "default",
			"store":                true,
			"usage":                usage,
			"metadata":             object{},
		}
	}
	prompt := words(req.Instructions) + inputWords(req.Input)
	completed := response("completed", object{
		"input_tokens":          prompt,
		"input_tokens_details":  object{"cached_tokens": 0, "cache_write_tokens": 0},
		"output_tokens":         o.tokens,
		"output_tokens_details": object{"reasoning_tokens": 0},
		"total_tokens":          prompt + o.tokens,
	}, o.item)
	if !req.Stream {
		writeJSON(w, http.StatusOK, completed)
		return
	}

	events := []object{
		{"type": "response.created", "response": response("in_progress", nil)},
		{"type": "response.in_progress", "response": response("in_progress", nil)},
		{"type": "response.output_item.added", "output_index": 0, "item": o.opened},
	}
	events = append(events, o.events...)
	events = append(events,
		object{"type": "response.output_item.done", "output_index": 0, "item": o.item},
		object{"type": "response.completed", "response": completed})
	writeHeader(w, http.StatusOK, eventStream)
	for i, event := range events {
		event["sequence_number"] = i
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event["type"], encode(event))
		http.NewResponseController(w).Flush()
	}
}

// inputWords counts the words of an input: a string, or a list of messages and
// of what tools returned.
func inputWords(input any) int {
	items, ok := input.([]any)
	if !ok {
		return words(input)
	}
	n := 0
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			n += words(fields["content"]) + words(fields["output"])
		}
	}
	return n
}
