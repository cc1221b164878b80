package export_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
)

// at is a moment ms milliseconds after an arbitrary one.
func at(ms int) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
}

func startAt(ctx context.Context, tp trace.TracerProvider, ms int, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	return tp.Tracer("test").Start(ctx, name, trace.WithTimestamp(at(ms)), trace.WithAttributes(attrs...))
}

func endAt(span trace.Span, ms int, attrs ...attribute.KeyValue) {
	span.SetAttributes(attrs...)
	span.End(trace.WithTimestamp(at(ms)))
}

// spanAt records a span that has nothing below it.
func spanAt(ctx context.Context, tp trace.TracerProvider, from, to int, name string, attrs ...attribute.KeyValue) {
	_, span := startAt(ctx, tp, from, name, attrs...)
	endAt(span, to)
}

func kindOf(k openinference.Kind) attribute.KeyValue {
	return openinference.OpenInferenceSpanKindKey.String(string(k))
}

func sessionID(id string) attribute.KeyValue  { return openinference.SessionIDKey.String(id) }
func userID(id string) attribute.KeyValue     { return openinference.UserIDKey.String(id) }
func inputValue(s string) attribute.KeyValue  { return openinference.InputValueKey.String(s) }
func outputValue(s string) attribute.KeyValue { return openinference.OutputValueKey.String(s) }

// llmCall is what an LLM span carries.
func llmCall(prompt, completion int, more ...attribute.KeyValue) []attribute.KeyValue {
	return append([]attribute.KeyValue{
		kindOf(openinference.KindLLM),
		openinference.LLMModelNameKey.String("gpt-4o-mini"),
		openinference.LLMTokenCountPromptKey.Int(prompt),
		openinference.LLMTokenCountCompletionKey.Int(completion),
	}, more...)
}

func closeConsole(t *testing.T, tp *sdktrace.TracerProvider) {
	t.Helper()
	if err := tp.Shutdown(context.Background()); err != nil {
		t.Fatalf("Shutdown: %v", err)
	}
}

// wantPrinted compares what was printed, blank lines at both ends aside.
func wantPrinted(t *testing.T, got, want string) {
	t.Helper()
	lines := func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }
	if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func ExampleConsole() {
	tp := export.Console(os.Stdout)
	// openinference.NewClient(key, openinference.WithTracerProvider(tp)) makes a
	// client whose model calls are printed; a turn of several steps is one tree.
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	ctx := openinference.WithUser(openinference.WithSession(context.Background(), "chat-42"), "ada")

	// Times are given only to print the same latencies each time.
	began := time.Now()
	turnCtx, turn := tracer.Start(ctx, "turn", openinference.KindAgent, trace.WithTimestamp(began))
	turn.SetInput("What is the weather in Oslo?")
	_, tool := tracer.Start(turnCtx, "get_weather", openinference.KindTool, trace.WithTimestamp(began))
	tool.SetInput(map[string]string{"city": "Oslo"})
	tool.SetOutput(map[string]int{"temp": 7})
	tool.End(trace.WithTimestamp(began.Add(3 * time.Millisecond)))
	turn.SetOutput("Cloudy, 7 °C.")
	turn.End(trace.WithTimestamp(began.Add(1240 * time.Millisecond)))

	if err := tp.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output:
	// session chat-42 · user ada
	//
	//   turn 1
	//     in   What is the weather in Oslo?
	//     out  Cloudy, 7 °C.
	//     AGENT turn             1.24s
	//     └─ TOOL get_weather      3ms  {"city":"Oslo"} → {"temp":7}
	//
	// totals           turns  LLM calls  tokens  errors  time
	// session chat-42  1      0          0+0     0       1.24s
}

