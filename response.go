package openinference

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// Keys outside the conventions, by which the turns of a conversation that the server
// keeps are found: what one response has as its id, the next request has as that of
// the previous one.
const (
	responseIDKey         = attribute.Key("openai.response.id")
	previousResponseIDKey = attribute.Key("openai.previous_response_id")
	conversationIDKey     = attribute.Key("openai.conversation.id")
)

// responseRequest describes a request for a response.
func responseRequest(v value) (x extract) {
	var instructions, input value
	for key, m := range v.members() {
		switch key {
		case "model":
			x.model = m.str()
		case "instructions":
			instructions = m
		case "input":
			input = m
		case "tools":
			for i, tool := range m.items() {
				x.tools = appendFound(x.tools, toolSchema(i, readable(tool)))
				x.format = cmp.Or(x.format, tool.get("output_format").str())
			}
		case "previous_response_id":
			x.identify(previousResponseIDKey, m.str())
		case "conversation":
			x.identify(conversationIDKey, cmp.Or(m.str(), m.get("id").str()))
		case "prompt":
			x.identify(PromptIDKey, m.get("id").str())
		}
	}
	x.parameters = without(v, "input", "instructions", "tools")

	in := messages{list: LLMInputMessagesKey}
	var n int64
	plain := func(role string, content value) {
		in.begin(n)
		in.set(MessageRoleKey, role)
		in.add(MessageContentKey, content.str()) // empty or not
		n++
	}
	if instructions.str() != "" {
		plain("system", instructions)
	}
	if input.isString() {
		plain("user", input)
		x.text = input.str()
	}
	for _, item := range input.items() {
		in.begin(n)
		before := len(in.kvs)
		text, _ := in.item(item)
		if item.get("role").str() == "user" {
			x.text = text
		}
		if len(in.kvs) > before { // an item that is no message takes no number
			n++
		}
	}
	x.content = in.kvs
	return x
}

// identify adds an id, unless it is empty.
func (x *extract) identify(key attribute.Key, id string) {
	if id != "" {
		x.facts = appendFound(x.facts, key.String(id))
	}
}

// responseResponse describes a response, plain or folded from a stream. Its finish
// reason is why it is incomplete, or else its status, once it is not under way.
func responseResponse(body value) (x extract) {
	var status, incomplete, output value
	for key, m := range body.members() {
		switch key {
		case "id":
			x.identify(responseIDKey, m.str())
		case "model":
			x.model = m.str()
		case "usage":
			x.facts = appendUsage(x.facts, m)
		case "status":
			status = m
		case "incomplete_details":
			incomplete = m
		case "output":
			output = m
		}
	}
	switch reason := cmp.Or(incomplete.get("reason").str(), status.str()); reason {
	case "", "queued", "in_progress":
	default:
		x.facts = append(x.facts, LLMFinishReasonKey.String(reason))
	}

	out := messages{list: LLMOutputMessagesKey}
	var texts, calls paragraphs
	for i, item := range output.items() {
		out.begin(int64(i))
		text, call := out.item(item)
		texts.add(text)
		calls.add(call)
		if item.get("type").str() == "image_generation_call" && !item.get("result").isEmpty() {
			x.format = cmp.Or(x.format, item.get("output_format").str())
			x.addBase64Image(len(x.images), item.get("result"), &out)
		}
	}
	x.text = cmp.Or(texts.String(), calls.String())
	x.content = out.kvs
	return x
}

// item describes an item of the input or the output of a response as a message, if
// it can be one. It returns what a message says, or the call of a tool that the item
// is.
func (m *messages) item(v value) (text, call string) {
	switch kind := v.get("type").str(); {
	case kind == "message" || kind == "":
		m.set(MessageRoleKey, v.get("role").str())
		content := v.get("content")
		text = content.str()
		m.set(MessageContentKey, text)
		text = cmp.Or(text, m.itemParts(content))
	case kind == "reasoning":
		m.set(MessageRoleKey, "assistant")
		m.setPart(MessageContentTypeKey, typeReasoning)
		m.setPart(MessageContentTextKey, reasoningText(v))
		m.setPart(MessageContentIDKey, v.get("id").str())
		m.setPart(MessageContentEncryptedContentKey, v.get("encrypted_content").str())
	case kind == "image_generation_call":
		m.textPart(typeText, v.get("revised_prompt").str())
		if m.list == LLMInputMessagesKey { // those of a response are costly to make
			m.set(MessageRoleKey, "assistant")
			m.mediaPart(typeImage, partImageURL, dataURL("image/"+cmp.Or(v.get("output_format").str(), "png"), v.get("result").str()))
		}
	case strings.HasSuffix(kind, "_call") || kind == "mcp_approval_request":
		call = m.itemCall(kind, v)
	case strings.HasSuffix(kind, "_output"):
		m.set(MessageRoleKey, "tool")
		m.set(MessageToolCallIDKey, itemCallID(v))
		m.itemOutput(v.get("output"))
	case kind == "mcp_approval_response":
		m.set(MessageRoleKey, "tool")
		m.set(MessageToolCallIDKey, v.get("approval_request_id").str())
		m.set(MessageContentKey, readable(without(v, "type", "id", "approval_request_id")))
	}
	return text, call
}

