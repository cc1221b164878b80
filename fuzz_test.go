package openinference

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// goldenBodies are the requests and responses of the golden cases, to fuzz from.
func goldenBodies(f *testing.F) (requests, responses []string) {
	f.Helper()
	files, err := filepath.Glob("testdata/golden/cases/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var c struct {
			Body     string `json:"request_body"`
			Response struct{ Body string }
		}
		if err := json.Unmarshal(b, &c); err != nil {
			f.Fatal(err)
		}
		if len(c.Body) < 4096 && len(c.Response.Body) < 4096 {
			requests = append(requests, c.Body)
			responses = append(responses, c.Response.Body)
		}
	}
	return requests, responses
}

// FuzzJSON compares the reader of JSON with encoding/json.
func FuzzJSON(f *testing.F) {
	requests, responses := goldenBodies(f)
	for _, s := range slices.Concat(requests, responses) {
		f.Add([]byte(s))
	}
	for _, s := range []string{`{"a":"\ud83d\ude00\ud83d","a":1}`, `[1,-0.5e+3,"\u003c\\u003c",{},[]]`, `"\/"`, `{"a":}`, `{"a`, `"\`, "\"\xff\"", `01`, `1.`, `[1,]`, `{"\u0061":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := valid(string(b)), json.Valid(b); got != want {
			t.Fatalf("valid(%q): got %v, want %v", b, got, want)
		}
		walk(parse(string(b))) // any bytes can be read
		if !json.Valid(b) {
			return
		}
		var want any
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("encoding/json cannot decode %q, which it calls valid: %v", b, err)
		}
		if got := decoded(parse(string(b))); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, want %#v", b, got, want)
		}
		var again any
		dec = json.NewDecoder(strings.NewReader(readable(value(b))))
		dec.UseNumber()
		if err := dec.Decode(&again); err != nil || !reflect.DeepEqual(again, want) {
			t.Fatalf("readable(%q) = %q: got %#v, want %#v (%v)", b, readable(value(b)), again, want, err)
		}
	})
}

// decoded is v as encoding/json has it.
func decoded(v value) any {
	switch v.kind() {
	case '{':
		m := map[string]any{}
		for k, x := range v.members() {
			m[string([]rune(k))] = decoded(x)
		}
		return m
	case '[':
		s := []any{}
		for _, x := range v.items() {
			s = append(s, decoded(x))
		}
		return s
	case '"':
		return string([]rune(v.str())) // one U+FFFD for each byte that is not UTF-8
	case 't':
		return true
	case 'f':
		return false
	case 'n':
		return nil
	default:
		return json.Number(v)
	}
}

func walk(v value) {
	for _, m := range v.members() {
		walk(m)
	}
	for _, m := range v.items() {
		walk(m)
	}
	_ = v.text()
	_, _ = v.integer()
}

// thorough is a fold that reads every event.
type thorough struct{ fold }

func (thorough) repeat([]byte) bool { return false }

// FuzzStream feeds the same bytes whole, and in pieces of those sizes, again and again, to a
// fold that takes no short cut: the result must be the same.
func FuzzStream(f *testing.F) {
	_, responses := goldenBodies(f)
	for _, s := range responses {
		if strings.Contains(s, "data:") {
			f.Add([]byte(s), []byte{6, 0, 40})
		}
	}
	w4, err := os.ReadFile("testdata/bench/W4.resp")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(w4[:6000], []byte{99})
	f.Add([]byte(": hello\r\n\r\ndata: {\"a\":1}\r\rdata: {\ndata: \"b\":\"c\"}\n\ndata:[DONE]"), []byte{0})
	f.Fuzz(func(t *testing.T, b, sizes []byte) {
		read := func(f fold, sizes []byte) (object string, over bool, err string) {
			s := &stream{fold: f}
			for rest, i := bytes.Clone(b), 0; len(rest) > 0; i++ {
				n := len(rest)
				if len(sizes) > 0 {
					n = min(n, int(sizes[i%len(sizes)])+1)
				}
				over, err := s.feed(rest[:n])
				clear(rest[:n]) // the reader may use its buffer again
				if over {
					return string(s.object()), true, errorText(err)
				}
				rest = rest[n:]
			}
			return string(s.object()), false, errorText(s.finish())
		}
		for _, e := range endpoints {
			if e.stream == nil {
				continue
			}
			whole, over, err := read(e.stream(), nil)
			pieces, overPieces, errPieces := read(thorough{e.stream()}, sizes)
			if whole != pieces || over != overPieces || err != errPieces {
				t.Fatalf("%s: whole: %q %v %q\nin pieces of %v: %q %v %q", e.name, whole, over, err, sizes, pieces, overPieces, errPieces)
			}
			if whole != "" && !json.Valid([]byte(whole)) {
				t.Fatalf("%s: the fold is not JSON: %q", e.name, whole)
			}
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzExtractors gives any bytes to every extractor: no panic, valid text, and no key
// twice. FuzzMask has more of what holds for spans.
func FuzzExtractors(f *testing.F) {
	requests, responses := goldenBodies(f)
	for _, s := range slices.Concat(requests, responses) {
		f.Add([]byte(s))
	}
	c := &call{span: &Span{mask: newMask(TraceConfig{})}}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range endpoints {
			extracts := []extract{e.request(parse(string(b)))}
			if e.response != nil {
				extracts = append(extracts, e.response(parse(string(b))))
			}
			for _, x := range extracts {
				kvs := c.appendLarge(slices.Concat(x.facts, x.content), x, x.format)
				seen := map[string]bool{}
				for _, kv := range c.span.mask.all(kvs) {
					if !utf8.ValidString(kv.Value.String()) {
						t.Errorf("%s: %s is not UTF-8: %q", e.name, kv.Key, kv.Value.String())
					}
					if seen[string(kv.Key)] && valid(string(b)) && !hasTwins(parse(string(b))) {
						t.Errorf("%s: %s is there twice", e.name, kv.Key)
					}
					seen[string(kv.Key)] = true
				}
			}
		}
	})
}

// hasTwins reports whether a key occurs twice in an object, or an index twice in an
// array, anywhere in v.
func hasTwins(v value) bool {
	keys, indices := map[string]bool{}, map[int64]bool{}
	for k, m := range v.members() {
		if keys[k] || hasTwins(m) {
			return true
		}
		keys[k] = true
	}
	for i, m := range v.items() {
		index, ok := m.get("index").integer()
		if !ok {
			index = int64(i)
		}
		if indices[index] || hasTwins(m) {
			return true
		}
		indices[index] = true
	}
	return false
}

// FuzzForm reads any bytes as a form: its fields must come out as a JSON object, whatever
// is in them.
func FuzzForm(f *testing.F) {
	requests, _ := goldenBodies(f)
	for _, s := range requests {
		if strings.HasPrefix(s, "--BOUNDARY") {
			f.Add([]byte(s))
		}
	}
	f.Add([]byte("--BOUNDARY\r\nContent-Disposition: form-data; name=\"a\\\"[]\"\r\n\r\n{\"b\":1\r\n--BOUNDARY\r\nContent-Disposition: form-data; name=mask; filename=m\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := readForm(bytes.NewReader(b), "BOUNDARY", 100)
		if !valid(s.body) || !parse(s.body).isObject() {
			t.Errorf("%q is not an object", s.body)
		}
		for _, kv := range s.images {
			if url := kv.Value.AsString(); strings.HasSuffix(string(kv.Key), ".url") && !isBase64URL(url) {
				t.Errorf("%s: %q is no data URL", kv.Key, url)
			}
		}
	})
}
