package openinference

import (
	"bytes"
	"encoding/json"
	"iter"
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
type value []byte

// parse returns the JSON value that b is, but for white space round it.
func parse(b []byte) value { return bytes.TrimSpace(b) }

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
	return !v.exists() || len(v) >= 2 && len(bytes.TrimSpace(v[1:len(v)-1])) == 0
}

// members yields the keys and values of an object. A key is decoded; it is
// valid until the next one.
func (v value) members() iter.Seq2[[]byte, value] {
	return func(yield func([]byte, value) bool) {
		if !v.isObject() {
			return
		}
		for i := skipSeparator(v, 1); i < len(v) && v[i] == '"'; i = skipSeparator(v, i) {
			end, ok := skipString(v, i)
			if !ok {
				return
			}
			key := []byte(v[i+1 : end-1])
			if bytes.IndexByte(key, '\\') >= 0 {
				key = []byte(unescape(key))
			}
			if i = skipSeparator(v, end); i == len(v) || v[i] == '}' {
				return
			}
			end, ok = skip(v, i)
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
		for n, i := 0, skipSeparator(v, 1); i < len(v) && v[i] != ']'; n++ {
			end, ok := skip(v, i)
			if m := v[i:end]; (ok || m.isObject() || m.isArray()) && !yield(n, m) {
				return
			}
			i = skipSeparator(v, end)
		}
	}
}

// get returns the member of an object with that key, the last if it occurs
// more than once, as encoding/json has it.
func (v value) get(key string) (m value) {
	for k, x := range v.members() {
		if string(k) == key {
			m = x
		}
	}
	return m
}

// object is a JSON object that is being built.
type object []byte

// newObject returns an empty object.
func newObject() object { return append(make(object, 0, 128), "{}"...) }

// add adds a member whose value is JSON.
func (o *object) add(key, m []byte) {
	b := (*o)[:len(*o)-1]
	if len(b) > 1 {
		b = append(b, ", "...)
	}
	b = append(appendQuoted(b, key), ": "...)
	*o = append(append(b, m...), '}')
}

// without returns the object v without the members of those keys; of what is no
// object, an empty one.
func without(v value, keys ...string) object {
	o := newObject()
	for k, m := range v.members() {
		if !slices.Contains(keys, string(k)) {
			o.add(k, m)
		}
	}
	return o
}

// first returns the first of the members with those keys that exists.
func (v value) first(keys ...string) value {
	for _, key := range keys {
		if m := v.get(key); m.exists() {
			return m
		}
	}
	return nil
}

// str returns the text of a string, and "" for anything else.
func (v value) str() string {
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	return unescape(v[1 : len(v)-1])
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

// indexOr returns the index that an item of a list names, or else its position.
func (v value) indexOr(position int) int64 {
	return v.get("index").integerOr(int64(position))
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

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipSeparator passes over white space, commas and colons.
func skipSeparator(b []byte, i int) int {
	for i < len(b) && (b[i] == ',' || b[i] == ':' || b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// structural are the bytes that skip has to look at.
var structural = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true}

// skip returns the index behind the value that starts at b[i]; if b breaks off
// inside it, that is len(b) and false. It always moves on.
func skip(b []byte, i int) (int, bool) {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; i < len(b); i++ {
			for i < len(b) && !structural[b[i]] {
				i++
			}
			if i == len(b) {
				break
			}
			switch b[i] {
			case '"':
				end, ok := skipString(b, i)
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
		for i < len(b) {
			switch b[i] {
			case ',', ':', '}', ']', ' ', '\n', '\r', '\t', '{', '[', '"':
				return max(i, start+1), true
			}
			i++
		}
		return i, true
	}
}

// skipString returns the index behind the string that starts at b[i].
func skipString(b []byte, i int) (int, bool) {
	for end := i + 1; ; {
		n := bytes.IndexByte(b[end:], '"')
		if n < 0 {
			return len(b), false
		}
		end += n + 1
		slashes := end - 2
		for b[slashes] == '\\' {
			slashes--
		}
		if (end-slashes)%2 == 0 {
			return end, true
		}
	}
}

// unescape decodes what stands between the quotes of a string, as encoding/json
// does: half a surrogate pair or an unknown escape becomes U+FFFD.
func unescape(s []byte) string {
	i := bytes.IndexByte(s, '\\')
	if i < 0 {
		return intern(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = bytes.IndexByte(s, '\\') {
		b.Write(s[:i])
		r, n := unescapeRune(s[i:])
		b.WriteRune(r)
		s = s[i+n:]
	}
	b.Write(s)
	return b.String()
}

// intern is string(s) without an allocation for the words that most exchanges have.
func intern(s []byte) string {
	if len(s) <= len("system_fingerprint") {
		if word, ok := words[string(s)]; ok {
			return word
		}
	}
	return string(s)
}

var words = func() map[string]string {
	m := map[string]string{}
	for _, word := range []string{
		"assistant", "developer", "stop", "system", "text", "tool", "tool_calls", "user", // values
		"choices", "completion_tokens", "content", "created", "delta", "finish_reason", "id", "index", "model", "object",
		"prompt_tokens", "role", "service_tier", "system_fingerprint", "total_tokens", "usage", // keys of a chunk
	} {
		m[word] = word
	}
	return m
}()

// unescapeRune decodes the escape that s begins with, and says how long it is.
func unescapeRune(s []byte) (rune, int) {
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

// hex4 decodes \uXXXX at the start of s.
func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range s[2:6] {
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
func readable(b []byte) string {
	i := bytes.Index(b, []byte(`\u`))
	if i < 0 {
		return string(b)
	}
	// The \u found first may be the end of an escaped backslash: start again from
	// the first backslash.
	i = bytes.IndexByte(b, '\\')
	var out strings.Builder
	out.Grow(len(b))
	for ; i >= 0; i = bytes.IndexByte(b, '\\') {
		out.Write(b[:i])
		r, n := unescapeRune(b[i:])
		if n < 6 || r < ' ' || r == '"' || r == '\\' || r == utf8.RuneError {
			out.Write(b[i : i+n])
		} else {
			out.WriteRune(r)
		}
		b = b[i+n:]
	}
	out.Write(b)
	return out.String()
}

// quote returns s as a JSON string.
func quote(s string) string { return string(appendQuoted(nil, []byte(s))) }

// appendQuoted appends s as a JSON string.
func appendQuoted(dst, s []byte) []byte {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			b, _ := encode(string(s)) // a string can always be encoded
			return append(dst, b...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
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

// validPrefix reports whether b begins with a valid JSON value, by the rules of
// encoding/json, and where that value ends.
func validPrefix(b []byte) (end int, ok bool) {
	return validValue(b, skipSpace(b, 0), 0)
}

// valid reports whether b is one valid JSON value and nothing else.
func valid(b []byte) bool {
	end, ok := validPrefix(b)
	return ok && skipSpace(b, end) == len(b)
}

func validValue(b []byte, i, depth int) (int, bool) {
	if i >= len(b) || depth > maxDepth {
		return i, false
	}
	switch b[i] {
	case '"':
		return validString(b, i)
	case '{', '[':
		return validContainer(b, i, depth+1)
	case 't':
		return validLiteral(b, i, "true")
	case 'f':
		return validLiteral(b, i, "false")
	case 'n':
		return validLiteral(b, i, "null")
	default:
		return validNumber(b, i)
	}
}

func validContainer(b []byte, i, depth int) (int, bool) {
	object := b[i] == '{'
	closing := b[i] + 2 // both '}' and ']' stand two behind their opening
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == closing {
		return i + 1, true
	}
	var ok bool
	for {
		if object {
			if i >= len(b) || b[i] != '"' {
				return i, false
			}
			if i, ok = validString(b, i); !ok {
				return i, false
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return i, false
			}
			i = skipSpace(b, i+1)
		}
		if i, ok = validValue(b, i, depth); !ok {
			return i, false
		}
		if i = skipSpace(b, i); i >= len(b) {
			return i, false
		}
		switch b[i] {
		case closing:
			return i + 1, true
		case ',':
			i = skipSpace(b, i+1)
		default:
			return i, false
		}
	}
}

func validString(b []byte, i int) (int, bool) {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c == '\\':
			i++
			if i >= len(b) {
				return i, false
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(b[i-1:]); !ok {
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

func validLiteral(b []byte, i int, word string) (int, bool) {
	end := i + len(word)
	return end, end <= len(b) && string(b[i:end]) == word
}

func validNumber(b []byte, i int) (int, bool) {
	digits := func() bool {
		start := i
		for i < len(b) && '0' <= b[i] && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return i, false
	}
	if i < len(b) && b[i] == '.' {
		i++
		if !digits() {
			return i, false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return i, false
		}
	}
	return i, true
}