// itemParts describes the parts of a message, and returns their text.
func (m *messages) itemParts(list value) string {
	var texts paragraphs
	for i, part := range list.items() {
		m.parts = i
		texts.add(m.itemPart(part))
		m.parts = i + 1
	}
	return texts.String()
}

func (m *messages) itemPart(part value) (text string) {
	switch part.get("type").str() {
	case "refusal", "input_audio":
		return m.chatPart(part)
	case "input_image", "computer_screenshot":
		m.setPart(MessageContentTypeKey, typeImage)
		m.setPart(MessageContentIDKey, part.get("file_id").str())
		url := urlOf(part.get("image_url"))
		m.setPart(partImageURL, url)
		if url == "" {
			m.setPart(MessageContentTextKey, part.get("file_id").str()) // so that Phoenix shows something
		}
	case "input_file":
		m.document(part, cmp.Or(part.get("file_url").str(), part.get("file_data").str()))
	case "image": // of the code interpreter, and so are logs
		m.mediaPart(typeImage, partImageURL, part.get("url").str())
	case "logs":
		m.textPart(typeText, part.get("logs").str())
	default:
		text = part.get("text").str()
		m.textPart(typeText, text)
		m.cite(part.get("annotations"))
	}
	return text
}

// reasoningText returns the summary of reasoning, and the reasoning itself, which
// open models show.
func reasoningText(v value) string {
	var texts paragraphs
	for _, key := range []string{"summary", "content"} {
		for _, part := range v.get(key).items() {
			texts.add(part.get("text").str())
		}
	}
	return texts.String()
}

// itemCall describes the call of a tool, and returns it as text. A tool that the
// server runs has its result in the same item.
func (m *messages) itemCall(kind string, v value) string {
	// To the reference these two are no message of a response: they get neither a role
	// nor an id there, but what was done is worth knowing.
	if m.list == LLMInputMessagesKey || kind != "mcp_call" && kind != "code_interpreter_call" {
		m.set(MessageRoleKey, "assistant")
		m.set(callKey(0, ToolCallIDKey), itemCallID(v))
	}
	name, arguments := cmp.Or(v.get("name").str(), kind), itemArguments(v)
	m.set(callKey(0, ToolCallFunctionNameKey), name)
	m.set(callKey(0, ToolCallFunctionArgumentsKey), arguments)
	m.itemParts(v.get("outputs"))
	for _, key := range []string{"output", "results", "error"} {
		m.textPart(typeText, v.get(key).text())
	}
	return callText(name, arguments)
}

// itemCallID returns the id by which a call and its output belong together. The call
// of a tool that the server runs has only the id that every item has.
func itemCallID(v value) string { return cmp.Or(v.get("call_id").str(), v.get("id").str()) }

// itemArguments returns what a tool is called with, as JSON.
func itemArguments(v value) string {
	if input := v.get("input"); input.exists() {
		return customArguments(input.text())
	}
	for _, key := range []string{"arguments", "action", "actions", "operation"} {
		if m := v.get(key); m.exists() {
			return m.text()
		}
	}
	for _, key := range []string{"queries", "code"} {
		if m := v.get(key); m.exists() {
			var arguments object
			arguments.add(key, m)
			return readable(arguments.value())
		}
	}
	return ""
}

// itemOutput describes what a tool returned. A list is recorded as JSON, unless there
// are pictures or files in it: these have keys of their own, by which they are shown,
// or hidden.
func (m *messages) itemOutput(output value) {
	if output.get("type").str() == "computer_screenshot" {
		m.itemPart(output)
		return
	}
	for _, part := range output.items() {
		switch part.get("type").str() {
		case "input_image", "input_file":
			m.itemParts(output)
			return
		}
	}
	m.set(MessageContentKey, spaced(output).text())
}

