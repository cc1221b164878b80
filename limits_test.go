//go:build !race

// The race detector makes these tests ten times as slow, and there is nothing to race.

package openinference_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
)

// What limits.go promises.
const (
	maxValue      = 4 << 20
	maxStream     = 16 << 20
	maxAttributes = 10_000
)

// exchangeAll makes a call, reads the reply to its end with a large buffer, and checks that
// all of it has come. The span may have any number of attributes.
func exchangeAll(t *testing.T, path, contentType, request string, reply io.Reader, opts ...openinference.Option) sdktrace.ReadOnlySpan {
	t.Helper()
	r := newRecorder(unlimited)
	sent := &counter{Reader: reply}
	transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Body: io.NopCloser(sent)}, nil
	}), append(opts, openinference.WithTracerProvider(r.provider))...)
	req, err := http.NewRequest(http.MethodPost, "https://api.openai.com"+path, strings.NewReader(request))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	got := &counter{Reader: resp.Body}
	buf := make([]byte, 8<<20)
	for err == nil {
		_, err = got.Read(buf)
	}
	if err != io.EOF || got.n != sent.n {
		t.Errorf("got %d bytes and error %v, want %d bytes and EOF", got.n, err, sent.n)
	}
	span := r.only(t)
	for _, kv := range span.Attributes() {
		if s := kv.Value.String(); len(s) > maxValue || !utf8.ValidString(s) {
			t.Errorf("%s has %d bytes, UTF-8: %v", kv.Key, len(s), utf8.ValidString(s))
		}
	}
	return span
}

