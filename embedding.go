package openinference

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
)

// embeddingRequest describes the request of embeddings. Its input is no message, so
// that there is no text for IOText.
func embeddingRequest(body value) (x extract) {
	x.model = body.get("model").str()
	x.parameters = without(body, "input")
	x.content = texts(EmbeddingEmbeddingsKey, EmbeddingTextKey, body.get("input").texts())
	return x
}

// embeddingResponse describes embeddings.
func embeddingResponse(body value) (x extract) {
	for key, m := range body.members() {
		switch key {
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
					switch key {
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
	s := string(v)
	numbers := make([]float64, 0, strings.Count(s, ",")+1)
	for i := skipSeparator(s, 1); i < len(s) && s[i] != ']'; {
		f, end := parseFloat(s, i)
		if end == i {
			return nil
		}
		numbers = append(numbers, f)
		i = skipSeparator(s, end)
	}
	return numbers
}

// parseFloat returns the number that s[i] begins and the index behind it, i if there is
// none.
func parseFloat(s string, i int) (f float64, end int) {
	negative := s[i] == '-'
	start := i
	if negative {
		start++
	}
	end = skipDigits(s, start)
	mantissa, digits, fraction := decimal(0, s[start:end]), end-start, 0
	if end < len(s) && s[end] == '.' {
		point := end
		end = skipDigits(s, point+1)
		fraction = end - point - 1
		mantissa, digits = decimal(mantissa, s[point+1:end]), digits+fraction
	}
	// A float64 has both of them exactly, so that their quotient is the nearest there is.
	exact := digits <= 19 && mantissa <= 1<<53 && fraction < len(powersOf10)
	if exact && digits > 0 && end < len(s) && (s[end] == ',' || s[end] == ']') {
		if f = float64(mantissa) / powersOf10[fraction]; negative {
			f = -f
		}
		return f, end
	}
	end, _ = skip(s, i)
	f, ok := value(s[i:end]).float()
	if !ok {
		return 0, i
	}
	return f, end
}

// decimal returns the number that digits behind those of n make.
func decimal(n uint64, digits string) uint64 {
	for ; len(digits) >= 8; digits = digits[8:] {
		// Neighbours are joined to numbers of 2, 4 and 8 digits. See
		// https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/.
		w := word(digits, 0) - '0'*lowBits
		w = w*10 + w>>8
		const mask = 0x000000FF000000FF
		w = (w&mask*(100+1000000<<32) + w>>16&mask*(1+10000<<32)) >> 32
		n = n*100000000 + w
	}
	for i := range len(digits) {
		n = n*10 + uint64(digits[i]-'0')
	}
	return n
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