func TestConsolePrintsTurnWithToolCall(t *testing.T) {
	var out bytes.Buffer
	tp := export.Console(&out)
	ctx, turn := startAt(context.Background(), tp, 0, "turn", kindOf(openinference.KindAgent),
		sessionID("chat-42"), userID("ada"), inputValue("What is the weather in Oslo?"))
	spanAt(ctx, tp, 10, 522, "ChatCompletion", llmCall(43, 12)...)
	_, tool := startAt(ctx, tp, 525, "get_weather", kindOf(openinference.KindTool), inputValue(`{"city":"Oslo"}`))
	spanAt(ctx, tp, 526, 527, "get_time", kindOf(openinference.KindTool), outputValue("12:00"))
	endAt(tool, 528, outputValue(`{"temp":7}`))
	spanAt(ctx, tp, 530, 1230, "ChatCompletion", llmCall(80, 21)...)
	if out.Len() > 0 {
		t.Errorf("printed before the turn ended: %q", out.String())
	}
	endAt(turn, 1240, outputValue("Cloudy, 7 °C."))
	const printed = `
session chat-42 · user ada

  turn 1
    in   What is the weather in Oslo?
    out  Cloudy, 7 °C.
    AGENT turn                           1.24s
    ├─ LLM ChatCompletion gpt-4o-mini    512ms  43+12 tokens
    ├─ TOOL get_weather                    3ms  {"city":"Oslo"} → {"temp":7}
    ├─ TOOL get_time                       1ms  -- → 12:00
    └─ LLM ChatCompletion gpt-4o-mini    700ms  80+21 tokens
`
	wantPrinted(t, out.String(), printed)
	closeConsole(t, tp)
	wantPrinted(t, out.String(), printed+`
totals           turns  LLM calls  tokens  errors  time
session chat-42  1      2          123+33  0       1.24s
`)
}

func TestConsoleReadsChatBodies(t *testing.T) {
	request := func(messages string) string { return `{"model": "gpt-4o-mini", "messages": [` + messages + `]}` }
	response := func(message string) string {
		return `{"id": "c1", "choices": [{"index": 0, "message": ` + message + `}]}`
	}
	long := strings.Repeat("å", 200)
	tests := []struct {
		name, in, out   string
		wantIn, wantOut string
	}{
		{
			"text",
			request(`{"role":"system","content":"Be brief."},{"role":"user","content":"Low tide?"},{"role":"assistant","content":"Where?"},{"role":"user","content":"Whitby"}`),
			response(`{"role":"assistant","content":"06:42"}`),
			"Whitby", "06:42",
		},
		{
			"parts",
			request(`{"role":"user","content":[{"type":"text","text":"What is"},{"type":"image_url","image_url":{"url":"http://x/y.png"}},{"type":"text","text":"this?"}]}`),
			response(`{"role":"assistant","content":[{"type":"text","text":"A gull."}]}`),
			"What is this?", "A gull.",
		},
		{
			"tool calls",
			request(`{"role":"user","content":"Oslo, Rome?"},{"role":"tool","content":"{}"}`),
			response(`{"content":null,"tool_calls":[{"function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}},{"function":{"name":"weather","arguments":"{\"city\":\"Rome\"}"}}]}`),
			"Oslo, Rome?", `weather({"city":"Oslo"}) weather({"city":"Rome"})`,
		},
		{
			"image",
			request(`{"role":"user","content":[{"type":"image_url"}]}`), response(`{"content":" "}`),
			`{"model":"gpt-4o-mini","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`,
			`{"id":"c1","choices":[{"index":0,"message":{"content":" "}}]}`,
		},
		{"refusal", request(`{"role":"user","content":"?"}`), response(`{"content":null,"refusal":"No."}`), "?", "No."},
		{"other JSON", `{"input": "Low tide?"}`, `{"output": [ 1, 2 ]}`, `{"input":"Low tide?"}`, `{"output":[1,2]}`},
		{"no user, no choice", request(`{"role":"system","content":"Hi."}`), `{"choices": []}`, `{"model":"gpt-4o-mini","messages":[{"role":"system","content":"Hi."}]}`, `{"choices":[]}`},
		{"not JSON", "__REDACTED__", "{ cut", "__REDACTED__", "{ cut"},
		{"long", request(`{"role":"user","content":"` + long + `"}`), response(`{"content":"` + long[:2*100] + `"}`), long[:2*100] + "…", long[:2*100]},
		{"lines", request(`{"role":"user","content":"\n one\r\n\n two\tthree \n"}`), response(`{"content":""}`), "one two three", `{"id":"c1","choices":[{"index":0,"message":{"content":""}}]}`},
		{"nothing", "", "", "--", "--"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tp := export.Console(&out)
			spanAt(context.Background(), tp, 0, 310, "ChatCompletion", llmCall(17, 9, inputValue(tt.in), outputValue(tt.out),
				openinference.InputMIMETypeKey.String(openinference.MIMETypeJSON),
				openinference.OutputMIMETypeKey.String(openinference.MIMETypeJSON))...)
			wantPrinted(t, out.String(), `
no session

  turn 1
    in   `+tt.wantIn+`
    out  `+tt.wantOut+`
    LLM ChatCompletion gpt-4o-mini    310ms  17+9 tokens
`)
		})
	}
}