// counter counts what is read through it.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// repeated is s, n times, made as it is read. It calls then after each mebibyte.
type repeated struct {
	s    string
	n    int
	then func()
	read int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && r.read < r.n*len(r.s) {
		copied := copy(p[n:], r.s[r.read%len(r.s):])
		n += copied
		if r.read>>20 != (r.read+copied)>>20 && r.then != nil {
			r.then()
		}
		r.read += copied
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestLongStream gets far more than is kept: in one line, in one event of many lines, and in
// many events. What comes behind is still recorded where it is an event of its own.
func TestLongStream(t *testing.T) {
	const size = 256 << 20
	const piece = "0123456789abcdef"
	chunk := func(content string) string {
		return `data: {"choices":[{"index":0,"delta":{"content":"` + content + `"}}]}` + "\n\n"
	}
	long := strings.Repeat("x", 1<<10)
	tests := []struct {
		name        string
		begin, end  string
		part        string
		value, last string // the content, and how it ends
	}{
		{"line", chunk("before, ") + `data: {"choices":[{"index":0,"delta":{"content":"`, `"}}]}` + "\n\n" + chunk("after"), piece, "before, after", "after"},
		{"lines of an event", chunk("before, ") + "data: {\n", "\n\n" + chunk("after"), "data: " + piece + "\n", "before, after", "after"},
		{"comment", chunk("before, ") + ":", "\n\n" + chunk("after"), piece, "before, after", "after"},
		{"events", chunk("before, "), chunk("after"), chunk(long), "", "x" + openinference.Truncated},
		{"events that differ", chunk("before, "), chunk("after"), strings.Replace(chunk(long), "{", `{"x":1,`, 1) + chunk(long), "", "x" + openinference.Truncated},
		{"items", chunk("before, "), chunk("after"), `data: {"choices":[{"index":0,"delta":{"content":"","annotations":["` + long + `"]}}]}` + "\n\n", "before, ", ", "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, most := heap(), int64(0)
			body := &repeated{s: tt.part, n: size / len(tt.part)}
			body.then = func() {
				if body.read>>20%32 == 31 {
					most = max(most, heap())
				}
			}
			span := exchangeAll(t, "/v1/chat/completions", "application/json", "{}",
				io.MultiReader(strings.NewReader(tt.begin), body, strings.NewReader(tt.end+"data: [DONE]\n\n")),
				openinference.WithIOFormat(openinference.IOJSON))
			if got := most - before; got > 4*maxStream {
				t.Errorf("%d MiB are held on the way, want at most %d", got>>20, 4*maxStream>>20)
			}
			if span.Status().Code != codes.Ok {
				t.Errorf("got status %v, want Ok", span.Status())
			}
			got := attr(span, "llm.output_messages.0.message.content")
			if tt.value != "" && got != tt.value || !strings.HasSuffix(got, tt.last) {
				t.Errorf("got content of %d bytes that ends in %q, want %q…%q", len(got), got[max(0, len(got)-30):], tt.value, tt.last)
			}
			if got := attr(span, openinference.OutputValueKey); !strings.Contains(got, openinference.Truncated) {
				t.Errorf("output.value of %d bytes has no mark", len(got))
			}
		})
	}
}

// TestLongReply gets a plain reply that is longer than what is kept of it.
func TestLongReply(t *testing.T) {
	const size = 80 << 20
	vector := `{"index":0,"embedding":[0.25` + strings.Repeat(",0.25", 1535) + `]},`
	tests := []struct {
		name, path, begin, part, end string
		want                         map[attribute.Key]string
	}{
		{"text", "/v1/chat/completions", `{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"`, "Ahoy. ", `"}}]}`,
			map[attribute.Key]string{openinference.LLMModelNameKey: "m", "llm.output_messages.0.message.role": "assistant"}},
		{"embeddings", "/v1/embeddings", `{"model":"m","data":[`, vector, `{}]}`,
			map[attribute.Key]string{openinference.EmbeddingModelNameKey: "m"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reply := io.MultiReader(strings.NewReader(tt.begin), &repeated{s: tt.part, n: size / len(tt.part)}, strings.NewReader(tt.end))
			span := exchangeAll(t, tt.path, "application/json", `{"input":"x"}`, reply)
			if span.Status().Code != codes.Ok {
				t.Errorf("got status %v, want Ok", span.Status())
			}
			wantAttrs(t, span, tt.want)
			if got := attr(span, openinference.OutputValueKey); !strings.HasSuffix(got, openinference.Truncated) {
				t.Errorf("output.value of %d bytes has no mark", len(got))
			}
			for _, kv := range span.Attributes() {
				if got := len(kv.Value.AsFloat64Slice()); got > 0 && got != 1536 {
					t.Errorf("%s has %d numbers, want all 1536 or none", kv.Key, got)
				}
			}
		})
	}
}

// TestLongReplyThatIsNotReadOn is what go-openai does: it closes a reply at the end of its
// JSON.
func TestLongReplyThatIsNotReadOn(t *testing.T) {
	const begin, size, end = `{"choices":[{"index":0,"message":{"content":"`, 65 << 20, `"}}]}`
	r := newRecorder()
	transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(begin), &repeated{s: "x", n: size}, strings.NewReader(end))
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
	}), openinference.WithTracerProvider(r.provider))
	req, _ := http.NewRequest(http.MethodPost, "https://api.openai.com/v1/chat/completions", strings.NewReader("{}"))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(io.Discard, resp.Body, int64(len(begin)+size+len(end)))
	resp.Body.Close()
	if got := r.only(t).Status(); got.Code != codes.Ok {
		t.Errorf("got status %v, want Ok", got)
	}
}

// TestLongTextIsCut: where a character is cut in two, the whole of it goes.
func TestLongTextIsCut(t *testing.T) {
	for shift := range 4 {
		text := strings.Repeat("x", shift) + strings.Repeat("🦑", maxValue/4)
		span := exchange(t, `{"messages":[{"role":"user","content":"`+text+`"}]}`, `{"choices":[]}`)
		for _, key := range []attribute.Key{"llm.input_messages.0.message.content", openinference.InputValueKey} {
			got := attr(span, key)
			if !utf8.ValidString(got) {
				t.Errorf("%s is not UTF-8", key)
			}
			kept, marked := strings.CutSuffix(got, openinference.Truncated)
			if shift == 0 && got != text {
				t.Errorf("%s: got %d bytes, want all %d", key, len(got), len(text))
			}
			if shift > 0 && (!marked || !strings.HasPrefix(text, kept) || len(got) < maxValue-utf8.UTFMax) {
				t.Errorf("%s: got %d bytes, marked: %v, want %d of the text and a mark", key, len(got), marked, maxValue)
			}
		}
	}
}

