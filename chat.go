package openinference

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// chatChunk is how the chunks of a chat completion make one.
var chatChunk = &rule{fields: map[string]*rule{
	"choices": {how: indexed, items: &rule{fields: map[string]*rule{
		"delta": {name: "message", fields: map[string]*rule{
			"content":           {how: concat},
			"refusal":           {how: concat},
			"reasoning_content": {how: concat},
			"reasoning":         {how: concat},
			"function_call":     {fields: map[string]*rule{"arguments": {how: concat}}},
			"audio":             {fields: map[string]*rule{"data": {how: concat}, "transcript": {how: concat}}},
			"tool_calls": {how: indexed, items: &rule{fields: map[string]*rule{
				"id":       {how: once},
				"function": {fields: map[string]*rule{"arguments": {how: concat}}},
				"custom":   {fields: map[string]*rule{"input": {how: concat}}},
			}}},
		}},
	}}},
}}

// chatRequest describes the request of a chat completion.
func chatRequest(body value) (x extract) {
	in := messages{list: LLMInputMessagesKey}
	var parameters object
	for key, m := range body.members() {
		switch key {
		case "messages":
			in.kvs = make([]attribute.KeyValue, 0, min(len(m)/64, 256)) // about as many as there will be
			for i, message := range m.items() {
				in.begin(int64(i))
				text, user := in.chat(message)
				if user {
					x.text = text
				}
			}
		case "tools", "functions":
			for _, tool := range m.items() {
				schema := readable(tool)
				if key == "functions" { // deprecated, but a tool to whoever reads the span
					schema = `{"type": "function", "function": ` + schema + `}`
				}
				x.tools = appendFound(x.tools, toolSchema(len(x.tools), schema))
			}
		case "model":
			x.model = m.str()
			fallthrough
		default:
			parameters.add(key, m)
		}
	}
	x.parameters = parameters.value()
	x.content = in.kvs
	return x
}

func toolSchema(i int, schema string) attribute.KeyValue {
	return itemKey(LLMToolsKey, int64(i), ToolJSONSchemaKey).String(schema)
}

// chatResponse describes a chat completion, plain or folded from a stream.
func chatResponse(body value) (x extract) {
	out := messages{list: LLMOutputMessagesKey}
	x.facts = make([]attribute.KeyValue, 0, 10)
	for key, m := range body.members() {
		switch key {
		case "model":
			x.model = m.str()
		case "usage":
			x.facts = appendUsage(x.facts, m)
		case "choices":
			out.kvs = make([]attribute.KeyValue, 0, 4)
			for i, choice := range m.items() {
				index, message, reason := choiceOf(choice, i, "message")
				if index < 0 {
					continue // no place in a list
				}
				out.begin(index)
				text, _ := out.chat(message)
				if i == 0 {
					x.text = text
				}
				if index == 0 && reason != "" {
					x.facts = appendFound(x.facts, LLMFinishReasonKey.String(reason))
				}
			}
		}
	}
	x.content = out.kvs
	return x
}

// chat describes a message of a chat. It returns what the message says as text, or
// the tools that it calls, and whether the user said it.
func (m *messages) chat(v value) (text string, user bool) {
	var content, refusal, reasoning, audio, calls, function value
	for key, x := range v.members() {
		switch key {
		case "role":
			role := x.str()
			user = role == "user"
			m.set(MessageRoleKey, role)
		case "content":
			content = x
		case "name":
			m.set(MessageNameKey, x.str())
		case "tool_call_id":
			m.set(MessageToolCallIDKey, x.str())
		case "tool_calls":
			calls = x
		case "function_call":
			function = x
		case "refusal":
			refusal = x
		case "reasoning_content", "reasoning":
			if reasoning.str() == "" { // some servers send both
				reasoning = x
			}
		case "audio":
			audio = x
		case "annotations":
			m.cite(x)
		}
	}
	switch {
	case content.isString():
		text = content.str()
		m.set(MessageContentKey, text)
	case content.isArray() && isParts(content):
		var texts paragraphs
		for i, part := range content.items() {
			m.parts = i
			texts.add(m.chatPart(part))
			m.parts = i + 1
		}
		text = texts.String()
	default:
		m.set(MessageContentKey, content.text())
	}
	m.textPart(typeReasoning, reasoning.str())
	m.textPart(typeText, refusal.str())
	if audio.isObject() {
		m.setPart(MessageContentTypeKey, typeAudio)
		m.setPart(partAudioTranscript, audio.get("transcript").str())
		m.setPart(MessageContentTextKey, audio.get("transcript").str()) // which Phoenix shows, but not the other
		m.parts++
	}
	text = cmp.Or(text, refusal.str(), audio.get("transcript").str())
	if spoken := m.chatCalls(calls, function); text == "" {
		text = spoken
	}
	return text, user
}

// isParts reports whether all items of a content are objects. What is not is
// recorded as it came.
func isParts(content value) bool {
	for _, part := range content.items() {
		if !part.isObject() {
			return false
		}
	}
	return true
}