func TestConsolePrintsErrors(t *testing.T) {
	var out bytes.Buffer
	tp := export.Console(&out)
	ctx, turn := startAt(context.Background(), tp, 0, "turn", kindOf(openinference.KindChain), sessionID("chat-42"), inputValue("Hi"))
	inner, rag := startAt(ctx, tp, 1, "rag", kindOf(openinference.KindRetriever), inputValue("Hi"))
	_, call := startAt(inner, tp, 2, "CreateEmbeddings", kindOf(openinference.KindEmbedding), openinference.EmbeddingModelNameKey.String("ada"))
	call.SetStatus(codes.Error, "error, status code: 429,\nstatus: 429 Too Many Requests")
	endAt(call, 3)
	endAt(rag, 4)
	_, call = startAt(ctx, tp, 5, "ChatCompletion", llmCall(0, 0)...)
	call.SetStatus(codes.Error, "")
	endAt(call, 6)
	turn.SetStatus(codes.Error, "gave up")
	endAt(turn, 7)
	spanAt(context.Background(), tp, 10, 20, "ChatCompletion", llmCall(5, 2, sessionID("chat-42"), inputValue("Hi?"), outputValue("Hello"))...)
	closeConsole(t, tp)
	wantPrinted(t, out.String(), `
session chat-42

  turn 1
    in   Hi
    out  --
    CHAIN turn                                7ms
    ✗ gave up
    ├─ RETRIEVER rag                          3ms  Hi → --
    │  └─ EMBEDDING CreateEmbeddings ada      1ms
    │     ✗ error, status code: 429, status: 429 Too Many Requests
    └─ LLM ChatCompletion gpt-4o-mini         1ms
       ✗ error

  turn 2
    in   Hi?
    out  Hello
    LLM ChatCompletion gpt-4o-mini     10ms  5+2 tokens

totals           turns  LLM calls  tokens  errors  time
session chat-42  2      2          5+2     1       17ms
`)
}

func TestConsoleSeparatesSessions(t *testing.T) {
	var out bytes.Buffer
	tp := export.Console(&out)
	ask := func(ms int, in string, attrs ...attribute.KeyValue) func() {
		_, span := startAt(context.Background(), tp, ms, "ChatCompletion", llmCall(2, 1, append(attrs, inputValue(in))...)...)
		return func() { endAt(span, ms+10, outputValue("re "+in)) }
	}
	ada, bob := ask(0, "a1", sessionID("a"), userID("ada")), ask(5, "b1", sessionID(" b ")) // Phoenix strips blanks
	ada()
	bob()
	ask(20, "b2", sessionID("b"))()
	ask(40, "a2", sessionID("a"), userID("ada"))()
	ask(60, "n1")()
	closeConsole(t, tp)
	wantPrinted(t, out.String(), `
session a · user ada

  turn 1
    in   a1
    out  re a1
    LLM ChatCompletion gpt-4o-mini     10ms  2+1 tokens

session b

  turn 1
    in   b1
    out  re b1
    LLM ChatCompletion gpt-4o-mini     10ms  2+1 tokens

  turn 2
    in   b2
    out  re b2
    LLM ChatCompletion gpt-4o-mini     10ms  2+1 tokens

session a · user ada

  turn 2
    in   a2
    out  re a2
    LLM ChatCompletion gpt-4o-mini     10ms  2+1 tokens

no session

  turn 1
    in   n1
    out  re n1
    LLM ChatCompletion gpt-4o-mini     10ms  2+1 tokens

totals      turns  LLM calls  tokens  errors  time
session a   2      2          4+2     0       20ms
session b   2      2          4+2     0       20ms
no session  1      1          2+1     0       10ms
all         5      5          10+5    0       50ms
`)
}