// TestStreamsKeepLittleOfEventsInMemory reads streams of which each event brings something
// small that is kept, and much space, and looks at what memory they take.
func TestStreamsKeepLittleOfEventsInMemory(t *testing.T) {
	const events, padding = 200, 64 << 10
	for path, event := range map[string]string{
		"/v1/chat/completions": `{"k%d":1,"choices":[]}`,
		"/v1/responses":        `{"type":"response.output_item.added","output_index":%d,"item":{"type":"message","role":"assistant"}}`,
	} {
		t.Run(path, func(t *testing.T) {
			reply, feed := io.Pipe()
			transport := openinference.NewTransport(roundTripperFunc(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: reply}, nil
			}), openinference.WithTracerProvider(newRecorder().provider))
			resp, err := transport.RoundTrip(must(http.NewRequest(http.MethodPost, origin+path, strings.NewReader("{}"))))
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for i := range events {
					fmt.Fprintf(feed, "data: {%s"+event[1:]+"\n\n", strings.Repeat(" ", padding), i)
				}
				feed.Close()
			}()
			before := heap()
			buf := make([]byte, 1<<20)
			for got := 0; got < events*padding; {
				n, err := resp.Body.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				got += n
			}
			if held := heap() - before; held > events*padding/4 {
				t.Errorf("the stream holds %d KiB, want less than %d", held>>10, events*padding/4>>10)
			}
			resp.Body.Close()
		})
	}
}

// TestSpansKeepLittleOfBodiesInMemory keeps spans of which most is hidden or too long, as a
// queue does, and looks at what memory that takes.
func TestSpansKeepLittleOfBodiesInMemory(t *testing.T) {
	const calls, size = 20, 1 << 20
	long := strings.Repeat("a", size)
	image := strings.Repeat("QUJD", size/4)
	for _, test := range []struct {
		name, path, request, reply string
		config                     openinference.TraceConfig
	}{
		{"hidden messages", "/v1/chat/completions", `{"model":"a-model","user":"ada","messages":[{"role":"user","name":"ada","content":"` + long + `"}]}`,
			`{"model":"a-model","choices":[]}`, openinference.TraceConfig{HideInputs: true}},
		{"hidden text", "/v1/chat/completions", `{"model":"a-model","messages":[{"role":"user","name":"ada","content":"` + long + `"}]}`,
			`{"model":"a-model","choices":[]}`, openinference.TraceConfig{HideInputText: true}},
		{"hidden answer", "/v1/chat/completions", `{"model":"a-model","messages":[]}`,
			`{"model":"b-model","choices":[{"index":0,"finish_reason":"stop","message":{"role":"a-role","content":"` + long + `"}}]}`, openinference.TraceConfig{HideOutputs: true}},
		{"image over the limit", "/v1/images/generations", `{"model":"a-model","prompt":"a tern"}`,
			`{"model":"b-model","data":[{"b64_json":"` + image + `","revised_prompt":"a tern in the rain"}]}`, openinference.TraceConfig{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			spans := make([]sdktrace.ReadOnlySpan, calls)
			before := heap()
			for i := range spans {
				// Bodies of its own, as each call has.
				spans[i] = exchangeAll(t, test.path, "application/json", strings.Clone(test.request), strings.NewReader(test.reply),
					openinference.WithTraceConfig(test.config), openinference.WithIOFormat(openinference.IOText))
			}
			if held := heap() - before; held > calls*size/4 {
				t.Errorf("%d spans hold %d KiB, want less than %d", calls, held>>10, calls*size/4>>10)
			}
			runtime.KeepAlive(spans)
		})
	}
}

