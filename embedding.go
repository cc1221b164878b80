package openinference

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math"

	"go.opentelemetry.io/otel/attribute"
)

// embeddingRequest describes the request of embeddings. Its input is no message, so
// that there is no text for IOText.
func embeddingRequest(body []byte) (x extract) {
	v := parse(body)
	x.model = v.get("model").str()
	x.facts = []attribute.KeyValue{EmbeddingInvocationParametersKey.String(readable(without(v, "input")))}
	x.content = texts(EmbeddingEmbeddingsKey, EmbeddingTextKey, v.get("input").texts())
	return x
}

// embeddingResponse describes embeddings.
func embeddingResponse(body []byte) (x extract) {
	for key, m := range parse(body).members() {
		switch string(key) {
		case "model":
			x.model = m.str()
		case "usage":
			for _, kv := range appendUsage(nil, m) {
				// Some servers count the tokens of a completion here, as 0.
				if kv.Key == LLMTokenCountPromptKey || kv.Key == LLMTokenCountTotalKey {
					x.facts = append(x.facts, kv)
				}
			}
		case "data":
			for i, item := range m.items() {
				key := itemKey(EmbeddingEmbeddingsKey, item.indexOr(i), EmbeddingVectorKey)
				if vector := item.get("embedding"); !vector.isEmpty() {
					x.vectors = append(x.vectors, large{key, vector})
				}
			}
		}
	}
	return x
}

// floats returns the numbers of a list, or of a string that has them in base64; nil if
// there is anything else among them.
func (v value) floats() []float64 {
	if v.isString() {
		return floatsOfBase64(v.str())
	}
	numbers := make([]float64, 0, bytes.Count(v, []byte(","))+1)
	for _, item := range v.items() {
		f, ok := item.float()
		if !ok {
			return nil
		}
		numbers = append(numbers, f)
	}
	return numbers
}

// floatsOfBase64 decodes the other form of a vector: 32 bits a number, the lowest byte
// first.
func floatsOfBase64(s string) []float64 {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b)%4 != 0 {
		return nil
	}
	numbers := make([]float64, len(b)/4)
	for i := range numbers {
		numbers[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return numbers
}
