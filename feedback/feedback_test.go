package feedback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/feedback"
)

var target = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID:    trace.TraceID{0xaa, 15: 0x01},
	SpanID:     trace.SpanID{0xbb, 7: 0x02},
	TraceFlags: trace.FlagsSampled,
})

const (
	traceID = "aa000000000000000000000000000001"
	spanID  = "bb00000000000002"
)

// request is what the server got.
type request struct {
	Path string // with its query
	Key  string // the header Authorization
	Body any
}

// server is a Phoenix that gives the replies one after the other, and the last
// one for ever.
type server struct {
	t        *testing.T
	replies  []reply
	requests []request
}

type reply struct {
	status int
	body   string
}

const stored = `{"data":[{"id":"U2Vzc2lvbjox"}]}`

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := request{Path: r.URL.RequestURI(), Key: r.Header.Get("Authorization")}
	if err := json.NewDecoder(r.Body).Decode(&got.Body); err != nil || r.Method != http.MethodPost {
		s.t.Errorf("%s %s: want a POST of JSON, got error %v", r.Method, r.URL, err)
	}
	next := s.replies[min(len(s.requests), len(s.replies)-1)]
	s.requests = append(s.requests, got)
	w.WriteHeader(next.status)
	io.WriteString(w, next.body)
}

// RoundTrip serves without a network, which is what a test under synctest needs.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// newServer starts a server and returns it with a client.
func newServer(t *testing.T, replies ...reply) (*server, *feedback.Client) {
	t.Helper()
	clearEnv(t)
	s := &server{t: t, replies: replies}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, newClient(t, feedback.WithEndpoint(web.URL))
}

func newClient(t *testing.T, opts ...feedback.Option) *feedback.Client {
	t.Helper()
	c, err := feedback.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func clearEnv(t *testing.T) {
	t.Helper()
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", "")
	t.Setenv("PHOENIX_API_KEY", "")
}

// object is a JSON object.
type object = map[string]any

func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("got no error, want %q", want)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got error %q, want %q in it", err, w)
		}
	}
}