// TestLongError: the client gets all of it, the span what it can hold.
func TestLongError(t *testing.T) {
	page := strings.Repeat("<p>bad gateway</p>", 500_000)
	r := newRecorder()
	client, _ := newClient(t, r, nil, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		io.WriteString(w, page)
	})
	_, err := client.CreateChatCompletion(t.Context(), chatRequest("hi"))
	if err == nil || !strings.Contains(err.Error(), page) {
		t.Fatal("the error has not the whole page")
	}
	span := r.only(t)
	message, _ := lookup(span.Events()[0].Attributes, "exception.message")
	for name, got := range map[string]string{"status": span.Status().Description, "exception.message": message.String()} {
		if kept, marked := strings.CutSuffix(got, openinference.Truncated); !marked || len(got) > maxValue || !strings.HasPrefix(err.Error(), kept) {
			t.Errorf("%s has %d bytes, marked: %v", name, len(got), marked)
		}
	}
}

// TestHostileReplies are made to cost time or memory out of proportion. Work that grows
// with the square of their size would not end before the test is killed.
func TestHostileReplies(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	same := func(n int, s string) string { return strings.Repeat(s, n) }
	event := func(s string) string { return "data: " + s + "\n\ndata: [DONE]\n\n" }
	nested := func(n int, open, inside, end string) string { return same(n, open) + inside + same(n, end) }
	tests := []struct{ name, path, reply string }{
		{"line ends", "/v1/chat/completions", "data: {}" + same(4<<20, "\r")},
		{"empty lines", "/v1/chat/completions", "data: {}" + same(4<<20, "\n")},
		{"keys in a chunk", "/v1/chat/completions", event(`{` + many(500_000, `"%d":1,`) + `"x":1}`)},
		{"keys in chunks", "/v1/chat/completions", many(200_000, "data: {\"%d\":1}\n")},
		{"choices in a chunk", "/v1/chat/completions", event(`{"choices":[` + many(500_000, `{"index":-%d},`) + `{}]}`)},
		{"tool calls without an index", "/v1/chat/completions", event(`{"choices":[{"delta":{"tool_calls":[` + many(200_000, `{"id":"%d"},`) + `{}]}}]}`)},
		{"items of a response", "/v1/responses", many(100_000, "data: {\"type\":\"response.output_text.delta\",\"output_index\":-%d,\"delta\":\"x\"}\n\n")},
		{"parts of a response", "/v1/responses", many(100_000, "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":%d,\"delta\":\"x\"}\n\n")},
		{"choices", "/v1/chat/completions", `{"choices":[` + same(300_000, `{"message":{"role":"a"}},`) + `{}]}`},
		{"texts of legacy choices", "/v1/completions", `{"choices":[` + same(300_000, `{"text":"a"},`) + `{}]}`},
		{"reasons to finish", "/v1/chat/completions", `{"choices":[` + same(300_000, `{"index":0,"finish_reason":"a"},`) + `{}]}`},
		{"usages", "/v1/chat/completions", `{` + same(200_000, `"usage":{"prompt_tokens":1},`) + `"x":1}`},
		{"parts", "/v1/chat/completions", `{"choices":[{"message":{"content":[` + same(500_000, `{"type":"text","text":"a"},`) + `{}]}}]}`},
		{"calls", "/v1/chat/completions", `{"choices":[{"message":{"tool_calls":[` + same(500_000, `{"id":"","function":{"name":"f"}},`) + `{}]}}]}`},
		{"sources", "/v1/chat/completions", `{"choices":[{"message":{"annotations":[` + same(200_000, `{"url":"a"},`) + `{}]}}]}`},
		{"output", "/v1/responses", `{"output":[` + same(300_000, `{"type":"message","content":"a"},`) + `{}]}`},
		{"summaries", "/v1/responses", `{"output":[{"type":"reasoning","summary":[` + same(300_000, `{"text":"a"},`) + `{}]}]}`},
		{"pictures", "/v1/images/generations", `{"data":[` + same(300_000, `{"b64_json":"AA=="},`) + `{}]}`},
		{"vectors", "/v1/embeddings", `{"data":[` + same(300_000, `{"embedding":[1]},`) + `{}]}`},
		{"a vector", "/v1/embeddings", `{"data":[{"embedding":[` + same(3<<20, "1,") + `1]}]}`},
		{"vectors in vectors", "/v1/embeddings", `{"data":[{"embedding":` + nested(9_990, "[1,", same(16<<20, "1,")+"1", "]") + `}]}`},
		{"images that are made", "/v1/images/edits", `{"data":[` + same(300_000, `{"url":"a","revised_prompt":"b"},`) + `{}]}`},
		{"nested", "/v1/chat/completions", nested(4<<20, "[", "", "]")},
		{"nested in a member", "/v1/chat/completions", `{"choices":` + nested(2<<20, `{"message":`, "1", "}") + `}`},
		{"nested and not closed", "/v1/responses", `{"output":[` + same(2<<20, `{"content":[`)},
		{"nested in a chunk", "/v1/chat/completions", event(nested(2<<20, "[", "", "]"))},
		{"nested as deep as may be", "/v1/responses", `{"output":` + nested(9_990, "[", `"`+same(1<<20, "x")+`"`, "]") + `}`},
		{"base64 nested as deep as may be", "/v1/images/generations", nested(9_990, `{"data":`, `"data:;base64,`+same(1<<20, "x")+`"`, "}")},
		{"escapes", "/v1/chat/completions", `{"choices":[{"message":{"content":"` + same(500_000, `\ud83d`) + same(500_000, `\\\u0022`) + `"}}]}`},
		{"an event without end", "/v1/chat/completions", same(500_000, "data: {\n")},
		{"an error", "/v1/chat/completions", `{"error":` + nested(2<<20, "[", "", "]") + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			span := exchangeAll(t, tt.path, "application/json", "{}", strings.NewReader(tt.reply))
			if got := len(span.Attributes()); got > 3*maxAttributes {
				t.Errorf("got %d attributes, want at most %d", got, 3*maxAttributes)
			}
		})
	}
	t.Run("a vector is marked", func(t *testing.T) {
		span := exchangeAll(t, "/v1/embeddings", "application/json", "{}", strings.NewReader(`{"data":[{"embedding":[`+same(3<<20, "1,")+`1]}]}`))
		wantAttrs(t, span, map[attribute.Key]string{"embedding.embeddings.0.embedding.vector": openinference.Truncated})
	})
	t.Run("too many members are marked", func(t *testing.T) {
		span := exchangeAll(t, "/v1/chat/completions", "application/json", "{}", strings.NewReader(event(`{`+many(1_000, `"%d":1,`)+`"x":1}`)),
			openinference.WithIOFormat(openinference.IOJSON))
		if got := attr(span, openinference.OutputValueKey); !strings.Contains(got, `"99": 1`) || !strings.Contains(got, openinference.Truncated) || strings.Contains(got, `"999": 1`) {
			t.Errorf("got %s, want the first members and a mark", got)
		}
	})
}

