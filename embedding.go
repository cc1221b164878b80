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
func embeddingRequest(body value) (x extract) {
	x.model = body.get("model").str()
	x.facts = []attribute.KeyValue{EmbeddingInvocationParametersKey.String(readable(without(body, "input")))}
	x.content = texts(EmbeddingEmbeddingsKey, EmbeddingTextKey, body.get("input").texts())
	return x
}

// embeddingResponse describes embeddings.
func embeddingResponse(body value) (x extract) {
	for key, m := range body.members() {
		switch string(key) {
		case "model":
			x.model = m.str()
		case "usage":
			for _, kv := range appendUsage(nil, m) {
				// Some servers count the tokens of a completion here, as 0.
				if kv.Key == LLMTokenCountPromptKey || kv.Key == LLMTokenCountTotalKey {
					x.facts = appendFound(x.facts, kv)
				}
			}
		case "data":
			for i, item := range m.items() {
				index := int64(i)
				var vector value
				for key, m := range item.members() {
					switch string(key) {
					case "index":
						index = m.integerOr(index)
					case "embedding":
						vector = m
					}
				}
				if !vector.isEmpty() && index >= 0 {
					x.vectors = appendFound(x.vectors, large{itemKey(EmbeddingEmbeddingsKey, index, EmbeddingVectorKey), vector})
				}
			}
		}
	}
	return x
}

// floats returns the numbers of a list, or of a string that has them in base64; nil if
// there is anything else among them, or the list breaks off.
func (v value) floats() []float64 {
	if v.isString() {
		return floatsOfBase64(v.str())
	}
	if !v.isArray() || v[len(v)-1] != ']' {
		return nil
	}
	numbers := make([]float64, 0, bytes.Count(v, []byte(","))+1)
	for i := skipSeparator(v, 1); i < len(v) && v[i] != ']'; {
		f, end := leadingFloat(v[i:])
		if end == 0 {
			return nil
		}
		numbers = append(numbers, f)
		i = skipSeparator(v, i+end)
	}
	return numbers
}

// leadingFloat decodes the number that b begins with, and says where it ends, 0 if there
// is none. A vector has thousands; nearly all have digits few enough to be held exactly,
// and then the quotient of two numbers that are exact is the nearest one.
func leadingFloat(b value) (f float64, end int) {
	const exact = 15 // decimal digits of a float64
	var digits, fraction int
	var mantissa uint64
	i := 0
	if b[0] == '-' {
		i++
	}
	point := false
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case '0' <= c && c <= '9':
			if mantissa = mantissa*10 + uint64(c-'0'); mantissa != 0 {
				digits++
			}
			if point {
				fraction++
			}
			continue
		case c == '.' && !point:
			point = true
			continue
		case c == ',' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t':
		default:
			digits = exact + 1 // an exponent, or no number at all
		}
		break
	}
	if 0 < digits && digits <= exact && fraction < len(powersOf10) {
		f = float64(mantissa) / powersOf10[fraction]
		if b[0] == '-' {
			f = -f
		}
		return f, i
	}
	end, _ = skip(b, 0)
	f, ok := b[:end].float()
	if !ok {
		return 0, 0
	}
	return f, end
}

// powersOf10 are those that a float64 holds exactly.
var powersOf10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

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
