package openinference

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
)

// Redacted stands in a span for a value that a [TraceConfig] hides.
const Redacted = "__REDACTED__"

// TraceConfig says what is kept out of spans. The zero value hides nothing and
// keeps base64 images of up to 32,000 characters.
//
// HideInputText, HideInputMessages, HideOutputText, HideOutputMessages,
// HideLLMTools and HideLLMInvocationParameters hide the attributes of these names
// and, where input.value and output.value are plain text, those too. By the rules
// of OpenInference they leave the JSON of a request in input.value and that of a
// response in output.value as it is: to keep the text itself out of a span, set
// HideInputs and HideOutputs.
//
// Values set by [WithAttributes] and its kin are never hidden, and neither is the text of
// errors. docs/privacy.md says for each kind of content where it is and what hides it.
type TraceConfig struct {
	// HideInputs hides input.value, and with it all messages, prompts, tools,
	// images and texts of a request. Variable: OPENINFERENCE_HIDE_INPUTS.
	HideInputs bool
	// HideOutputs hides output.value, and with it all messages, choices, images
	// and vectors of a response. Variable: OPENINFERENCE_HIDE_OUTPUTS.
	HideOutputs bool
	// HideInputMessages drops llm.input_messages.
	// Variable: OPENINFERENCE_HIDE_INPUT_MESSAGES.
	HideInputMessages bool
	// HideOutputMessages drops llm.output_messages.
	// Variable: OPENINFERENCE_HIDE_OUTPUT_MESSAGES.
	HideOutputMessages bool
	// HideInputImages hides the images of a request, in input.value too.
	// Variable: OPENINFERENCE_HIDE_INPUT_IMAGES.
	HideInputImages bool
	// HideInputText hides the text of input messages; roles, tool calls and images
	// stay. Variable: OPENINFERENCE_HIDE_INPUT_TEXT.
	HideInputText bool
	// HideOutputText hides the text of output messages; roles and tool calls stay.
	// Variable: OPENINFERENCE_HIDE_OUTPUT_TEXT.
	HideOutputText bool
	// HidePrompts hides llm.prompts, the prompts of legacy completions.
	// Variable: OPENINFERENCE_HIDE_PROMPTS.
	HidePrompts bool
	// HideChoices hides llm.choices, the answers of legacy completions.
	// Variable: OPENINFERENCE_HIDE_CHOICES.
	HideChoices bool
	// HideEmbeddingsVectors hides embedding.vector. Variables:
	// OPENINFERENCE_HIDE_EMBEDDINGS_VECTORS, OPENINFERENCE_HIDE_EMBEDDING_VECTORS.
	HideEmbeddingsVectors bool
	// HideEmbeddingsText hides embedding.text.
	// Variable: OPENINFERENCE_HIDE_EMBEDDINGS_TEXT.
	HideEmbeddingsText bool
	// HideLLMInvocationParameters drops llm.invocation_parameters; together with
	// HideInputs embedding.invocation_parameters, too.
	// Variable: OPENINFERENCE_HIDE_LLM_INVOCATION_PARAMETERS.
	HideLLMInvocationParameters bool
	// HideLLMTools drops llm.tools. Variable: OPENINFERENCE_HIDE_LLM_TOOLS.
	HideLLMTools bool
	// Base64ImageMaxLength is the number of characters up to which an image, a
	// sound or a file in base64 is kept. 0 means 32,000, -1 that none is kept.
	// Variable: OPENINFERENCE_BASE64_IMAGE_MAX_LENGTH, where 0 keeps none.
	Base64ImageMaxLength int
}

const defaultBase64ImageMaxLength = 32000