// TestHostileRequests are what users of an application may have it send.
func TestHostileRequests(t *testing.T) {
	deep := strings.Repeat("[", 2<<20)
	long := strings.Repeat("QUJD", 20_000)
	var fields []string
	for i := range 50_000 {
		fields = append(fields, fmt.Sprint("f", i), "1")
	}
	tests := []struct{ name, path, contentType, request string }{
		{"nested", "/v1/chat/completions", "application/json", `{"messages":[{"role":"user","content":` + deep},
		{"nested, with an image", "/v1/chat/completions", "application/json", `{"messages":[{"image_url":"` + long + `","content":` + deep},
		{"nested output of a tool", "/v1/responses", "application/json", `{"input":[{"type":"function_call_output","call_id":"c","output":` + deep},
		{"nested tool", "/v1/responses", "application/json", `{"tools":[{"a":"` + long + `","b":` + deep},
		{"nested deep and closed", "/v1/responses", "application/json", `{"input":[{"type":"function_call_output","call_id":"c","output":` + deep + strings.ReplaceAll(deep, "[", "]") + `}]}`},
		{"members in a text", "/v1/chat/completions", "application/json", `{"messages":[{"role":"user","content":"` + strings.Repeat(`\":`, 5<<20) + `"}]}`},
		{"messages", "/v1/chat/completions", "application/json", `{"messages":[` + strings.Repeat(`{"role":"user"},`, 300_000) + `{}]}`},
		{"tools", "/v1/chat/completions", "application/json", `{"tools":[` + strings.Repeat(`{},`, 300_000) + `{}]}`},
		{"fields", "/v1/images/edits", formType, form(fields...)},
	}
	for _, tt := range tests {
		for _, images := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, images hidden: %v", tt.name, images), func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				span := exchangeAll(t, tt.path, tt.contentType, tt.request, strings.NewReader(`{}`),
					openinference.WithTraceConfig(openinference.TraceConfig{HideInputImages: images}), openinference.WithIOFormat(openinference.IOJSON))
				runtime.ReadMemStats(&after)
				if got, most := after.TotalAlloc-before.TotalAlloc, 15*uint64(len(tt.request))+32<<20; got > most {
					t.Errorf("got %d MiB allocated, want at most %d", got>>20, most>>20)
				}
				if got := len(span.Attributes()); got > 3*maxAttributes {
					t.Errorf("got %d attributes, want at most %d", got, 3*maxAttributes)
				}
				if span.Status().Code != codes.Ok {
					t.Errorf("got status %v, want Ok", span.Status())
				}
				for _, kv := range span.Attributes() {
					if s := kv.Value.String(); strings.Contains(s, long) || strings.Contains(s, `"f2000"`) {
						t.Errorf("%s has the image, or too many fields", kv.Key)
					}
				}
			})
		}
	}
}