// The session is that of the first span to end with one, the user the root's.
func TestConsoleTakesSessionAndUserFromAnySpan(t *testing.T) {
	tests := []struct {
		name        string
		root, child []attribute.KeyValue
		want        string
	}{
		{"on the child only", nil, []attribute.KeyValue{sessionID("c"), userID("cy")}, "session c · user cy"},
		{"on both", []attribute.KeyValue{sessionID("r"), userID("ro")}, []attribute.KeyValue{sessionID("c"), userID("cy")}, "session c · user ro"},
		{"blank on the child", []attribute.KeyValue{sessionID("r")}, []attribute.KeyValue{sessionID(" "), userID(" ")}, "session r"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tp := export.Console(&out)
			ctx, root := startAt(context.Background(), tp, 0, "turn", append(tt.root, kindOf(openinference.KindChain))...)
			spanAt(ctx, tp, 1, 2, "ChatCompletion", llmCall(1, 1, tt.child...)...)
			endAt(root, 3)
			if got, _, _ := strings.Cut(out.String(), "\n"); got != tt.want {
				t.Errorf("header: got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestConsoleTakesSessionAndUserOfTheContext(t *testing.T) {
	var out bytes.Buffer
	ctx := openinference.WithUser(openinference.WithSession(t.Context(), "chat-42"), "ada")
	spanAt(ctx, export.Console(&out), 0, 1, "ChatCompletion", llmCall(1, 1)...)
	if got, _, _ := strings.Cut(out.String(), "\n"); got != "session chat-42 · user ada" {
		t.Errorf("got header %q, want that of chat-42", got)
	}
}

func TestConsoleLooksThroughForeignSpans(t *testing.T) {
	var out bytes.Buffer
	tp := export.Console(&out)
	ctx, server := startAt(context.Background(), tp, 0, "POST /chat")
	inner, chain := startAt(ctx, tp, 1, "answer", kindOf(openinference.KindChain), sessionID("s"), inputValue("first in"))
	http, client := startAt(inner, tp, 2, "HTTP POST")
	spanAt(http, tp, 3, 5, "ChatCompletion", llmCall(1, 1)...)
	endAt(client, 6)
	endAt(chain, 10, outputValue("first out"))
	spanAt(ctx, tp, 11, 13, "ChatCompletion", llmCall(2, 2, inputValue("second in"), outputValue("second out"))...)
	if out.Len() > 0 {
		t.Errorf("printed before the trace ended: %q", out.String())
	}
	endAt(server, 20)
	spanAt(context.Background(), tp, 30, 31, "GET /healthz")
	closeConsole(t, tp)
	wantPrinted(t, out.String(), `
session s

  turn 1
    in   first in
    out  second out
    CHAIN answer                           9ms  first in → first out
    └─ LLM ChatCompletion gpt-4o-mini      2ms  1+1 tokens
    LLM ChatCompletion gpt-4o-mini         2ms  2+2 tokens

totals     turns  LLM calls  tokens  errors  time
session s  1      2          3+3     0       12ms
`)
}

// A stream that the turn handed to its caller ends after the turn's own span.
func TestConsoleWaitsForLateSpans(t *testing.T) {
	var out bytes.Buffer
	tp := export.Console(&out)
	ctx, turn := startAt(context.Background(), tp, 0, "turn", kindOf(openinference.KindChain), inputValue("Hi"), outputValue("Hello"))
	_, stream := startAt(ctx, tp, 1, "ChatCompletion", llmCall(2, 1)...)
	endAt(turn, 5)
	endAt(stream, 9)
	wantPrinted(t, out.String(), `
no session

  turn 1
    in   Hi
    out  Hello
    CHAIN turn                             5ms
    └─ LLM ChatCompletion gpt-4o-mini      8ms  2+1 tokens
`)
}

func TestConsoleContinuesTurns(t *testing.T) {
	var out bytes.Buffer
	tp := export.Console(&out)
	ctx, turn := startAt(context.Background(), tp, 0, "turn", kindOf(openinference.KindChain), sessionID("s"), inputValue("Hi"))
	_, call := startAt(ctx, tp, 1, "ChatCompletion", llmCall(2, 1, sessionID("s"))...)
	call.SetStatus(codes.Error, "broken")
	endAt(call, 5)
	_, call = startAt(ctx, tp, 6, "ChatCompletion", llmCall(4, 3, sessionID("s"))...)
	if err := tp.ForceFlush(context.Background()); err != nil {
		t.Errorf("ForceFlush: %v", err)
	}
	call.SetStatus(codes.Error, "broken again")
	endAt(call, 8)
	endAt(turn, 9, outputValue("Hello"))
	_, open := startAt(ctx, tp, 10, "never ended", kindOf(openinference.KindChain))
	spanAt(ctx, tp, 11, 12, "afterthought", kindOf(openinference.KindTool), inputValue("x"), outputValue("y"))
	closeConsole(t, tp)
	endAt(open, 20)
	wantPrinted(t, out.String(), `
session s

  turn 1, 2 still open
    in   --
    out  --
    LLM ChatCompletion gpt-4o-mini      4ms  2+1 tokens
    ✗ broken

  turn 1, continued
    in   Hi
    out  Hello
    CHAIN turn                             9ms
    └─ LLM ChatCompletion gpt-4o-mini      2ms  4+3 tokens
       ✗ broken again

  turn 1, continued, 1 still open
    in   x
    out  y
    TOOL afterthought      1ms

totals     turns  LLM calls  tokens  errors  time
session s  1      2          6+4     1       14ms
`)
}

func TestConsoleBoundsWhatItHolds(t *testing.T) {
	const limit = 1000
	t.Run("turns", func(t *testing.T) {
		var out bytes.Buffer
		tp := export.Console(&out)
		var roots []trace.Span
		for i := range limit {
			ctx, root := startAt(context.Background(), tp, i, "root", kindOf(openinference.KindChain), sessionID("s"))
			spanAt(ctx, tp, i, i+1, fmt.Sprint("tool-", i), kindOf(openinference.KindTool))
			roots = append(roots, root)
		}
		endAt(roots[1], limit) // complete, so its place is taken before any other's
		spanAt(context.Background(), tp, limit, limit+1, "extra", kindOf(openinference.KindTool))
		if strings.Contains(out.String(), "tool-0 ") {
			t.Errorf("a pending turn was pushed out although another was complete:\n%s", out.String())
		}
		for range 2 {
			_, root := startAt(context.Background(), tp, limit, "root", kindOf(openinference.KindChain))
			roots = append(roots, root)
		}
		if got := out.String(); !strings.Contains(got, "1 still open\n    in   --\n    out  --\n    TOOL tool-0 ") || strings.Contains(got, "tool-2 ") {
			t.Errorf("want the oldest turn and no other printed as incomplete, got:\n%s", got)
		}
		for _, root := range roots {
			endAt(root, limit+2)
		}
		if got := strings.Count(out.String(), " CHAIN root "); got != len(roots) {
			t.Errorf("roots printed: got %d, want %d", got, len(roots))
		}
	})
	t.Run("spans", func(t *testing.T) {
		var out bytes.Buffer
		tp := export.Console(&out)
		ctx, root := startAt(context.Background(), tp, 0, "batch", kindOf(openinference.KindChain), sessionID("s"))
		for i := range 2*limit + 10 {
			spanAt(ctx, tp, i, i+1, "ChatCompletion", llmCall(2, 1, sessionID("s"))...)
		}
		if got := strings.Count(out.String(), " LLM "); got < limit {
			t.Errorf("spans printed while the turn is pending: got %d, want at least %d", got, limit)
		}
		endAt(root, 3*limit)
		closeConsole(t, tp)
		if got := strings.Count(out.String(), " tokens\n"); got != 2*limit+10 {
			t.Errorf("calls printed: got %d, want %d", got, 2*limit+10)
		}
		if got, want := out.String(), "session s  1      2010       4020+2010  0"; !strings.Contains(got, want) {
			t.Errorf("totals: got %q, want %q in it", got[strings.Index(got, "totals"):], want)
		}
	})
}

func TestConsoleNeutralizesControlCharacters(t *testing.T) {
	const evil = "a\x1b[2J\x1b]0;owned\x07b\x9b31mc\u009b31m\u202ed\u2028e\x00\x7f\r\b\xff"
	body := func(format string) string { return fmt.Sprintf(format, `a\u001b[2J\u009b31mb\u202ec`) }
	var out bytes.Buffer
	tp := export.Console(&out)
	json := []attribute.KeyValue{
		openinference.InputMIMETypeKey.String(openinference.MIMETypeJSON),
		openinference.OutputMIMETypeKey.String(openinference.MIMETypeJSON),
	}
	ctx, turn := startAt(context.Background(), tp, 0, evil, openinference.OpenInferenceSpanKindKey.String(evil),
		sessionID(evil), userID(evil), inputValue(evil), outputValue(evil), openinference.LLMModelNameKey.String(evil))
	spanAt(ctx, tp, 1, 2, evil, append(json, kindOf(openinference.KindTool),
		inputValue(body(`{"messages":[{"role":"user","content":"%s"}]}`)), outputValue(body(`{"choices":[{"message":{"content":"%s"}}]}`)))...)
	turn.SetStatus(codes.Error, evil)
	endAt(turn, 3)
	closeConsole(t, tp)
	got := out.String()
	if !utf8.ValidString(got) {
		t.Errorf("not valid UTF-8: %q", got)
	}
	for _, r := range got {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028') {
			t.Errorf("%U reached the terminal: %q", r, got)
		}
	}
	for _, want := range []string{"session a", "user a", "in   a", "out  a", "✗ a", "TOOL a", "owned"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

func TestConsoleColorsOnlyTerminals(t *testing.T) {
	type test struct {
		name string
		path string
		env  map[string]string
		want bool
	}
	tests := []test{{"file", filepath.Join(t.TempDir(), "out"), nil, false}}
	if runtime.GOOS == "linux" { // where a terminal echoes what is written to its other end
		tests = append(tests,
			test{"terminal", "/dev/ptmx", nil, true},
			test{"NO_COLOR", "/dev/ptmx", map[string]string{"NO_COLOR": "1"}, false},
			test{"dumb terminal", "/dev/ptmx", map[string]string{"TERM": "dumb"}, false},
		)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", "")
			t.Setenv("TERM", "xterm")
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			w, err := os.OpenFile(tt.path, os.O_CREATE|os.O_RDWR, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { w.Close() })
			tp := export.Console(w)
			_, span := startAt(context.Background(), tp, 0, "ChatCompletion", llmCall(2, 1)...)
			span.SetStatus(codes.Error, "broken")
			endAt(span, 1)
			closeConsole(t, tp)
			fmt.Fprintln(w, "the end")
			r := w
			if tt.path != "/dev/ptmx" {
				if r, err = os.Open(tt.path); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { r.Close() })
			}
			var got strings.Builder
			for lines := bufio.NewScanner(r); lines.Scan() && lines.Text() != "the end"; {
				fmt.Fprintln(&got, lines.Text())
			}
			red := strings.Contains(got.String(), "[31m✗ broken") && strings.Contains(got.String(), "[1mno session")
			if red != tt.want || !tt.want && strings.Contains(got.String(), "[") {
				t.Errorf("got %q, want colors: %v", got.String(), tt.want)
			}
		})
	}
}

func TestConsoleKeepsLateAttributes(t *testing.T) {
	printed := func() string {
		var out bytes.Buffer
		tp := export.Console(&out)
		_, span := startAt(context.Background(), tp, 0, "ChatCompletion", llmCall(2, 1)...)
		for i := range 200 {
			span.SetAttributes(attribute.String(fmt.Sprint("llm.input_messages.", i), "hi"))
		}
		endAt(span, 1, outputValue("Hello"))
		return out.String()
	}
	if got, want := printed(), "out  Hello\n"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
	t.Setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "100")
	if got, want := printed(), "out  --\n"; !strings.Contains(got, want) {
		t.Errorf("with a limit: got %q, want %q in it", got, want)
	}
}

func TestConsoleSampling(t *testing.T) {
	unsampled := trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true,
	}))
	printed := func() string {
		var out bytes.Buffer
		tp := export.Console(&out)
		spanAt(unsampled, tp, 0, 1, "ChatCompletion", llmCall(2, 1)...)
		closeConsole(t, tp)
		return out.String()
	}
	if got := printed(); !strings.Contains(got, "2+1 tokens") {
		t.Errorf("below an unsampled span: got %q, want the turn", got)
	}
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_always_on")
	if got := printed(); got != "" {
		t.Errorf("with OTEL_TRACES_SAMPLER: got %q, want nothing", got)
	}
}