// TraceConfigFromEnv returns the configuration that the OPENINFERENCE_ variables
// of [TraceConfig] ask for. A switch is on for 1, t, true, yes and on, and off for
// 0, f, false, no and off, in any case of letters; anything else turns it on, so that
// a slip of the pen does not publish what was to be hidden, and is reported to
// [otel.Handle]. A variable that is unset or empty means the default, and so does
// a length that is not a number, which is reported too.
func TraceConfigFromEnv() TraceConfig {
	return TraceConfig{
		HideInputs:                  boolFromEnv("OPENINFERENCE_HIDE_INPUTS"),
		HideOutputs:                 boolFromEnv("OPENINFERENCE_HIDE_OUTPUTS"),
		HideInputMessages:           boolFromEnv("OPENINFERENCE_HIDE_INPUT_MESSAGES"),
		HideOutputMessages:          boolFromEnv("OPENINFERENCE_HIDE_OUTPUT_MESSAGES"),
		HideInputImages:             boolFromEnv("OPENINFERENCE_HIDE_INPUT_IMAGES"),
		HideInputText:               boolFromEnv("OPENINFERENCE_HIDE_INPUT_TEXT"),
		HideOutputText:              boolFromEnv("OPENINFERENCE_HIDE_OUTPUT_TEXT"),
		HidePrompts:                 boolFromEnv("OPENINFERENCE_HIDE_PROMPTS"),
		HideChoices:                 boolFromEnv("OPENINFERENCE_HIDE_CHOICES"),
		HideEmbeddingsVectors:       boolFromEnv("OPENINFERENCE_HIDE_EMBEDDINGS_VECTORS") || boolFromEnv("OPENINFERENCE_HIDE_EMBEDDING_VECTORS"),
		HideEmbeddingsText:          boolFromEnv("OPENINFERENCE_HIDE_EMBEDDINGS_TEXT"),
		HideLLMInvocationParameters: boolFromEnv("OPENINFERENCE_HIDE_LLM_INVOCATION_PARAMETERS"),
		HideLLMTools:                boolFromEnv("OPENINFERENCE_HIDE_LLM_TOOLS"),
		Base64ImageMaxLength:        lengthFromEnv("OPENINFERENCE_BASE64_IMAGE_MAX_LENGTH"),
	}
}

func boolFromEnv(name string) bool {
	s := strings.ToLower(strings.TrimSpace(os.Getenv(name)))
	switch s {
	case "", "no", "off":
		return false
	case "yes", "on":
		return true
	}
	on, err := strconv.ParseBool(s)
	if err != nil {
		otel.Handle(fmt.Errorf("openinference: %s=%q is neither true nor false; hiding, set it to one of them", name, s))
		return true
	}
	return on
}

func lengthFromEnv(name string) int {
	s := strings.TrimSpace(os.Getenv(name))
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		otel.Handle(fmt.Errorf("openinference: %s=%q is not a number; using %d", name, s, defaultBase64ImageMaxLength))
		return 0
	}
	if n <= 0 {
		return -1
	}
	return n
}

// mask decides what of an attribute gets into a span. Every attribute of every
// span passes it.
type mask struct {
	TraceConfig
	limit      int  // of base64 data
	hides      bool // anything but what is over the limit
	textInput  bool // hide input.value when it is plain text
	textOutput bool
}

func newMask(c TraceConfig) *mask {
	m := &mask{TraceConfig: c, limit: c.Base64ImageMaxLength}
	switch {
	case m.limit == 0:
		m.limit = defaultBase64ImageMaxLength
	case m.limit < 0:
		m.limit = 0
	}
	m.textInput = c.HideInputText || c.HideInputMessages || c.HidePrompts
	m.textOutput = c.HideOutputText || c.HideOutputMessages || c.HideChoices
	c.Base64ImageMaxLength = 0
	m.hides = c != TraceConfig{}
	return m
}

// all returns what of kvs may be recorded, in a slice of its own.
func (m *mask) all(kvs []attribute.KeyValue) []attribute.KeyValue {
	kvs = slices.Clone(kvs)
	for i := range kvs {
		kvs[i].Key = attribute.Key(recordable(string(kvs[i].Key)))
	}
	return m.inPlace(kvs)
}

// inPlace is all for a slice that nobody else needs, with keys of our own.
func (m *mask) inPlace(kvs []attribute.KeyValue) []attribute.KeyValue {
	inputJSON, outputJSON := isJSON(InputMIMETypeKey, kvs), isJSON(OutputMIMETypeKey, kvs)
	kept := 0
	for i := range kvs {
		if !m.apply(&kvs[i], inputJSON, outputJSON) {
			continue
		}
		if kept < i {
			kvs[kept] = kvs[i]
		}
		kept++
	}
	return kvs[:kept]
}

// keeps reports whether an attribute with that key, and with so much base64 in it, may
// be recorded as it is. If not, a value that is costly to make need not be made.
func (m *mask) keeps(key attribute.Key, base64 int) bool {
	return base64 <= m.limit && (!m.hides || m.decide(key, false, false) == keep)
}