func TestSend(t *testing.T) {
	full := feedback.Annotation{
		Name: "helpfulness", Label: "poor", Score: new(0.0), Explanation: "It didn't answer.",
		Kind: feedback.LLM, Identifier: "judge-v2", Metadata: object{"rubric": 2.0},
	}
	sentFull := func(key, id string) object {
		return object{
			key: id, "name": "helpfulness", "annotator_kind": "LLM", "identifier": "judge-v2",
			"result":   object{"label": "poor", "score": 0.0, "explanation": "It didn't answer."},
			"metadata": object{"rubric": 2.0},
		}
	}
	thumb := feedback.Annotation{Name: "thumb", Label: "up"}
	sentThumb := func(key, id string) object {
		return object{key: id, "name": "thumb", "annotator_kind": "HUMAN", "identifier": "", "result": object{"label": "up"}}
	}
	tests := []struct {
		name       string
		judgements []feedback.Judgement
		want       []request
	}{
		{"nothing", nil, nil},
		{"span", []feedback.Judgement{feedback.OnSpan(target, full)},
			[]request{{Path: "/v1/span_annotations?sync=true", Body: object{"data": []any{sentFull("span_id", spanID)}}}}},
		{"trace", []feedback.Judgement{feedback.OnTrace(target, thumb)},
			[]request{{Path: "/v1/trace_annotations?sync=true", Body: object{"data": []any{sentThumb("trace_id", traceID)}}}}},
		{"session, its ID as Phoenix keeps it", []feedback.Judgement{feedback.OnSession(" s1\n", thumb, full)},
			[]request{{Path: "/v1/session_annotations?sync=true", Body: object{"data": []any{sentThumb("session_id", "s1"), sentFull("session_id", "s1")}}}}},
		{"a request for each kind of target",
			[]feedback.Judgement{
				feedback.OnSession("s1", thumb), feedback.OnTrace(target, thumb),
				feedback.OnSession("s2", thumb), feedback.OnSpan(target, thumb),
			},
			[]request{
				{Path: "/v1/span_annotations?sync=true", Body: object{"data": []any{sentThumb("span_id", spanID)}}},
				{Path: "/v1/trace_annotations?sync=true", Body: object{"data": []any{sentThumb("trace_id", traceID)}}},
				{Path: "/v1/session_annotations?sync=true", Body: object{"data": []any{sentThumb("session_id", "s1"), sentThumb("session_id", "s2")}}},
			}},
		{"IDs that were stored as text", []feedback.Judgement{
			feedback.OnSpan(trace.NewSpanContext(trace.SpanContextConfig{SpanID: target.SpanID()}), thumb),
			feedback.OnTrace(trace.NewSpanContext(trace.SpanContextConfig{TraceID: target.TraceID()}), thumb),
		}, []request{
			{Path: "/v1/span_annotations?sync=true", Body: object{"data": []any{sentThumb("span_id", spanID)}}},
			{Path: "/v1/trace_annotations?sync=true", Body: object{"data": []any{sentThumb("trace_id", traceID)}}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, client := newServer(t, reply{200, stored})
			if err := client.Send(t.Context(), test.judgements...); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, s.requests); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSendSplitsLargeBatches(t *testing.T) {
	s, client := newServer(t, reply{200, stored})
	var judgements []feedback.Judgement
	for i := range 1001 {
		judgements = append(judgements, feedback.OnSession(fmt.Sprint("s", i), feedback.Annotation{Name: "n", Label: "l"}))
	}
	if err := client.Send(t.Context(), judgements...); err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, r := range s.requests {
		got = append(got, len(r.Body.(object)["data"].([]any)))
	}
	if diff := cmp.Diff([]int{500, 500, 1}, got); diff != "" {
		t.Errorf("annotations in a request (-want +got):\n%s", diff)
	}
}

// incomplete are judgements that can be handed on nowhere.
var incomplete = []struct {
	name string
	give feedback.Judgement
	want string
}{
	{"no name", feedback.OnSession("s1", feedback.Annotation{Name: " ", Label: "l"}), "set Name"},
	{"no result", feedback.OnSession("s1", feedback.Annotation{Name: "n", Kind: feedback.Code, Identifier: "i"}), "set Label, Score or Explanation"},
	{"not a number", feedback.OnSession("s1", feedback.Annotation{Name: "n", Score: new(math.NaN())}), "want a finite number"},
	{"infinite", feedback.OnSession("s1", feedback.Annotation{Name: "n", Score: new(math.Inf(1))}), "want a finite number"},
	{"kind", feedback.OnSession("s1", feedback.Annotation{Name: "n", Label: "l", Kind: "human"}), "want Human, LLM or Code"},
	{"metadata", feedback.OnSession("s1", feedback.Annotation{Name: "n", Label: "l", Metadata: object{"f": func() {}}}), "encode metadata"},
	{"second annotation", feedback.OnSession("s1", feedback.Annotation{Name: "n", Label: "l"}, feedback.Annotation{}), "without a name"},
	{"no annotation", feedback.OnSession("s1"), "no annotations for session s1"},
	{"no session", feedback.OnSession(" ", feedback.Annotation{Name: "n", Label: "l"}), "session ID must be a non-empty string"},
	{"no trace", feedback.OnTrace(trace.SpanContext{}, feedback.Annotation{Name: "n", Label: "l"}), "without a trace ID"},
	{"no span", feedback.OnSpan(trace.SpanContext{}, feedback.Annotation{Name: "n", Label: "l"}), "without a span ID"},
}

func TestSendNothingIncomplete(t *testing.T) {
	for _, test := range incomplete {
		t.Run(test.name, func(t *testing.T) {
			s, client := newServer(t, reply{200, stored})
			err := client.Send(t.Context(), feedback.OnSession("ok", feedback.Annotation{Name: "n", Label: "l"}), test.give)
			wantError(t, err, "feedback: send: ", test.want)
			if len(s.requests) != 0 {
				t.Errorf("got %d requests, want none", len(s.requests))
			}
		})
	}
	_, client := newServer(t, reply{200, stored})
	err := client.Send(t.Context(), feedback.OnSession("", feedback.Annotation{Name: "n", Label: "l"}))
	if !errors.Is(err, openinference.ErrEmptyID) {
		t.Errorf("got %v, want ErrEmptyID", err)
	}
}

var (
	missing = reply{404, "Sessions with IDs s1 do not exist."}
	thumbUp = feedback.OnSession("s1", feedback.Annotation{Name: "thumb", Label: "up"})
)

// sendUnderFakeTime sends with a context and returns how long that took.
func sendUnderFakeTime(t *testing.T, s *server, limit time.Duration, judgements ...feedback.Judgement) (took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, feedback.WithEndpoint("http://phoenix"), feedback.WithHTTPClient(&http.Client{Transport: s}))
		ctx := t.Context()
		if limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		start := time.Now()
		err = client.Send(ctx, judgements...)
		took = time.Since(start)
	})
	return took, err
}

func TestSendWaitsUntilTheSessionHasArrived(t *testing.T) {
	s := &server{t: t, replies: []reply{missing, missing, missing, {200, stored}}}
	took, err := sendUnderFakeTime(t, s, 0, thumbUp)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.requests) != 4 || took != 700*time.Millisecond {
		t.Errorf("got %d requests in %v, want 4 in 700ms", len(s.requests), took)
	}
}

