package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-openinference/openinference/mocks"
	"github.com/google/go-cmp/cmp"
	"github.com/sashabaranov/go-openai"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// clearEnv unsets what the program and its exporters read.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"OPENAI_", "PHOENIX_", "ARIZE_", "OTEL_", "OPENINFERENCE_"} {
			if strings.HasPrefix(name, prefix) {
				t.Setenv(name, "")
			}
		}
	}
}

// newModel has the program talk to a server with these replies.
func newModel(t *testing.T, replies ...http.HandlerFunc) *mocks.Server {
	t.Helper()
	server := mocks.NewServer(replies...)
	t.Cleanup(server.Close)
	t.Setenv("OPENAI_API_KEY", "sk-test")
	t.Setenv("OPENAI_BASE_URL", server.URL+"/v1")
	return server
}

// messages returns those of the request with that number.
func messages(t *testing.T, server *mocks.Server, number int) []openai.ChatCompletionMessage {
	t.Helper()
	var req openai.ChatCompletionRequest
	if err := json.Unmarshal(server.Requests()[number].Body, &req); err != nil {
		t.Fatal(err)
	}
	return req.Messages
}

// start runs the program on input and returns what it prints.
func start(t *testing.T, input string, terminal bool, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(input), &out, terminal)
	return out.String(), err
}

// wantInOrder checks that got matches the patterns one after the other.
func wantInOrder(t *testing.T, got string, patterns ...string) {
	t.Helper()
	rest := got
	for _, pattern := range patterns {
		at := regexp.MustCompile(pattern).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("got\n%s\nwant %s after what came before", got, pattern)
		}
		rest = rest[at[1]:]
	}
}

func TestNothingOnStdinShowsAConversation(t *testing.T) {
	clearEnv(t)
	got, err := start(t, "", false)
	if err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, got,
		`^OPENAI_API_KEY is not set: a mock plays the model.\nTalking to gpt-4o-mini at http://127\.0\.0\.1:\d+/v1\.\n`,
		`\n> Hello! Who are you\?\nI am a mock `,
		`\nsession chat-[\w-]+ · user you\n\n  turn 1\n`,
		`\n> What time is it in Tokyo\?\n\[time_in {"zone":"Asia/Tokyo"}\]\nIt is \d\d:\d\d on .* in Asia/Tokyo\.\n`,
		`CHAIN Turn .*\n    ├─ LLM ChatCompletion gpt-4o-mini .*\d+\+\d+ tokens\n`+
			`    ├─ TOOL time_in .*{"zone":"Asia/Tokyo"} → It is .*\n    └─ LLM ChatCompletion gpt-4o-mini `,
		`\n> What did I ask first\?\n.*"Hello! Who are you\?"`,
		`\nsession chat-[\w-]+ +3 +4 +\d+\+\d+ +0 `,
		`\nWhere to look: above → chat-[\w-]+\n$`)
}

func TestPipedQuestionsAreTurns(t *testing.T) {
	clearEnv(t)
	got, err := start(t, "one\n\n  two  \nthree", false, "-session", "s1", "-user", "ada", "-model", "gpt-4o")
	if err != nil {
		t.Fatal(err)
	}
	wantInOrder(t, got,
		`Talking to gpt-4o at `,
		`\n> one\n`, `\nsession s1 · user ada\n\n  turn 1\n    in   one\n    out  I am a mock `,
		`\n> two\n`, `\n  turn 2\n    in   two\n    out  You began with "one"`,
		`\n> three\n`, `\n  turn 3\n    in   three\n    out  You began with "one"`,
		`\nsession s1 +3 +3 `,
		`\nWhere to look: above → s1\n$`)
}