// TestOddIndices: an index may be any that a list can have.
func TestOddIndices(t *testing.T) {
	choice := func(index, content string) string {
		return `{"index":` + index + `,"message":{"content":"` + content + `"},"delta":{"content":"` + content + `"}}`
	}
	choices := `{"choices":[` + strings.Join([]string{
		choice("2147483648", "far"), choice("-1", "negative"), choice("-9223372036854775808", "least"), choice("0", "first"),
	}, ",") + `]}`
	for name, reply := range map[string]string{"plain": choices, "stream": "data: " + choices + "\n\ndata: [DONE]\n\n"} {
		t.Run(name, func(t *testing.T) {
			span := exchangeAll(t, "/v1/chat/completions", "application/json", "{}", strings.NewReader(reply), openinference.WithIOFormat(openinference.IOJSON))
			wantAttrs(t, span, map[attribute.Key]string{
				"llm.output_messages.0.message.content":          "first",
				"llm.output_messages.2147483648.message.content": "far",
			})
			for _, kv := range span.Attributes() {
				if strings.Contains(string(kv.Key), "-") {
					t.Errorf("%s = %s: no list has that place", kv.Key, kv.Value.String())
				}
			}
			if got := attr(span, openinference.OutputValueKey); !strings.Contains(got, "negative") {
				t.Errorf("got output.value %s, want the choice that has no place in it", got)
			}
		})
	}
}

// TestLongLineOfUsageStream: what is too long to be the chunk with the usage is handed on
// as it comes.
func TestLongLineOfUsageStream(t *testing.T) {
	const size = 64 << 20
	const usage = `data: {"choices":[],"usage":{"prompt_tokens":1}}` + "\n\n"
	begin, end := "data: {\"usage\":\"", "\"}\n\ndata: [DONE]\n\n"
	body := &repeated{s: "0123456789abcdef", n: size / 16}
	base := roundTripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(io.MultiReader(strings.NewReader(begin), body, strings.NewReader(end[:4]+usage+end[4:])))}, nil
	})
	transport := openinference.NewTransport(base, openinference.WithStreamUsage(), openinference.WithTracerProvider(newRecorder().provider))
	req, _ := http.NewRequest(http.MethodPost, "http://localhost/v1/chat/completions", strings.NewReader(`{"stream":true}`))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	var got int
	tail := ""
	buf := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = resp.Body.Read(buf)
		if got += n; body.read-got > 4<<20 {
			t.Fatalf("%d bytes are held back", body.read-got)
		}
		if tail += string(buf[:n]); len(tail) > 100 {
			tail = tail[len(tail)-100:]
		}
	}
	if want := len(begin) + size + len(end); err != io.EOF || got != want || !strings.HasSuffix(tail, end) {
		t.Errorf("got %d bytes (%v) that end in %q, want %d", got, err, tail, want)
	}
}