// apply masks one of the attributes that are set together, and reports whether it is
// to be recorded. The type of input.value and output.value stands in another: where it
// is missing they are text, as the conventions have it.
func (m *mask) apply(kv *attribute.KeyValue, inputJSON, outputJSON bool) bool {
	if m.hides {
		switch m.decide(kv.Key, inputJSON, outputJSON) {
		case drop:
			return false
		case redact:
			*kv = kv.Key.String(Redacted)
			return true
		}
	}
	if kv.Value.Type() == attribute.STRING {
		s := kv.Value.AsString()
		if text := m.text(kv.Key, s, inputJSON, outputJSON); text != s {
			kv.Value = attribute.StringValue(text)
		}
	}
	clean(kv)
	return true
}

// inputParameters are members of a request that are content and stand among its
// parameters all the same.
var inputParameters = []string{"prompt", "input", "prediction", "instructions", "suffix", "documents", "known_speaker_references"}

// text returns what may be recorded of a text that is not hidden as a whole.
func (m *mask) text(key attribute.Key, s string, inputJSON, outputJSON bool) string {
	images := m.HideInputs || m.HideInputImages
	switch {
	case key == InputValueKey && inputJSON:
		return m.redactJSON(s, images)
	case key == OutputValueKey && outputJSON:
		if m.HideInputs {
			s = redactMembers(s, "instructions", "prompt") // a response repeats them
		}
		return m.redactJSON(s, false)
	case key == LLMInvocationParametersKey, key == EmbeddingInvocationParametersKey:
		if m.HideInputs {
			s = readable(without(parse(s), inputParameters...))
		}
		return m.redactJSON(s, images)
	case strings.HasPrefix(string(key), string(LLMToolsKey)):
		return m.redactJSON(s, images)
	case len(s) > m.limit && strings.HasSuffix(string(key), ".url") && isBase64URL(s):
		return Redacted
	}
	return s
}

// redactMembers returns the JSON object s with the members of those keys redacted, as far
// as they are there.
func redactMembers(s string, keys ...string) string {
	v := parse(s)
	if !v.first(keys...).exists() {
		return s
	}
	var o object
	for k, m := range v.members() {
		if m.exists() && slices.Contains(keys, k) {
			m = quote(Redacted)
		}
		o.add(k, m)
	}
	return string(o.value())
}

type decision int

const (
	keep decision = iota
	redact
	drop
)

// decide applies the rules of the reference, first match first.
func (m *mask) decide(key attribute.Key, inputJSON, outputJSON bool) decision {
	k := string(key)
	has := func(part attribute.Key) bool { return strings.Contains(k, string(part)) }
	when := func(hide bool, d decision) decision {
		if hide {
			return d
		}
		return keep
	}
	switch {
	case key == LLMInvocationParametersKey:
		return when(m.HideLLMInvocationParameters, drop)
	case key == EmbeddingInvocationParametersKey:
		return when(m.HideLLMInvocationParameters && m.HideInputs, drop)
	case has(LLMToolsKey):
		return when(m.HideInputs || m.HideLLMTools, drop)
	case key == InputValueKey:
		return when(m.HideInputs || m.textInput && !inputJSON, redact)
	case key == OutputValueKey:
		return when(m.HideOutputs || m.textOutput && !outputJSON, redact)
	case key == InputMIMETypeKey:
		return when(m.HideInputs, drop)
	case key == OutputMIMETypeKey:
		return when(m.HideOutputs, drop)
	case has(LLMInputMessagesKey):
		if m.HideInputs || m.HideInputMessages {
			return drop
		}
		image := has(MessageContentImageKey) && has(ImageURLKey)
		return when(m.HideInputText && isText(k) || m.HideInputImages && image, redact)
	case has(LLMOutputMessagesKey):
		if m.HideOutputs || m.HideOutputMessages {
			return drop
		}
		return when(m.HideOutputText && isText(k), redact)
	case has(LLMPromptsKey):
		return when(m.HideInputs || m.HidePrompts, redact)
	case has(LLMChoicesKey):
		return when(m.HideOutputs || m.HideChoices, redact)
	case has(InputImagesKey), has("input.audio"), has(InputDocumentsKey):
		if m.HideInputs {
			return drop
		}
		return when(m.HideInputImages && has(InputImagesKey), redact)
	case has(OutputImagesKey), has("output.audio"), has(OutputDocumentsKey):
		return when(m.HideOutputs, drop)
	case has(EmbeddingTextKey):
		return when(m.HideInputs || m.HideEmbeddingsText, redact)
	case has(EmbeddingVectorKey):
		return when(m.HideOutputs || m.HideEmbeddingsVectors, redact)
	}
	return keep
}

