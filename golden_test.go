package openinference_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
)

// goldenCase is a recorded exchange; testdata/golden/README.md explains its fields.
type goldenCase struct {
	Name        string          `json:"name"`
	Endpoint    string          `json:"endpoint"`
	BaseURL     string          `json:"base_url"`
	Path        *string         `json:"request_path"`
	Method      *string         `json:"request_method"`
	Body        *string         `json:"request_body"`
	Request     json.RawMessage `json:"request"`
	Response    goldenResponse  `json:"response"`
	Context     *goldenContext  `json:"context"`
	Env         map[string]string
	Span        *goldenSpan `json:"span"`
	Soft        []struct{ Field string }
	isMultipart bool
}

type goldenResponse struct {
	Status    int
	Headers   map[string]string
	Body      string
	Transport string
	WireSplit int `json:"wire_split"`
}

type goldenContext struct {
	SessionID       string         `json:"session_id"`
	UserID          string         `json:"user_id"`
	Metadata        map[string]any `json:"metadata"`
	Tags            []string       `json:"tags"`
	Template        string         `json:"prompt_template"`
	TemplateVersion string         `json:"prompt_template_version"`
	Variables       map[string]any `json:"prompt_template_variables"`
	Suppress        bool           `json:"suppress"`
}

type goldenSpan struct {
	Name          string
	Kind          string
	StatusCode    string `json:"status_code"`
	StatusMessage string `json:"status_message"`
	Attributes    map[string]any
	Events        []struct {
		Name       string
		Attributes map[string]any
	}
}

// TestGolden sends the recorded bytes through a transport and compares the span with
// the recorded one.
func TestGolden(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			for k, v := range c.Env {
				t.Setenv(k, v)
			}
			spans := c.run(t)
			if c.Span == nil {
				if len(spans) != 0 {
					t.Errorf("got %d spans, want none", len(spans))
				}
				return
			}
			if len(spans) != 1 {
				t.Fatalf("got %d spans, want 1", len(spans))
			}
			c.compare(t, spans[0])
		})
	}
}

func goldenCases(t testing.TB) []*goldenCase {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	var cases []*goldenCase
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := new(goldenCase)
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		if err := dec.Decode(c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		cases = append(cases, c)
	}
	return cases
}

