package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// clearEnv unsets what the program reads.
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

func TestConsole(t *testing.T) {
	clearEnv(t)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-session", "s1", "-user", "ada", "What", "to pack for Oslo?"}, &out); err != nil {
		t.Fatal(err)
	}
	rest := out.String()
	for _, want := range []string{
		"session s1 · user ada", "in   What to pack for Oslo?", "out  Rain is on its way",
		"CHAIN turn", "AGENT guide", "RETRIEVER search", "LLM ChatCompletion", "TOOL weather", "LLM ChatCompletion",
		"> What to pack for Oslo?\nRain is on its way",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("got\n%s\nwant %q after what came before", out.String(), want)
		}
		rest = after
	}
}

// steps answers a question with those replies of the model, and returns the
// attributes of the spans by their names.
func steps(t *testing.T, replies ...http.HandlerFunc) (map[string]map[string]any, error) {
	t.Helper()
	clearEnv(t)
	server := mocks.NewServer(replies...)
	t.Cleanup(server.Close)
	r := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(export.NewSpanProcessor(r)))
	ctx := openinference.WithUser(openinference.WithSession(t.Context(), "s1"), "ada")
	_, err := newGuide(server.Config(), tp).turn(ctx, "What should I pack for Oslo?")
	spans := make(map[string]map[string]any)
	for _, s := range r.Ended() {
		attrs := make(map[string]any)
		for _, kv := range s.Attributes() {
			attrs[string(kv.Key)] = kv.Value.AsInterface()
		}
		spans[s.Name()] = attrs
	}
	return spans, err
}

func TestSteps(t *testing.T) {
	spans, err := steps(t, mocks.ToolCall("weather", `{"city":"Oslo"}`), mocks.Chat("Boots."))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]map[string]any{
		"turn":           {"output.value": "Boots."},
		"guide":          {"agent.name": "guide", "graph.node.id": "guide", "output.value": "Boots."},
		"ChatCompletion": {"output.mime_type": "application/json"},
		"search": {
			"retrieval.documents.0.document.id":       "oslo-1",
			"retrieval.documents.0.document.metadata": `{"chapter":"weather"}`,
			"retrieval.documents.1.document.content":  "The museum in Oslo wants quiet shoes.",
			"retrieval.documents.2.document.id":       nil,
			"graph.node.parent_id":                    "guide",
		},
		"weather": {"tool.name": "weather", "output.value": "Rain in Oslo.", "graph.node.parent_id": "guide"},
	} {
		want["session.id"], want["user.id"] = "s1", "ada"
		for key, w := range want {
			if got := spans[name][key]; got != w {
				t.Errorf("%s: got %s %v, want %v", name, key, got, w)
			}
		}
	}
	best, next := spans["search"]["retrieval.documents.0.document.score"].(float64), spans["search"]["retrieval.documents.1.document.score"].(float64)
	if best <= next {
		t.Errorf("got scores %v and %v, want the best first", best, next)
	}
	if schema, _ := spans["weather"]["tool.parameters"].(string); !strings.Contains(schema, `"city"`) {
		t.Errorf("got tool parameters %q, want the schema", schema)
	}
}

func TestModelMisbehaves(t *testing.T) {
	tests := []struct {
		name    string
		replies []http.HandlerFunc
		want    string // "": an answer all the same
	}{
		{"unknown tool", []http.HandlerFunc{mocks.ToolCall("stocks", "{}"), mocks.Chat("Sorry.")}, ""},
		{"bad arguments", []http.HandlerFunc{mocks.ToolCall("weather", "Oslo"), mocks.Chat("Sorry.")}, ""},
		{"only tools", []http.HandlerFunc{mocks.ToolCall("weather", "{}")}, "no answer after 5 rounds"},
		{"no choices", []http.HandlerFunc{mocks.JSON(http.StatusOK, `{"choices":[]}`)}, "the model has no answer"},
		{"failure", []http.HandlerFunc{mocks.Error(http.StatusTooManyRequests, "slow down")}, "slow down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := steps(t, tt.replies...)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUnknownBackend(t *testing.T) {
	clearEnv(t)
	for _, backend := range []string{"jaeger", "arize"} { // Arize needs a key
		if err := run(t.Context(), []string{"-export", backend}, new(bytes.Buffer)); err == nil {
			t.Errorf("%s: got no error", backend)
		}
	}
}