// isText reports whether a key below a message holds what somebody wrote.
func isText(key string) bool {
	for _, text := range []attribute.Key{MessageContentKey, MessageContentTextKey, AudioTranscriptKey} {
		if strings.HasSuffix(key, "."+string(text)) {
			return true
		}
	}
	return false
}

// isJSON reports whether kvs say that a value is JSON.
func isJSON(mimeKey attribute.Key, kvs []attribute.KeyValue) bool {
	for _, kv := range kvs {
		if kv.Key == mimeKey {
			return kv.Value.AsString() == MIMETypeJSON
		}
	}
	return false
}

// redactJSON replaces the images, sounds and files in a request or a response:
// those in base64 that are over the limit, and all images if so asked. Where nobody can
// tell what is an image, as the JSON is not valid or too deep, it hides all of it.
func (m *mask) redactJSON(s string, images bool) string {
	if !images && !hasLongString(s, m.limit) {
		return s
	}
	if images && !valid(s) {
		return Redacted
	}
	type position struct{ key, parent string } // a value, by the two keys above it
	var at position
	var above []position
	var out strings.Builder
	done := 0 // of s, in out
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			if above = append(above, at); len(above) > maxDepth {
				return Redacted
			}
			if s[i] == '{' {
				at.parent = at.key
			}
		case '}', ']':
			if last := len(above) - 1; last >= 0 {
				at, above = above[last], above[:last]
			}
		case '"':
			end, _ := skipString(s, i)
			v := value(s[i:end])
			if next := skipSpace(s, end); next < len(s) && s[next] == ':' {
				at.key = v.str()
			} else if m.hidesString(v, at.key, at.parent, images) {
				out.WriteString(s[done:i])
				writeQuoted(&out, Redacted)
				done = end
			}
			i = end - 1
		}
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// hasLongString reports whether a string in JSON is longer than limit, still
// escaped, so that it may be longer unescaped too. Strings without a quote in them are
// meant: base64 has none.
func hasLongString(s string, limit int) bool {
	for len(s) > limit {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return false
		}
		end, _ := skipString(s, i)
		if end-i-2 > limit {
			return true
		}
		s = s[end:]
	}
	return false
}

func (m *mask) hidesString(v value, key, parent string, images bool) bool {
	if images && isImage(key, parent) {
		return true
	}
	if len(v)-2 <= m.limit {
		return false
	}
	s := v.str()
	return len(s) > m.limit && (isBase64URL(s) || isBase64Field(key, parent) && !strings.ContainsAny(s, " \n"))
}

// isImage reports whether a request has an image there: one that a user sent, or one that
// a tool made for an earlier response.
func isImage(key, parent string) bool {
	switch key {
	case "image_url":
		return true
	case "url":
		return parent == "image_url" || parent == "outputs"
	case "result":
		return parent == "input"
	}
	return false
}

// isBase64Field reports whether the API has base64 without a data URL there.
func isBase64Field(key, parent string) bool {
	switch key {
	case "b64_json", "partial_image_b64", "file_data", "result":
		return true
	case "data":
		return parent == "input_audio" || parent == "audio"
	}
	return false
}

// isBase64URL reports whether s is a data URL in base64, in any case of letters.
func isBase64URL(s string) bool {
	media, _, _ := strings.Cut(s, ",")
	media = strings.ToLower(strings.TrimSpace(media))
	return strings.HasPrefix(media, "data:") && strings.Contains(media, "base64")
}

// clean makes all text in the value of kv [recordable].
func clean(kv *attribute.KeyValue) {
	switch kv.Value.Type() {
	case attribute.STRING:
		s := kv.Value.AsString()
		if text := recordable(s); text != s {
			kv.Value = attribute.StringValue(text)
		}
	case attribute.STRINGSLICE:
		ss := kv.Value.AsStringSlice()
		for i, s := range ss {
			ss[i] = recordable(s)
		}
		kv.Value = attribute.StringSliceValue(ss)
	}
}