// run sends the case's request, reads the reply to its end and returns the spans.
func (c *goldenCase) run(t *testing.T) []sdktrace.ReadOnlySpan {
	t.Helper()
	recorder := newRecorder(unlimited)
	base := &cannedTransport{response: c.Response}
	transport := openinference.NewTransport(base,
		openinference.WithTracerProvider(recorder.provider),
		openinference.WithIOFormat(openinference.IOJSON),
		openinference.WithTraceConfig(openinference.TraceConfigFromEnv()))

	body := c.requestBody()
	req, err := http.NewRequestWithContext(c.context(), c.method(), c.url(t), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.isMultipart {
		req.Header.Set("Content-Type", "multipart/form-data; boundary=BOUNDARY")
	}
	resp, err := transport.RoundTrip(req)
	if !bytes.Equal(base.got, body) {
		t.Errorf("the server got another body:\n%q\nwant\n%q", base.got, body)
	}
	if c.Response.Transport == "refuse" || c.Response.Transport == "timeout" {
		if !errors.Is(err, errTransport) {
			t.Errorf("got error %v, want the transport's", err)
		}
		return recorder.Ended()
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if (err != nil) != (c.Response.Transport == "abort") {
		t.Errorf("read: %v", err)
	}
	if string(got) != c.Response.Body {
		t.Errorf("the client got another body:\n%q\nwant\n%q", got, c.Response.Body)
	}
	if err := resp.Body.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return recorder.Ended()
}

func (c *goldenCase) method() string {
	if c.Method == nil {
		return http.MethodPost
	}
	return *c.Method
}

func (c *goldenCase) url(t testing.TB) string {
	t.Helper()
	if c.Path == nil {
		return strings.TrimSuffix(c.BaseURL, "/v1") + c.Endpoint
	}
	scheme, rest, _ := strings.Cut(c.BaseURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + *c.Path
}

func (c *goldenCase) requestBody() []byte {
	if c.Body == nil {
		return c.Request
	}
	var multipart struct{ Multipart json.RawMessage }
	if json.Unmarshal(c.Request, &multipart) == nil && multipart.Multipart != nil {
		c.isMultipart = true
		var latin1 []byte
		for _, r := range *c.Body {
			latin1 = append(latin1, byte(r))
		}
		return latin1
	}
	return []byte(*c.Body)
}

func (c *goldenCase) context() context.Context {
	ctx := context.Background()
	if c.Context == nil {
		return ctx
	}
	if c.Context.Suppress {
		return openinference.WithSuppression(ctx)
	}
	return openinference.WithAttributes(ctx, openinference.Attributes{
		SessionID: c.Context.SessionID,
		UserID:    c.Context.UserID,
		Metadata:  c.Context.Metadata,
		Tags:      c.Context.Tags,
		PromptTemplate: openinference.PromptTemplate{
			Template:  c.Context.Template,
			Version:   c.Context.TemplateVersion,
			Variables: c.Context.Variables,
		},
	})
}

var errTransport = errors.New("connection refused")

// cannedTransport answers with a recorded response.
type cannedTransport struct {
	response goldenResponse
	got      []byte
}

func (c *cannedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var err error
	if c.got, err = io.ReadAll(req.Body); err != nil {
		return nil, err
	}
	if c.response.Transport == "refuse" || c.response.Transport == "timeout" {
		return nil, errTransport
	}
	header := http.Header{}
	for k, v := range c.response.Headers {
		header.Set(k, v)
	}
	var body io.Reader = strings.NewReader(c.response.Body)
	if c.response.WireSplit > 0 {
		body = &splitReader{body, c.response.WireSplit}
	}
	if c.response.Transport == "abort" {
		body = io.MultiReader(body, failingReader{})
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", c.response.Status, http.StatusText(c.response.Status)),
		StatusCode: c.response.Status,
		Header:     header,
		Body:       io.NopCloser(body),
		Request:    req,
	}, nil
}

// splitReader gives at most n bytes at a time.
type splitReader struct {
	io.Reader
	n int
}

func (r *splitReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.n)]) }

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// jsonKeys hold JSON in text.
var jsonKeys = regexp.MustCompile(`^(input\.value|output\.value|metadata|llm\.prompt_template\.variables|llm\.invocation_parameters|embedding\.invocation_parameters|tool\.parameters|llm\.tools\.\d+\.tool\.json_schema)$`)

// allowedExtras are keys that the reference does not have and that may be there.
var allowedExtras = regexp.MustCompile(`^(llm\.(request|response)\.model_name|llm\.finish_reason|llm\.function_call` +
	`|(url|http|server|openai|prompt|llm\.cost)\..*|llm\.token_count\..*_details\..*|llm\.tools\.\d+\.tool\..*` +
	`|(input|output)\.(images|audio|documents)\..*` +
	`|llm\.(input|output)_messages\.\d+\.message\.(contents\..*|name|refusal|reasoning|tool_calls\.\d+\.tool_call\.function\.(name|arguments)))$`)

var allowedExtrasOfMedia = regexp.MustCompile(`^(llm\.model_name|llm\.token_count\..*)$`)