func TestConsoleConcurrentTurns(t *testing.T) {
	const goroutines, turns = 8, 25
	var out bytes.Buffer
	tp := export.Console(&out)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range turns {
				ctx, turn := startAt(context.Background(), tp, i, "turn", kindOf(openinference.KindChain), sessionID(fmt.Sprint("s", g)), inputValue("in"))
				var calls sync.WaitGroup
				for range 2 {
					calls.Go(func() { spanAt(ctx, tp, i, i+1, "ChatCompletion", llmCall(2, 1)...) })
				}
				calls.Wait()
				endAt(turn, i+2, outputValue("out"))
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			if err := tp.ForceFlush(context.Background()); err != nil {
				t.Errorf("ForceFlush: %v", err)
			}
		}
	})
	wg.Wait()
	closeConsole(t, tp)
	got := out.String()
	if want := "all         200    400        800+400  0"; !strings.Contains(got, want) {
		t.Errorf("totals: got %q, want %q in it", got[strings.Index(got, "totals"):], want)
	}
}

// lateProcessor ends a span when it is shut down.
type lateProcessor struct {
	sdktrace.SpanProcessor
	span trace.Span
}

func (p lateProcessor) Shutdown(context.Context) error {
	p.span.End()
	return nil
}

func TestConsoleEndsWithTotals(t *testing.T) {
	var out bytes.Buffer
	tp := export.Console(&out)
	ctx, turn := startAt(context.Background(), tp, 0, "turn", kindOf(openinference.KindChain))
	spanAt(ctx, tp, 1, 2, "ChatCompletion", llmCall(2, 1)...)
	tp.RegisterSpanProcessor(lateProcessor{sdktrace.NewSimpleSpanProcessor(nil), turn})
	closeConsole(t, tp)
	if got, want := out.String(), "no session  1      1          2+1     0       1ms\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end with %q", got, want)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestConsoleReturnsWriteErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	tp := export.Console(failingWriter{broken})
	spanAt(context.Background(), tp, 0, 10, "ChatCompletion", llmCall(2, 1)...)
	if err := tp.ForceFlush(context.Background()); !errors.Is(err, broken) {
		t.Errorf("ForceFlush: got %v, want %v", err, broken)
	}
	if err := tp.Shutdown(context.Background()); !errors.Is(err, broken) {
		t.Errorf("Shutdown: got %v, want %v", err, broken)
	}
}

func TestConsolePrintsNothingForNothing(t *testing.T) {
	var out bytes.Buffer
	closeConsole(t, export.Console(&out))
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", out.String())
	}
}