func TestTerminal(t *testing.T) {
	clearEnv(t)
	newModel(t, mocks.Chat("Hello."), mocks.Error(http.StatusTooManyRequests, "slow down"))
	got, err := start(t, "hi\nagain\n", true)
	if err != nil {
		t.Errorf("got error %v, want none: it was seen", err)
	}
	wantInOrder(t, got, `\n\n> Hello\.\n`, `\n> \n`, `\nerror: .*slow down\n`, `\n> \n`, `\nWhere to look: above`)

	if got, err = start(t, "", true); err != nil || strings.Count(got, "> ") != 1 {
		t.Errorf("got\n%s\nand error %v, want one prompt and no conversation", got, err)
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"both", []string{"ARIZE_SPACE_ID", "ARIZE_API_KEY", "PHOENIX_API_KEY"}, nil, "variables of both Arize and Phoenix are set; choose with -export"},
		{"unknown", nil, []string{"-export", "jaeger"}, `-export "jaeger": want auto, console, phoenix or arize`},
		{"no space", nil, []string{"-export", "arize"}, "set ARIZE_SPACE_ID"},
		{"blank session", nil, []string{"-session", " "}, "-session and -user must not be blank"},
		{"no user", nil, []string{"-user", ""}, "-session and -user must not be blank"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clearEnv(t)
			for _, name := range test.env {
				t.Setenv(name, "x")
			}
			got, err := start(t, "hi\n", false, test.args...)
			if err == nil || !strings.Contains(err.Error(), test.want) || got != "" {
				t.Errorf("got error %v and output %q, want %q and none", err, got, test.want)
			}
		})
	}
}

// collector is a server of OTLP over HTTP.
type collector struct {
	url   string // of its traces
	mu    sync.Mutex
	spans []*tracepb.ResourceSpans
}

func newCollector(t *testing.T, status int) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req collectorpb.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &req) != nil {
			t.Errorf("%s %s: not a request of OTLP", r.Method, r.URL)
		}
		c.mu.Lock()
		c.spans = append(c.spans, req.ResourceSpans...)
		c.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL + "/v1/traces"
	return c
}

// span is what the tests look at.
type span struct {
	Name, Project, Kind, Session, User, Input, Output string
	Root, Tokens                                      bool
}

// received returns the spans in the order of their start.
func (c *collector) received() []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	type started struct {
		at   uint64
		span span
	}
	var all []started
	for _, rs := range c.spans {
		var project string
		for _, kv := range rs.Resource.Attributes {
			if kv.Key == "openinference.project.name" {
				project = kv.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				got := span{Name: s.Name, Project: project, Root: len(s.ParentSpanId) == 0}
				for _, kv := range s.Attributes {
					switch kv.Key {
					case "openinference.span.kind":
						got.Kind = kv.Value.GetStringValue()
					case "session.id":
						got.Session = kv.Value.GetStringValue()
					case "user.id":
						got.User = kv.Value.GetStringValue()
					case "input.value":
						got.Input = kv.Value.GetStringValue()
					case "output.value":
						got.Output = kv.Value.GetStringValue()
					case "llm.token_count.prompt":
						got.Tokens = kv.Value.GetIntValue() > 0
					}
				}
				if got.Kind == "LLM" {
					got.Input, got.Output = "", "" // JSON
				}
				all = append(all, started{s.StartTimeUnixNano, got})
			}
		}
	}
	slices.SortFunc(all, func(a, b started) int { return int(int64(a.at - b.at)) })
	var spans []span
	for _, s := range all {
		spans = append(spans, s.span)
	}
	return spans
}

