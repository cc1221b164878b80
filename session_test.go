package openinference_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/mocks"
)

func TestContextAttributes(t *testing.T) {
	bg := context.Background()
	tests := []struct {
		name string
		ctx  context.Context
		want openinference.Attributes
	}{
		{"none", bg, openinference.Attributes{}},
		{"session", openinference.WithSession(bg, "s1"), openinference.Attributes{SessionID: "s1"}},
		{"empty session", openinference.WithSession(bg, ""), openinference.Attributes{}},
		{"blank user", openinference.WithUser(bg, " \t"), openinference.Attributes{}},
		{"padded", openinference.WithUser(bg, " ada "), openinference.Attributes{UserID: " ada "}},
		{"blank inside keeps the outer one", openinference.WithSession(openinference.WithSession(bg, "s1"), " "), openinference.Attributes{SessionID: "s1"}},
		{"inner overrides outer", openinference.WithSession(openinference.WithUser(openinference.WithSession(bg, "s1"), "ada"), "s2"), openinference.Attributes{SessionID: "s2", UserID: "ada"}},
		{"metadata and tags are replaced whole",
			openinference.WithTags(openinference.WithMetadata(openinference.WithAttributes(bg, openinference.Attributes{Metadata: map[string]any{"a": 1}, Tags: []string{"x", "y"}}), map[string]any{"b": 2}), "z"),
			openinference.Attributes{Metadata: map[string]any{"b": 2}, Tags: []string{"z"}}},
		{"prompt template key by key",
			openinference.WithPromptTemplate(openinference.WithPromptTemplate(bg, openinference.PromptTemplate{Template: "in {city}", Version: "v1"}), openinference.PromptTemplate{Version: "v2"}),
			openinference.Attributes{PromptTemplate: openinference.PromptTemplate{Template: "in {city}", Version: "v2"}}},
		{"empty values set nothing", openinference.WithAttributes(openinference.WithTags(bg, "x"), openinference.Attributes{Tags: []string{}, Metadata: map[string]any{}}), openinference.Attributes{Tags: []string{"x"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, openinference.AttributesFromContext(tt.ctx)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBlankIDsAreReported(t *testing.T) {
	bg := context.Background()
	id := func(_ context.Context, s string) (string, error) { return s, nil }
	tests := []struct {
		call string
		do   func()
		want []string // what each report names
	}{
		{"WithSession", func() { openinference.WithSession(bg, "") }, []string{"session"}},
		{"WithSession", func() { openinference.WithSession(bg, "\n") }, []string{"session"}},
		{"WithUser", func() { openinference.WithUser(bg, " ") }, []string{"user"}},
		{"WithAttributes", func() { openinference.WithAttributes(bg, openinference.Attributes{SessionID: " ", UserID: "\t"}) }, []string{"session", "user"}},
		{"WithAttributes", func() { openinference.WithAttributes(bg, openinference.Attributes{}) }, nil},
		{"Using", func() {
			fn := openinference.Using(openinference.Attributes{UserID: " "}, id)
			fn(bg, "once, not at each call")
			fn(bg, "")
		}, []string{"user"}},
		{"UsingFunc", func() {
			openinference.UsingFunc(func(context.Context, string) openinference.Attributes {
				return openinference.Attributes{SessionID: " "}
			}, id)(bg, "")
		}, []string{"session"}},
		{"Middleware", func() {
			h := openinference.Middleware(func(*http.Request) openinference.Attributes { return openinference.Attributes{SessionID: " "} })
			h(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		}, []string{"session"}},
		{"KeyValues", func() { openinference.Attributes{UserID: " "}.KeyValues() }, []string{"user"}},
	}
	for _, tt := range tests {
		t.Run(tt.call, func(t *testing.T) {
			errs := handled(t)
			tt.do()
			got := errs()
			if len(got) != len(tt.want) {
				t.Fatalf("got %d reports %v, want %d", len(got), got, len(tt.want))
			}
			for i, err := range got {
				if !errors.Is(err, openinference.ErrEmptyID) || !strings.Contains(err.Error(), tt.call) || !strings.Contains(err.Error(), tt.want[i]) {
					t.Errorf("got %q, want ErrEmptyID that names %s and the %s", err, tt.call, tt.want[i])
				}
			}
		})
	}
}

func TestKeyValues(t *testing.T) {
	got := openinference.Attributes{
		SessionID: "s1",
		UserID:    "ada",
		Metadata:  map[string]any{"tenant": "a&b", "n": 1},
		Tags:      []string{"x", "y"},
		PromptTemplate: openinference.PromptTemplate{
			Template: "in {city}", Version: "v1", Variables: map[string]any{"city": "Oslo"},
		},
	}.KeyValues()
	want := []attribute.KeyValue{
		openinference.SessionIDKey.String("s1"),
		openinference.UserIDKey.String("ada"),
		openinference.MetadataKey.String(`{"n":1,"tenant":"a&b"}`),
		openinference.TagTagsKey.StringSlice([]string{"x", "y"}),
		openinference.LLMPromptTemplateTemplateKey.String("in {city}"),
		openinference.LLMPromptTemplateVersionKey.String("v1"),
		openinference.LLMPromptTemplateVariablesKey.String(`{"city":"Oslo"}`),
	}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
}

func TestWhatCannotBeEncodedLosesNothingElse(t *testing.T) {
	errs := handled(t)
	ctx := openinference.WithMetadata(context.Background(), map[string]any{"ok": true, "bad": math.NaN(), "worse": make(chan int)})
	got, _ := lookup(openinference.AttributesFromContext(ctx).KeyValues(), openinference.MetadataKey)
	if got.AsString() != `{"ok":true}` {
		t.Errorf("got %q, want the value that can be encoded", got.AsString())
	}
	if len(errs()) != 2 {
		t.Errorf("got %d reports %v, want one for each value", len(errs()), errs())
	}
}

func TestContextKeepsItsOwnCopies(t *testing.T) {
	m, tags := map[string]any{"a": 1}, []string{"x"}
	ctx := openinference.WithTags(openinference.WithMetadata(context.Background(), m), tags...)
	m["a"], tags[0] = 2, "y"
	got := openinference.AttributesFromContext(ctx)
	if got.Metadata["a"] != 1 || got.Tags[0] != "x" {
		t.Errorf("got %v, want what was set", got)
	}
	got.Metadata["a"], got.Tags[0] = 3, "z"
	if again := openinference.AttributesFromContext(ctx); again.Metadata["a"] != 1 || again.Tags[0] != "x" {
		t.Errorf("got %v, want what was set", again)
	}
}

func TestUsing(t *testing.T) {
	type question struct{ user string }
	answer := func(ctx context.Context, q question) (openinference.Attributes, error) {
		return openinference.AttributesFromContext(ctx), nil
	}
	fn := openinference.Using(openinference.Attributes{SessionID: "s1"},
		openinference.UsingFunc(func(_ context.Context, q question) openinference.Attributes {
			return openinference.Attributes{UserID: q.user}
		}, answer))
	got, err := fn(openinference.WithSession(context.Background(), "outer"), question{user: "ada"})
	if want := (openinference.Attributes{SessionID: "s1", UserID: "ada"}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestMiddleware(t *testing.T) {
	r := newRecorder()
	client, _ := newClient(t, r, nil, mocks.Chat("yes"))
	handler := openinference.Middleware(func(req *http.Request) openinference.Attributes {
		return openinference.Attributes{SessionID: req.Header.Get("X-Session"), UserID: req.URL.Query().Get("user")}
	})(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, err := client.CreateChatCompletion(req.Context(), chatRequest("hi")); err != nil {
			t.Error(err)
		}
	}))
	req := httptest.NewRequest(http.MethodGet, "/?user=ada", nil)
	req.Header.Set("X-Session", "s1")
	handler.ServeHTTP(httptest.NewRecorder(), req)
	wantAttrs(t, r.only(t), map[attribute.Key]string{openinference.SessionIDKey: "s1", openinference.UserIDKey: "ada"})
}

// TestAttributesFunc takes the session of another library; what is set with this one
// comes first.
func TestAttributesFunc(t *testing.T) {
	type key struct{}
	other := openinference.WithAttributesFunc(func(ctx context.Context) []attribute.KeyValue {
		id, _ := ctx.Value(key{}).(string)
		return []attribute.KeyValue{openinference.SessionIDKey.String(id), openinference.UserIDKey.String("theirs")}
	})
	r := newRecorder()
	client, _ := newClient(t, r, []openinference.Option{other}, mocks.Chat("yes"))
	ctx := context.WithValue(openinference.WithUser(context.Background(), "ours"), key{}, "from elsewhere")
	ask(t, ctx, client, "hi")
	wantAttrs(t, r.only(t), map[attribute.Key]string{openinference.SessionIDKey: "from elsewhere", openinference.UserIDKey: "ours"})
}