func (c *goldenCase) compare(t *testing.T, span sdktrace.ReadOnlySpan) {
	t.Helper()
	if span.Name() != c.Span.Name {
		t.Errorf("got name %q, want %q", span.Name(), c.Span.Name)
	}
	if got := strings.ToUpper(span.SpanKind().String()); got != c.Span.Kind {
		t.Errorf("got kind %s, want %s", got, c.Span.Kind)
	}
	status := span.Status()
	if got := strings.ToUpper(status.Code.String()); got != c.Span.StatusCode {
		t.Errorf("got status %s %q, want %s", got, status.Description, c.Span.StatusCode)
	}
	if !c.soft("status_message") && status.Description != c.Span.StatusMessage {
		t.Errorf("got status message %q, want %q", status.Description, c.Span.StatusMessage)
	}
	if status.Code == codes.Error && status.Description == "" {
		t.Error("an error without a description")
	}
	c.compareEvents(t, span.Events())

	got := map[string]any{}
	for _, kv := range span.Attributes() {
		got[string(kv.Key)] = kv.Value.AsInterface()
	}
	for _, key := range slices.Sorted(maps.Keys(c.Span.Attributes)) {
		want := c.Span.Attributes[key]
		g, ok := got[key]
		switch {
		case c.soft("attributes." + key):
		case !ok:
			t.Errorf("%s is missing, want %v", key, want)
		default:
			if diff := differ(key, g, want); diff != "" {
				t.Errorf("%s: %s", key, diff)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		_, expected := c.Span.Attributes[key]
		media := !strings.Contains(c.Endpoint, "completions") && !strings.Contains(c.Endpoint, "responses") && !strings.Contains(c.Endpoint, "embeddings")
		if !expected && !c.soft("attributes."+key) && !allowedExtras.MatchString(key) && !(media && allowedExtrasOfMedia.MatchString(key)) {
			t.Errorf("%s = %v is there, want none", key, got[key])
		}
	}
}

func (c *goldenCase) compareEvents(t *testing.T, events []sdktrace.Event) {
	t.Helper()
	if len(events) != len(c.Span.Events) {
		t.Errorf("got %d events, want %d", len(events), len(c.Span.Events))
		return
	}
	for i, want := range c.Span.Events {
		if events[i].Name != want.Name {
			t.Errorf("got event %d %q, want %q", i, events[i].Name, want.Name)
		}
		if c.soft("events") {
			continue
		}
		got := attribute.NewSet(events[i].Attributes...)
		for key, w := range want.Attributes {
			if key == "exception.stacktrace" {
				continue
			}
			if g, _ := got.Value(attribute.Key(key)); g.AsInterface() != w {
				t.Errorf("event %q: got %s = %v, want %v", want.Name, key, g.AsInterface(), w)
			}
		}
	}
}

// soft reports whether a field, or one above it, is not to be compared.
func (c *goldenCase) soft(field string) bool {
	for _, s := range c.Soft {
		if field == s.Field || strings.HasPrefix(field, s.Field+".") {
			return true
		}
	}
	return false
}

// differ says how an attribute differs from the recorded one, "" if it does not.
func differ(key string, got, want any) string {
	switch w := want.(type) {
	case string:
		g, ok := got.(string)
		if !ok {
			break
		}
		if g == w {
			return ""
		}
		var gj, wj any
		if jsonKeys.MatchString(key) && decode(g, &gj) && decode(w, &wj) {
			return jsonDiffer("", gj, wj)
		}
	case json.Number:
		if g, ok := got.(int64); ok && fmt.Sprint(g) == w.String() {
			return ""
		}
	case []any:
		b, _ := json.Marshal(got)
		var g any
		if decode(string(b), &g) {
			return jsonDiffer("", g, want)
		}
	}
	return fmt.Sprintf("got %#v, want %#v", got, want)
}

func decode(s string, v any) bool {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	return dec.Decode(v) == nil && !dec.More()
}

// jsonDiffer compares JSON: numbers by value, keys in any order.
func jsonDiffer(path string, got, want any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				return fmt.Sprintf("%s.%s is missing", path, k)
			}
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				return fmt.Sprintf("%s.%s is there, want none", path, k)
			}
			if d := jsonDiffer(path+"."+k, g[k], w[k]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if d := jsonDiffer(fmt.Sprintf("%s[%d]", path, i), g[i], w[i]); d != "" {
				return d
			}
		}
		return ""
	case json.Number:
		if g, ok := got.(json.Number); ok {
			a, okA := new(big.Rat).SetString(g.String())
			b, okB := new(big.Rat).SetString(w.String())
			if okA && okB && a.Cmp(b) == 0 {
				return ""
			}
		}
	default:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("at %s: got %v, want %v", path, got, want)
}