func TestAutoSendsWhereTheVariablesPoint(t *testing.T) {
	tests := []struct {
		name    string
		env     map[string]string
		project string
		want    string
	}{
		{"phoenix", map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "URL"}, "chatbot", `http://127\.0\.0\.1:\d+ → project chatbot → Sessions → s1`},
		{"phoenix project", map[string]string{"PHOENIX_COLLECTOR_ENDPOINT": "URL", "PHOENIX_PROJECT_NAME": "mine"}, "mine", `http://127\.0\.0\.1:\d+ → project mine → Sessions → s1`},
		{"phoenix key", map[string]string{"PHOENIX_API_KEY": "k", "OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}, "chatbot", `Phoenix \(by default http://localhost:6006\) → project chatbot → Sessions → s1`},
		{"arize", map[string]string{"ARIZE_SPACE_ID": "s", "ARIZE_API_KEY": "k", "ARIZE_COLLECTOR_ENDPOINT": "URL"}, "chatbot", `Arize AX → project chatbot → Sessions → s1`},
		{"arize project", map[string]string{"ARIZE_SPACE_ID": "s", "ARIZE_API_KEY": "k", "ARIZE_COLLECTOR_ENDPOINT": "URL", "ARIZE_PROJECT_NAME": "mine"}, "mine", `Arize AX → project mine → Sessions → s1`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clearEnv(t)
			newModel(t, mocks.Chat("Hello."), mocks.ToolCall("time_in", "{}"), mocks.Chat("It is late."))
			c := newCollector(t, http.StatusOK)
			for name, value := range test.env {
				t.Setenv(name, strings.Replace(value, "URL", c.url, 1))
			}
			got, err := start(t, "hi\ntime?\n", false, "-session", "s1", "-user", "ada")
			if err != nil {
				t.Fatal(err)
			}
			wantInOrder(t, got, `\nWhere to look: `+test.want+`\n$`)

			turn := span{Name: "Turn", Project: test.project, Kind: "CHAIN", Session: "s1", User: "ada", Input: "hi", Output: "Hello.", Root: true}
			call := span{Name: "ChatCompletion", Project: test.project, Kind: "LLM", Session: "s1", User: "ada", Tokens: true}
			late := turn
			late.Input, late.Output = "time?", "It is late."
			spans := c.received()
			if len(spans) != 6 || !strings.HasPrefix(spans[4].Output, "It is ") {
				t.Fatalf("got %+v, want the tool to tell the time", spans)
			}
			tool := span{Name: "time_in", Project: test.project, Kind: "TOOL", Session: "s1", User: "ada", Input: "{}", Output: spans[4].Output}
			if diff := cmp.Diff([]span{turn, call, late, call, tool, call}, spans); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailedExportIsReported(t *testing.T) {
	clearEnv(t)
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", newCollector(t, http.StatusForbidden).url)
	got, err := start(t, "hi\n", false)
	if err == nil || !strings.Contains(err.Error(), "403") || strings.Contains(got, "Where to look") {
		t.Errorf("got error %v and\n%s\nwant one of status 403, and no place to look at", err, got)
	}
}

func TestConversationGoesOnAfterAnError(t *testing.T) {
	clearEnv(t)
	server := newModel(t, mocks.Chat("Hello."), mocks.StreamError("out of order", "I am "), mocks.Chat("Well."))
	got, err := start(t, "hi\nwho?\nhow?\n", false, "-model", "m")
	if err == nil || err.Error() != "not every question was answered" {
		t.Errorf("got error %v, want one for the exit status", err)
	}
	wantInOrder(t, got,
		`^Talking to m at `+regexp.QuoteMeta(server.URL)+`/v1\.\n`,
		`\n> hi\nHello\.\n`,
		`\n> who\?\nI am \n`, `✗ .*out of order`, `\nerror: .*out of order\n`,
		`\n> how\?\nWell\.\n`,
		`\nWhere to look: `)

	if got, want := server.Requests()[0].Header.Get("Authorization"), "Bearer sk-test"; got != want {
		t.Errorf("got authorization %q, want %q", got, want)
	}
	want := []openai.ChatCompletionMessage{
		{Role: "user", Content: "hi"}, {Role: "assistant", Content: "Hello."}, {Role: "user", Content: "how?"},
	}
	if diff := cmp.Diff(want, messages(t, server, 2)); diff != "" {
		t.Errorf("conversation after a turn that failed (-want +got):\n%s", diff)
	}
}

func TestToolCallsOfAStreamArePutTogether(t *testing.T) {
	delta := func(calls string) string {
		return `{"choices":[{"index":0,"delta":{"tool_calls":[` + calls + `]}}]}`
	}
	clearEnv(t)
	server := newModel(t,
		mocks.Stream(
			delta(`{"index":1,"id":"a","type":"function","function":{"name":"time_in","arguments":""}},`+
				`{"index":3,"id":"b","type":"function","function":{"name":"time_in","arguments":"{\"zo"}}`),
			delta(`{"index":1,"function":{"arguments":"{\"zone\":\"Asia/"}},{"index":3,"function":{"arguments":"ne\":\"Atlantis\"}"}}`),
			delta(`{"index":1,"function":{"arguments":"Tokyo\"}"}}`),
			"[DONE]"),
		mocks.Stream(
			delta(`{"id":"c","type":"function","function":{"name":"weather","arguments":"{}"}}`),
			delta(`{"id":"d","type":"function","function":{"name":"time_in","arguments":"now"}}`),
			"[DONE]"),
		mocks.Chat("It is late."))
	if _, err := start(t, "time?\n", false); err != nil {
		t.Fatal(err)
	}
	got := messages(t, server, 2)
	if len(got) != 7 || !regexp.MustCompile(`^It is .* in Asia/Tokyo\.$`).MatchString(got[2].Content) {
		t.Fatalf("got %+v, want the time in Tokyo third", got)
	}
	call := func(id, name, arguments string) openai.ToolCall {
		return openai.ToolCall{ID: id, Type: openai.ToolTypeFunction, Function: openai.FunctionCall{Name: name, Arguments: arguments}}
	}
	want := []openai.ChatCompletionMessage{
		{Role: "user", Content: "time?"},
		{Role: "assistant", ToolCalls: []openai.ToolCall{
			call("a", "time_in", `{"zone":"Asia/Tokyo"}`), call("b", "time_in", `{"zone":"Atlantis"}`),
		}},
		{Role: "tool", ToolCallID: "a", Content: got[2].Content},
		{Role: "tool", ToolCallID: "b", Content: "error: unknown time zone Atlantis"},
		{Role: "assistant", ToolCalls: []openai.ToolCall{call("c", "weather", "{}"), call("d", "time_in", "now")}},
		{Role: "tool", ToolCallID: "c", Content: `error: there is no tool "weather"`},
		{Role: "tool", ToolCallID: "d", Content: "error: invalid character 'o' in literal null (expecting 'u')"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func TestToolRoundsAreBounded(t *testing.T) {
	clearEnv(t)
	server := newModel(t, mocks.ToolCall("time_in", "{}"))
	got, err := start(t, "time?\n", false)
	if err == nil {
		t.Error("got no error")
	}
	wantInOrder(t, got, `\nerror: no answer after 5 rounds of tool calls\n`)
	if n := len(server.Requests()); n != 5 {
		t.Errorf("got %d requests, want 5", n)
	}
}

func TestInterruptKeepsTheLastTurn(t *testing.T) {
	clearEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	newModel(t, mocks.Chat("Hello."), func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	c := newCollector(t, http.StatusOK)
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", c.url)
	var out bytes.Buffer
	err := run(ctx, nil, strings.NewReader("hi\nwho?\nhow?\n"), &out, false)
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got error %v, want that of the context", err)
	}
	var turns []string
	for _, s := range c.received() {
		if s.Root {
			turns = append(turns, s.Input)
		}
	}
	if diff := cmp.Diff([]string{"hi", "who?"}, turns); diff != "" {
		t.Errorf("turns that arrived (-want +got):\n%s", diff)
	}
}

// readerFunc is stdin.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestInterruptEndsThePrompt(t *testing.T) {
	clearEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	err := run(ctx, nil, readerFunc(func([]byte) (int, error) {
		cancel()
		<-t.Context().Done() // nobody types any more
		return 0, io.EOF
	}), &out, true)
	if err != nil {
		t.Errorf("got error %v, want none", err)
	}
	wantInOrder(t, out.String(), `\n> \n`, `\nWhere to look: above`)
}

func TestUnreadableStdinIsReported(t *testing.T) {
	clearEnv(t)
	var out bytes.Buffer
	err := run(t.Context(), nil, readerFunc(func([]byte) (int, error) { return 0, os.ErrPermission }), &out, false)
	if !errors.Is(err, os.ErrPermission) || strings.Contains(out.String(), "Hello!") {
		t.Errorf("got error %v and\n%s\nwant that of stdin and no conversation", err, out.String())
	}
}
