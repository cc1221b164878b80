package openinference

// completionChunk is how the chunks of a completion make one.
var completionChunk = &rule{fields: map[string]*rule{
	"choices": {how: indexed, items: &rule{fields: map[string]*rule{
		"text": {how: concat},
	}}},
}}

// completionRequest describes the request of a completion, which has prompts in place of
// the messages of a chat.
func completionRequest(body value) extract {
	x := contentRequest(body)
	x.content = texts(LLMPromptsKey, PromptTextKey, body.get("prompt").texts())
	return x
}

// completionResponse describes a completion, plain or folded from a stream.
func completionResponse(body value) (x extract) {
	for key, m := range body.members() {
		switch key {
		case "model":
			x.model = m.str()
		case "usage":
			x.facts = appendUsage(x.facts, m)
		case "choices":
			for i, choice := range m.items() {
				index, content, reason := choiceOf(choice, i, "text")
				if index < 0 {
					continue // no place in a list
				}
				text := content.str()
				if i == 0 {
					x.text = text
				}
				if text != "" {
					x.content = appendFound(x.content, itemKey(LLMChoicesKey, index, CompletionTextKey).String(text))
				}
				if index == 0 && reason != "" {
					x.facts = appendFound(x.facts, LLMFinishReasonKey.String(reason))
				}
			}
		}
	}
	return x
}