func TestSendGivesUp(t *testing.T) {
	for _, limit := range []time.Duration{0, 3 * time.Second, time.Minute} {
		t.Run(limit.String(), func(t *testing.T) {
			s := &server{t: t, replies: []reply{missing}}
			took, err := sendUnderFakeTime(t, s, limit, thumbUp)
			wantError(t, err, "feedback: annotate sessions: ", "Sessions with IDs s1 do not exist (", "flush the tracer provider first")
			if !errors.Is(err, feedback.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
			want := limit
			if limit == 0 {
				want = 10 * time.Second
			}
			if timeout := errors.Is(err, context.DeadlineExceeded); took != want || timeout != (limit > 0) {
				t.Errorf("got %v after %v, want it after %v", err, took, want)
			}
		})
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	clearEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{t: t, replies: []reply{missing}}
	client := newClient(t, feedback.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := s.RoundTrip(r)
		if len(s.requests) == 2 {
			cancel() // while the second request is under way
			resp, err = nil, context.Canceled
		}
		return resp, err
	})}))
	err := client.Send(ctx, thumbUp)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, feedback.ErrNotFound) {
		t.Errorf("got %v, want that it was canceled and that the session was not found", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestFailedRequestKeepsNoOtherBack(t *testing.T) {
	s, client := newServer(t, reply{400, "The name 'note' is reserved for trace and span notes."}, reply{200, stored})
	err := client.Send(t.Context(), thumbUp, feedback.OnSpan(target, feedback.Annotation{Name: "note", Label: "l"}))
	wantError(t, err, "feedback: annotate spans: ", "400 Bad Request: The name 'note' is reserved")
	if len(s.requests) != 2 {
		t.Errorf("got %d requests, want 2", len(s.requests))
	}
}

func TestErrorsNameTheCure(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		want  string
	}{
		{"401", reply{401, "Invalid token"}, "access refused by Phoenix at http://127.0.0.1"},
		{"403", reply{403, ""}, "set PHOENIX_API_KEY or WithAPIKey"},
		{"500", reply{500, "boom"}, "500 Internal Server Error: boom"},
		{"not Phoenix", reply{200, "<html>"}, "check that this is its base URL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newServer(t, test.reply)
			client := newClient(t, feedback.WithAPIKey("s3cret"), feedback.WithEndpoint(newURL(t, s)))
			_, readError := client.Sessions(t.Context(), "p")
			for _, err := range []error{client.Send(t.Context(), thumbUp), readError} {
				wantError(t, err, test.want)
				if err != nil && strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got %q, which has the key in it", err)
				}
			}
			if len(s.requests) != 2 || s.requests[0].Key != "Bearer s3cret" {
				t.Errorf("got requests %v, want one each, with the key", s.requests)
			}
		})
	}

	t.Run("nothing listens", func(t *testing.T) {
		clearEnv(t)
		web := httptest.NewServer(nil)
		web.Close()
		err := newClient(t, feedback.WithEndpoint(web.URL)).Send(t.Context(), thumbUp)
		wantError(t, err, "no Phoenix at "+web.URL+"; start it with `phoenix serve`")
	})
}

// newURL serves s under an address of its own.
func newURL(t *testing.T, s *server) string {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web.URL
}

func TestEndpoint(t *testing.T) {
	tests := []struct {
		variable, option string
		want             string // the URL of a request, or what is in the error
	}{
		{"", "", "http://localhost:6006/graphql"},
		{" ", "\t", "http://localhost:6006/graphql"},
		{"http://phoenix:6006", "", "http://phoenix:6006/graphql"},
		{"http://phoenix:6006/v1/traces", "", "http://phoenix:6006/graphql"},
		{"http://phoenix:6006", "https://other/", "https://other/graphql"},
		{"", "https://app.phoenix.arize.com/s/space/v1/traces/", "https://app.phoenix.arize.com/s/space/graphql"},
		{"localhost:6006", "", `PHOENIX_COLLECTOR_ENDPOINT: endpoint "localhost:6006"; want a URL such as http://localhost:6006`},
		{"", "grpc://localhost:4317", "WithEndpoint: endpoint"},
		{"", "http://", "WithEndpoint: endpoint"},
		{"", "http://%zz", "WithEndpoint: endpoint"},
		{"http://s3cret@phoenix:6006", "", "an endpoint has no user, query or fragment"},
		{"", "http://phoenix:6006?key=s3cret", "an endpoint has no user, query or fragment"},
	}
	for _, test := range tests {
		t.Run(test.variable+" "+test.option, func(t *testing.T) {
			clearEnv(t)
			t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", test.variable)
			var got string
			stop := errors.New("stop")
			client, err := feedback.NewClient(feedback.WithEndpoint(test.option),
				feedback.WithHTTPClient(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					got = r.URL.String()
					return nil, stop
				})}))
			if err != nil {
				wantError(t, err, "feedback: ", test.want)
				if strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got %q, which has a credential in it", err)
				}
				return
			}
			if _, err := client.Sessions(t.Context(), "p"); !errors.Is(err, stop) || got != test.want {
				t.Errorf("got %s and error %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestAPIKey(t *testing.T) {
	for _, test := range []struct{ variable, option, want string }{
		{"", "", ""},
		{" v ", " ", "Bearer v"},
		{"v", "o\n", "Bearer o"},
	} {
		s, _ := newServer(t, reply{200, stored})
		t.Setenv("PHOENIX_API_KEY", test.variable)
		client := newClient(t, feedback.WithAPIKey(test.option), feedback.WithEndpoint(newURL(t, s)))
		if err := client.Send(t.Context(), thumbUp); err != nil {
			t.Fatal(err)
		}
		if got := s.requests[0].Key; got != test.want {
			t.Errorf("variable %q, option %q: got %q, want %q", test.variable, test.option, got, test.want)
		}
	}
}