// spaced returns v with a space behind each comma and colon, as the reference writes
// JSON.
func spaced(v value) value {
	s := string(v)
	var out strings.Builder
	out.Grow(len(s) + len(s)/8)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			end, _ := skipString(s, i)
			out.WriteString(s[i:end])
			i = end - 1
		case ',', ':':
			out.WriteByte(c)
			out.WriteByte(' ')
		case ' ', '\n', '\r', '\t':
		default:
			out.WriteByte(c)
		}
	}
	return value(out.String())
}

// Errors of responses for which there is none in go-openai.
var (
	errFailed     = errors.New("the response failed, and does not say why")
	errUnfinished = fmt.Errorf("the stream ended before the response was complete: %w", io.ErrUnexpectedEOF)
)

// responseEvents folds the stream of a response.
type responseEvents struct {
	response value  // as the server last sent it whole
	output   chunks // its items, by the events since
}

// responseOutput is how the output is made of what the events bring.
var responseOutput = &rule{how: placed, items: &rule{fields: map[string]*rule{
	"content":   responseParts,
	"summary":   responseParts,
	"arguments": {how: concat},
	"input":     {how: concat},
	"code":      {how: concat},
}}}

var responseParts = &rule{how: placed, items: &rule{fields: map[string]*rule{
	"text":    {how: concat},
	"refusal": {how: concat},
}}}

// place is where in an item something belongs: a field of a part of a list, a field of
// the item, or without a field the whole of either.
type place struct{ list, field string }

// places has the types of events that bring something, without the step at the end:
// added, delta or done.
var places = map[string]place{
	"response.output_item":                {},
	"response.content_part":               {list: "content"},
	"response.output_text":                {"content", "text"},
	"response.refusal":                    {"content", "refusal"},
	"response.reasoning_text":             {"content", "text"},
	"response.reasoning_summary_part":     {list: "summary"},
	"response.reasoning_summary_text":     {"summary", "text"},
	"response.function_call_arguments":    {field: "arguments"},
	"response.mcp_call_arguments":         {field: "arguments"},
	"response.custom_tool_call_input":     {field: "input"},
	"response.code_interpreter_call_code": {field: "code"},
}

func foldResponse() fold { return &responseEvents{output: chunks{root: node{rule: responseOutput}}} }

func (r *responseEvents) add(event value) (over bool, err error) {
	var kind string
	var response, whole, delta value
	var item, part int64
	for key, m := range event.members() {
		switch key {
		case "type":
			kind = m.str()
		case "response":
			response = m
		case "item", "part":
			whole = m
		case "delta":
			delta = m
		case "output_index":
			item, _ = m.integer()
		case "content_index", "summary_index":
			part, _ = m.integer()
		}
	}
	if response.isObject() {
		r.response = response
		if !response.get("output").isEmpty() { // not so in the first events, nor from all servers in the last
			r.output = chunks{root: node{rule: responseOutput}}
		}
	}
	switch kind {
	case "error":
		return true, errorOf(event)
	case "response.failed":
		return true, cmp.Or(apiError(r.response), errFailed)
	case "response.completed", "response.incomplete":
		return true, nil
	}
	r.output.from(event)
	dot := strings.LastIndexByte(kind, '.')
	to, ok := places[kind[:max(dot, 0)]]
	if !ok {
		return false, nil
	}
	n := r.output.root.at(item, &r.output)
	if to.list != "" {
		n = n.in(to.list, &r.output).at(part, &r.output)
	}
	if to.field != "" {
		n, whole = n.in(to.field, &r.output), event.get(to.field)
	}
	if kind[dot:] == ".delta" {
		n.merge(delta, &r.output)
	} else {
		n.set(whole, &r.output)
	}
	return false, nil
}

// repeat is false: each event has a number of its own.
func (r *responseEvents) repeat([]byte) bool { return false }

// finish is asked only when no event has ended the stream.
func (r *responseEvents) finish() error { return errUnfinished }

func (r *responseEvents) object() value {
	output := r.output.object()
	if len(output) == 0 {
		return r.response
	}
	var response object
	response.addWithout(r.response, "output")
	response.add("output", output)
	return response.value()
}

func (r *responseEvents) truncated() bool { return r.output.cut }
