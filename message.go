package openinference

import (
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// Types of a message's contents, for message_content.type.
const (
	typeText      = "text"
	typeImage     = "image"
	typeAudio     = "audio"
	typeVideo     = "video"
	typeDocument  = "document"
	typeReasoning = "reasoning"
)

// messages collects the attributes of the messages of a request or a response.
type messages struct {
	list   attribute.Key // llm.input_messages or llm.output_messages
	prefix string        // of the message under way
	parts  int           // that it has
	kvs    []attribute.KeyValue
}

// begin goes on to the message with that index.
func (m *messages) begin(index int64) {
	m.prefix = string(m.list) + "." + strconv.FormatInt(index, 10) + "."
	m.parts = 0
}

// set sets an attribute of the message, unless it is empty.
func (m *messages) set(key attribute.Key, s string) {
	if s != "" {
		m.kvs = append(m.kvs, attribute.String(m.prefix+string(key), s))
	}
}

// setPart sets an attribute of the part under way.
func (m *messages) setPart(key attribute.Key, s string) {
	m.set(itemKey(MessageContentsKey, int64(m.parts), key), s)
}

// textPart adds a part that is text of some kind, unless it is empty.
func (m *messages) textPart(kind, text string) {
	if text != "" {
		m.setPart(MessageContentTypeKey, kind)
		m.setPart(MessageContentTextKey, text)
		m.parts++
	}
}

// mediaPart adds a part that is at a URL, unless that is empty.
func (m *messages) mediaPart(kind string, key attribute.Key, url string) {
	if url != "" {
		m.setPart(MessageContentTypeKey, kind)
		m.setPart(key, url)
	}
}

// itemKey returns the key of an attribute of an item of a list.
func itemKey(list attribute.Key, index int64, key attribute.Key) attribute.Key {
	return list + attribute.Key("."+strconv.FormatInt(index, 10)+".") + key
}

// callKey returns the key of an attribute of a tool call.
func callKey(index int, key attribute.Key) attribute.Key {
	return itemKey(MessageToolCallsKey, int64(index), key)
}

// Keys of the media of a part.
const (
	partImageURL        = MessageContentImageKey + "." + ImageURLKey
	partVideoURL        = MessageContentVideoKey + "." + VideoURLKey
	partAudioURL        = MessageContentAudioKey + "." + AudioURLKey
	partAudioMIMEType   = MessageContentAudioKey + "." + AudioMIMETypeKey
	partAudioTranscript = MessageContentAudioKey + "." + AudioTranscriptKey
	partDocumentID      = MessageContentDocumentKey + "." + DocumentIDKey
	partDocumentName    = MessageContentDocumentKey + "." + DocumentNameKey
	partDocumentURL     = MessageContentDocumentKey + "." + DocumentURLKey
)

// customArguments is the input of a custom tool in the form of the arguments of a
// function.
func customArguments(input string) string { return `{"input": ` + quote(input) + `}` }

// lines joins those of texts that are not empty.
func lines(texts ...string) string {
	var b strings.Builder
	for _, s := range texts {
		if s != "" && b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(s)
	}
	return b.String()
}
