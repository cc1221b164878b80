package openinference

import (
	"bytes"
	"encoding/json"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value is one JSON value, still encoded. A value that is missing, or of
// another type than asked for, gives zero results: what cannot be read is left
// out of a span, and never hides what stands beside it. Whether a document is
// valid is for [validPrefix] to say; value reads as much as it can of any.
//
// It is a string, since what stands in a body unescaped gets into the span without
// being copied.
type value string

// parse returns the JSON value that b is, but for white space round it.
func parse(s string) value { return value(strings.TrimSpace(s)) }

func (v value) kind() byte {
	if len(v) == 0 {
		return 0
	}
	return v[0]
}

func (v value) isObject() bool { return v.kind() == '{' }
func (v value) isArray() bool  { return v.kind() == '[' }
func (v value) isString() bool { return v.kind() == '"' }
func (v value) isNumber() bool { k := v.kind(); return k == '-' || '0' <= k && k <= '9' }

// exists reports whether v is there and not null.
func (v value) exists() bool { return len(v) > 0 && v[0] != 'n' }

// isEmpty reports whether v is missing, null, or has nothing in it.
func (v value) isEmpty() bool {
	return !v.exists() || len(v) >= 2 && skipSpace(string(v), 1) >= len(v)-1
}

// members yields the keys, decoded, and values of an object.
func (v value) members() iter.Seq2[string, value] {
	return func(yield func(string, value) bool) {
		if !v.isObject() {
			return
		}
		s := string(v)
		for i := skipSeparator(s, 1); i < len(s) && s[i] == '"'; i = skipSeparator(s, i) {
			end, ok := skipString(s, i)
			if !ok {
				return
			}
			key := s[i+1 : end-1]
			if strings.IndexByte(key, '\\') >= 0 {
				key = unescape(key)
			}
			if i = skipSeparator(s, end); i == len(s) || s[i] == '}' {
				return
			}
			end, ok = skip(s, i)
			if m := v[i:end]; (ok || m.isObject() || m.isArray()) && !yield(key, m) {
				return
			}
			i = end
		}
	}
}

// items yields the items of an array with their positions.
func (v value) items() iter.Seq2[int, value] {
	return func(yield func(int, value) bool) {
		if !v.isArray() {
			return
		}
		s := string(v)
		for n, i := 0, skipSeparator(s, 1); i < len(s) && s[i] != ']'; n++ {
			end, ok := skip(s, i)
			if m := v[i:end]; (ok || m.isObject() || m.isArray()) && !yield(n, m) {
				return
			}
			i = skipSeparator(s, end)
		}
	}
}

// get returns the member of an object with that key, the last if it occurs
// more than once, as encoding/json has it.
func (v value) get(key string) (m value) {
	for k, x := range v.members() {
		if k == key {
			m = x
		}
	}
	return m
}

// object builds a JSON object.
type object struct{ b strings.Builder }

// add adds a member whose value is JSON.
func (o *object) add(key string, m value) {
	if o.b.Len() == 0 {
		o.b.Grow(128)
		o.b.WriteByte('{')
	} else {
		o.b.WriteString(", ")
	}
	writeQuoted(&o.b, key)
	o.b.WriteString(": ")
	o.b.WriteString(string(m))
}

// value returns the object, which takes no more members.
func (o *object) value() value {
	if o.b.Len() == 0 {
		return "{}"
	}
	o.b.WriteByte('}')
	return value(o.b.String())
}

// without returns the object v without the members of those keys; of what is no
// object, an empty one.
func without(v value, keys ...string) value {
	var o object
	o.addWithout(v, keys...)
	return o.value()
}

// addWithout adds the members of v but those of the keys.
func (o *object) addWithout(v value, keys ...string) {
	for k, m := range v.members() {
		if !slices.Contains(keys, k) {
			o.add(k, m)
		}
	}
}

// first returns the first of the members with those keys that exists.
func (v value) first(keys ...string) value {
	for _, key := range keys {
		if m := v.get(key); m.exists() {
			return m
		}
	}
	return ""
}

// str returns the text of a string, and "" for anything else.
func (v value) str() string {
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	return unescape(string(v[1 : len(v)-1]))
}

// text returns the text of a string, and the JSON of anything else but null.
func (v value) text() string {
	if v.isString() {
		return v.str()
	}
	if !v.exists() {
		return ""
	}
	return readable(v)
}

// integer returns a number that has no fraction.
func (v value) integer() (int64, bool) {
	if !v.isNumber() {
		return 0, false
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return n, true
	}
	f, ok := v.float()
	if n := int64(f); ok && float64(n) == f {
		return n, true
	}
	return 0, false
}

// float returns a number.
func (v value) float() (float64, bool) {
	if !v.isNumber() {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	return f, err == nil
}

// integerOr returns a number that has no fraction, or else other.
func (v value) integerOr(other int64) int64 {
	if n, ok := v.integer(); ok {
		return n
	}
	return other
}

// texts returns the texts of a string or of a list of nothing but strings.
func (v value) texts() (texts []string) {
	if v.isString() {
		return []string{v.str()}
	}
	for _, item := range v.items() {
		if !item.isString() {
			return nil
		}
		texts = append(texts, item.str())
	}
	return texts
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// skipSeparator passes over white space, commas and colons.
func skipSeparator(s string, i int) int {
	for i < len(s) && (s[i] == ',' || s[i] == ':' || s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// skip returns the index behind the value that starts at s[i]; if s breaks off
// inside it, that is len(s) and false. It always moves on.
func skip(s string, i int) (int, bool) {
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		for depth := 0; i < len(s); i++ {
			if i = nextStructural(s, i); i == len(s) {
				break
			}
			switch s[i] {
			case '"':
				end, ok := skipString(s, i)
				if !ok {
					return end, false
				}
				i = end - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1, true
				}
			}
		}
		return i, false
	default:
		start := i
		for i < len(s) {
			switch s[i] {
			case ',', ':', '}', ']', ' ', '\n', '\r', '\t', '{', '[', '"':
				return max(i, start+1), true
			}
			i++
		}
		return i, true
	}
}

// The bytes of a word are looked at together: most of a body is text and numbers, of
// which every byte is like the next.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// word returns the 8 bytes of s from i on, the first as the lowest.
func word(s string, i int) uint64 {
	_ = s[i+7]
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
		uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
}

// below returns a word with the high bit of the first byte of w that is less than n set,
// for n up to 128; 0 if there is none. See
// https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord.
func below(w, n uint64) uint64 { return (w - n*lowBits) & ^w & highBits }

// equal is [below] for the first byte that is c.
func equal(w, c uint64) uint64 { return below(w^c*lowBits, 1) }

// first returns which byte of a word is the first with its high bit set, 8 if none is.
func first(w uint64) int { return bits.TrailingZeros64(w) / 8 }

// nextStructural returns the index of the first quote or bracket from s[i] on, len(s) if
// there is none.
func nextStructural(s string, i int) int {
	for {
		for ; i+8 <= len(s); i += 8 {
			w := word(s, i)
			// All brackets are 0x7F with these bits set, and few other bytes are.
			if found := equal(w, '"') | equal(w|0x26*lowBits, 0x7F); found != 0 {
				i += first(found)
				break
			}
		}
		if i == len(s) {
			return i
		}
		switch s[i] {
		case '"', '{', '}', '[', ']':
			return i
		}
		i++
	}
}

// skipString returns the index behind the string that starts at s[i].
func skipString(s string, i int) (int, bool) {
	if i+9 <= len(s) { // most keys and many values are short
		w := word(s, i+1)
		if quote := first(equal(w, '"')); quote < first(equal(w, '\\')) {
			return i + 2 + quote, true
		}
	}
	for end := i + 1; ; {
		n := strings.IndexByte(s[end:], '"')
		if n < 0 {
			return len(s), false
		}
		end += n + 1
		slashes := end - 2
		for s[slashes] == '\\' {
			slashes--
		}
		if (end-slashes)%2 == 0 {
			return end, true
		}
	}
}

// unescape decodes what stands between the quotes of a string, as encoding/json
// does: half a surrogate pair or an unknown escape becomes U+FFFD.
func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		r, n := unescapeRune(s[i:])
		b.WriteRune(r)
		s = s[i+n:]
	}
	b.WriteString(s)
	return b.String()
}

// unescapeRune decodes the escape that s begins with, and says how long it is.
func unescapeRune(s string) (rune, int) {
	if len(s) < 2 {
		return utf8.RuneError, len(s)
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(s)
		if !ok {
			return utf8.RuneError, 2
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if low, ok := hex4(s[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return utf8.RuneError, 6
	}
	return utf8.RuneError, 2
}

// hex4 decodes a \u with its four digits at the start of s.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// readable returns JSON with the characters that were escaped without need, such
// as the <, > and & of encoding/json, written as themselves.
func readable(v value) string {
	s := string(v)
	if !strings.Contains(s, `\u`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	// The \u found may be the end of an escaped backslash: look at every backslash.
	for i := strings.IndexByte(s, '\\'); i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		r, n := unescapeRune(s[i:])
		if n < 6 || r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError {
			b.WriteString(s[i : i+n])
		} else {
			b.WriteRune(r)
		}
		s = s[i+n:]
	}
	b.WriteString(s)
	return b.String()
}

// quote returns s as a JSON string.
func quote(s string) value {
	var b strings.Builder
	writeQuoted(&b, s)
	return value(b.String())
}

// writeQuoted writes s as a JSON string.
func writeQuoted(w *strings.Builder, s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ := encode(s) // a string can always be encoded
			w.Write(b)
			return
		}
	}
	w.WriteString(`"`)
	w.WriteString(s)
	w.WriteString(`"`)
}

// encode is json.Marshal without the escaping of <, > and &.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// maxDepth is how deep JSON may be nested, as in encoding/json.
const maxDepth = 10000

// validPrefix reports whether s begins with a valid JSON value, by the rules of
// encoding/json, and where that value ends.
func validPrefix(s string) (end int, ok bool) {
	return validValue(s, skipSpace(s, 0), 0)
}

// valid reports whether s is one valid JSON value and nothing else.
func valid(s string) bool {
	end, ok := validPrefix(s)
	return ok && skipSpace(s, end) == len(s)
}

func validValue(s string, i, depth int) (int, bool) {
	if i >= len(s) || depth > maxDepth {
		return i, false
	}
	switch s[i] {
	case '"':
		return validString(s, i)
	case '{', '[':
		return validContainer(s, i, depth+1)
	case 't':
		return validLiteral(s, i, "true")
	case 'f':
		return validLiteral(s, i, "false")
	case 'n':
		return validLiteral(s, i, "null")
	default:
		return validNumber(s, i)
	}
}

func validContainer(s string, i, depth int) (int, bool) {
	object := s[i] == '{'
	closing := s[i] + 2 // both '}' and ']' stand two behind their opening
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == closing {
		return i + 1, true
	}
	var ok bool
	for {
		if object {
			if i >= len(s) || s[i] != '"' {
				return i, false
			}
			if i, ok = validString(s, i); !ok {
				return i, false
			}
			if i = skipSpace(s, i); i >= len(s) || s[i] != ':' {
				return i, false
			}
			i = skipSpace(s, i+1)
		} else {
			i = validDecimals(s, i)
		}
		if i, ok = validValue(s, i, depth); !ok {
			return i, false
		}
		if i = skipSpace(s, i); i >= len(s) {
			return i, false
		}
		switch s[i] {
		case closing:
			return i + 1, true
		case ',':
			i = skipSpace(s, i+1)
		default:
			return i, false
		}
	}
}

func validString(s string, i int) (int, bool) {
	for i++; i < len(s); i++ {
		for ; i+8 <= len(s); i += 8 {
			w := word(s, i)
			if found := below(w, ' ') | equal(w, '"') | equal(w, '\\'); found != 0 {
				i += first(found)
				break
			}
		}
		if i == len(s) {
			break
		}
		switch c := s[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c == '\\':
			i++
			if i >= len(s) {
				return i, false
			}
			switch s[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(s[i-1:]); !ok {
					return i, false
				}
				i += 4
			default:
				return i, false
			}
		}
	}
	return i, false
}

func validLiteral(s string, i int, word string) (int, bool) {
	end := i + len(word)
	return end, end <= len(s) && s[i:end] == word
}

// validDecimals returns the index behind those of the items from s[i] on that are numbers
// such as -0.0123 with a comma behind them: most of a vector. It need not be behind all.
func validDecimals(s string, i int) int {
	for i+32 <= len(s) {
		end := i
		if s[end] == '-' {
			end++
		}
		if s[end] < '0' || s[end] > '9' || s[end+1] != '.' {
			break
		}
		end += 2
		fraction := nonDigits(word(s, end))
		if fraction == 0 {
			end += 8
			fraction = nonDigits(word(s, end))
		} else if first(fraction) == 0 {
			break
		}
		if end += first(fraction); s[end] != ',' {
			break
		}
		i = skipSpace(s, end+1)
	}
	return i
}

func validNumber(s string, i int) (int, bool) {
	if s[i] == '-' {
		i++
	}
	start := i
	if i < len(s) && s[i] == '0' {
		i++
	} else if i = skipDigits(s, i); i == start {
		return i, false
	}
	if i < len(s) && s[i] == '.' {
		start = i + 1
		if i = skipDigits(s, start); i == start {
			return i, false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(s, start); i == start {
			return i, false
		}
	}
	return i, true
}

// skipDigits returns the index behind the digits that s[i] begins.
func skipDigits(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		if other := nonDigits(word(s, i)); other != 0 {
			return i + first(other)
		}
	}
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return i
}

// nonDigits returns a word with the high bit of the first byte of w that is no digit
// set; 0 if all are digits.
func nonDigits(w uint64) uint64 {
	w ^= '0' * lowBits // the digits are 0 to 9 now
	return (w + (0x80-10)*lowBits | w) & highBits
}