// chatPart describes a part of a message's content, and returns its text.
func (m *messages) chatPart(part value) (text string) {
	switch kind := part.get("type").str(); kind {
	case "text", "refusal":
		text = part.get(kind).str()
		m.textPart(typeText, text)
	case "image_url":
		m.mediaPart(typeImage, partImageURL, urlOf(part.get(kind)))
	case "video_url":
		m.mediaPart(typeVideo, partVideoURL, urlOf(part.get(kind)))
	case "input_audio":
		audio := part.get(kind)
		if mime := "audio/" + audio.get("format").str(); audio.get("data").str() != "" {
			m.mediaPart(typeAudio, partAudioURL, dataURL(mime, audio.get("data").str()))
			m.setPart(partAudioMIMEType, mime)
		}
	case "file":
		file := part.get(kind)
		if file.isObject() {
			m.document(file, dataURL("application/octet-stream", file.get("file_data").str()))
		}
	}
	return text
}

// urlOf returns the URL that a part names, in an object or by itself.
func urlOf(v value) string {
	if v.isString() {
		return v.str()
	}
	return v.get("url").str()
}

// dataURL returns base64 of that type as a data URL, if it is not one already.
func dataURL(mime, data string) string {
	if data == "" || strings.HasPrefix(data, "data:") {
		return data
	}
	return "data:" + mime + ";base64," + data
}

// chatCalls describes the calls of tools and the deprecated call of a function, and
// returns them as text.
func (m *messages) chatCalls(calls, function value) string {
	var texts paragraphs
	for i, call := range calls.items() {
		var name, arguments string
		for key, x := range call.members() {
			switch key {
			case "id":
				if x.isString() {
					// Unlike the other attributes it is recorded when it is empty, too.
					m.add(callKey(i, ToolCallIDKey), x.str())
				}
			case "function":
				name, arguments = functionOf(x)
			case "custom":
				if x.isObject() {
					name, arguments = x.get("name").str(), customArguments(x.get("input").str())
				}
			}
		}
		m.set(callKey(i, ToolCallFunctionNameKey), name)
		m.set(callKey(i, ToolCallFunctionArgumentsKey), arguments)
		texts.add(callText(name, arguments))
	}
	name, arguments := functionOf(function)
	m.set(MessageFunctionCallNameKey, name)
	m.set(MessageFunctionCallArgumentsJSONKey, arguments)
	texts.add(callText(name, arguments))
	return texts.String()
}

func functionOf(v value) (name, arguments string) {
	for key, x := range v.members() {
		switch key {
		case "name":
			name = x.str()
		case "arguments":
			arguments = x.text()
		}
	}
	return name, arguments
}

func callText(name, arguments string) string {
	if name == "" {
		return arguments
	}
	return name + "(" + arguments + ")"
}

// choiceOf returns the index of a choice, its content, which is the member with that key,
// and why it is finished.
func choiceOf(choice value, position int, key string) (index int64, content value, reason string) {
	index = int64(position)
	for k, m := range choice.members() {
		switch k {
		case "index":
			index = m.integerOr(index)
		case "finish_reason":
			reason = m.str()
		case key:
			content = m
		}
	}
	return index, content, reason
}

// appendUsage appends the token counts of a response, and its cost if the server
// names one, as OpenRouter does. Some endpoints speak of a prompt and a completion, some
// of input and output.
func appendUsage(kvs []attribute.KeyValue, v value) []attribute.KeyValue {
	var prompt, completion, promptDetails, completionDetails [2]value // by either name
	var total, cost value
	for key, m := range v.members() {
		switch key {
		case "prompt_tokens":
			prompt[0] = m
		case "input_tokens":
			prompt[1] = m
		case "completion_tokens":
			completion[0] = m
		case "output_tokens":
			completion[1] = m
		case "total_tokens":
			total = m
		case "prompt_tokens_details":
			promptDetails[0] = m
		case "input_tokens_details", "input_token_details":
			promptDetails[1] = m
		case "completion_tokens_details":
			completionDetails[0] = m
		case "output_tokens_details":
			completionDetails[1] = m
		case "cost":
			cost = m
		}
	}
	add := func(key attribute.Key, v value) {
		if n, ok := v.integer(); ok {
			kvs = appendFound(kvs, key.Int64(n))
		}
	}
	add(LLMTokenCountPromptKey, either(prompt))
	add(LLMTokenCountCompletionKey, either(completion))
	add(LLMTokenCountTotalKey, total)
	details := either(promptDetails)
	add(LLMTokenCountPromptDetailsCacheReadKey, details.get("cached_tokens"))
	add(LLMTokenCountPromptDetailsCacheWriteKey, details.get("cache_write_tokens"))
	add(LLMTokenCountPromptDetailsAudioKey, details.get("audio_tokens"))
	details = either(completionDetails)
	add(LLMTokenCountCompletionDetailsReasoningKey, details.get("reasoning_tokens"))
	add(LLMTokenCountCompletionDetailsAudioKey, details.get("audio_tokens"))
	if cost, ok := cost.float(); ok {
		kvs = appendFound(kvs, LLMCostTotalKey.Float64(cost))
	}
	return kvs
}

// either returns the first of two values that exists.
func either(names [2]value) value {
	if names[0].exists() {
		return names[0]
	}
	return names[1]
}
