package openinference

import (
	"cmp"
	"strconv"
	"strings"
	"sync"

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
	list  attribute.Key // llm.input_messages or llm.output_messages
	index int64         // of the message under way
	parts int           // that it has
	cited int64         // sources of all messages
	kvs   []attribute.KeyValue
}

// begin goes on to the message with that index.
func (m *messages) begin(index int64) { m.index, m.parts = index, 0 }

// key returns the key of an attribute of the message.
func (m *messages) key(key attribute.Key) attribute.Key {
	if 0 <= m.index && m.index < commonMessages {
		common := &commonKeys().output[m.index]
		if m.list == LLMInputMessagesKey {
			common = &commonKeys().input[m.index]
		}
		switch key {
		case MessageRoleKey:
			return common.role
		case MessageContentKey:
			return common.content
		case MessageToolCallIDKey:
			return common.toolCallID
		}
	}
	return m.list + attribute.Key("."+strconv.FormatInt(m.index, 10)+".") + key
}

// messageKeys are the keys that nearly every message has.
type messageKeys struct{ role, content, toolCallID attribute.Key }

const commonMessages = 256

// commonKeys are made once: to make them anew is a good part of the cost of a call
// with many messages.
var commonKeys = sync.OnceValue(func() *struct{ input, output [commonMessages]messageKeys } {
	var keys struct{ input, output [commonMessages]messageKeys }
	for i := range commonMessages {
		prefix := attribute.Key("." + strconv.Itoa(i) + ".")
		in, out := LLMInputMessagesKey+prefix, LLMOutputMessagesKey+prefix
		keys.input[i] = messageKeys{in + MessageRoleKey, in + MessageContentKey, in + MessageToolCallIDKey}
		keys.output[i] = messageKeys{out + MessageRoleKey, out + MessageContentKey, out + MessageToolCallIDKey}
	}
	return &keys
})

// add sets an attribute of the message.
func (m *messages) add(key attribute.Key, s string) {
	m.kvs = appendFound(m.kvs, m.key(key).String(s))
}

// set sets an attribute of the message, unless it is empty.
func (m *messages) set(key attribute.Key, s string) {
	if s != "" {
		m.add(key, s)
	}
}

// partKey returns the key of an attribute of the part under way.
func (m *messages) partKey(key attribute.Key) attribute.Key {
	return m.key(itemKey(MessageContentsKey, int64(m.parts), key))
}

// setPart sets an attribute of the part under way, unless it is empty.
func (m *messages) setPart(key attribute.Key, s string) {
	if s != "" {
		m.kvs = appendFound(m.kvs, m.partKey(key).String(s))
	}
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

// document describes a part that is a file. Phoenix shows only the text of such a part: it
// is what the file is called.
func (m *messages) document(file value, url string) {
	id, name, link := file.get("file_id").str(), file.get("filename").str(), file.get("file_url").str()
	if isBase64URL(link) {
		link = ""
	}
	m.setPart(MessageContentTypeKey, typeDocument)
	m.setPart(partDocumentID, id)
	m.setPart(partDocumentName, name)
	m.setPart(partDocumentURL, url)
	m.setPart(MessageContentTextKey, cmp.Or(name, id, link))
}

// itemKey returns the key of an attribute of an item of a list.
func itemKey(list attribute.Key, index int64, key attribute.Key) attribute.Key {
	return list + attribute.Key("."+strconv.FormatInt(index, 10)+".") + key
}

// cite records the pages and files that the annotations of an answer name as its sources,
// as documents of the span's output.
func (m *messages) cite(annotations value) {
	if m.list != LLMOutputMessagesKey {
		return
	}
	for _, source := range annotations.items() {
		if page := source.get("url_citation"); page.isObject() { // in a chat
			source = page
		}
		url, id := source.get("url").str(), source.get("file_id").str()
		if url == "" && id == "" {
			continue
		}
		set := func(key attribute.Key, s string) {
			if s != "" {
				m.kvs = appendFound(m.kvs, itemKey(OutputDocumentsKey, m.cited, key).String(s))
			}
		}
		set(DocumentURLKey, url)
		set(DocumentIDKey, id)
		set(DocumentNameKey, source.first("title", "filename").str())
		m.cited++
	}
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
func customArguments(input string) string { return `{"input": ` + string(quote(input)) + `}` }

// paragraphs is texts joined by line ends.
type paragraphs struct{ strings.Builder }

// add adds s, unless it is empty.
func (p *paragraphs) add(s string) {
	if s != "" && p.Len() > 0 {
		p.WriteByte('\n')
	}
	p.WriteString(s)
}

// joinLines joins those of texts that are not empty.
func joinLines(texts ...string) string {
	var joined paragraphs
	for _, s := range texts {
		joined.add(s)
	}
	return joined.String()
}
