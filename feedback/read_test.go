package feedback_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference/feedback"
)

func TestSessions(t *testing.T) {
	s, _ := newServer(t,
		reply{200, `{"data":{"owner":{"page":{"pageInfo":{"hasNextPage":true,"endCursor":"MQ=="},"edges":[{"node":{
			"sessionId":"s1","userId":"ada","startTime":"2026-11-22T16:04:06.5+00:00","endTime":"2026-11-22T16:04:09+00:00",
			"numTraces":3,"numTracesWithError":1,"tokenUsage":{"prompt":126.0,"completion":51.0},
			"costSummary":{"total":{"cost":0.25}},"latency":1.5,
			"summaries":[{"name":"helpfulness","meanScore":0.5,"scoreCount":2},{"name":"label only","meanScore":null,"scoreCount":0}]}}]}}}}`},
		reply{200, `{"data":{"owner":{"page":{"pageInfo":{"hasNextPage":false,"endCursor":"Mg=="},"edges":[{"node":{
			"sessionId":"s2","userId":null,"startTime":"2026-11-22T16:05:00+00:00","endTime":"2026-11-22T16:05:00+00:00",
			"numTraces":1,"numTracesWithError":0,"tokenUsage":{"prompt":0.0,"completion":0.0},
			"costSummary":{"total":{"cost":null}},"latency":null,"summaries":[]}}]}}}}`})
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", newURL(t, s))
	got, err := feedback.Sessions(t.Context(), "chatbot")
	if err != nil {
		t.Fatal(err)
	}
	at := func(minute, second, ms int) time.Time {
		return time.Date(2026, 11, 22, 16, minute, second, ms*1e6, time.UTC)
	}
	want := []feedback.Session{
		{
			ID: "s1", User: "ada", Start: at(4, 6, 500), End: at(4, 9, 0), Turns: 3, Errors: 1,
			PromptTokens: 126, CompletionTokens: 51, Cost: 0.25, Latency: 1500 * time.Microsecond,
			Scores: map[string]float64{"helpfulness": 0.5},
		},
		{ID: "s2", Start: at(5, 0, 0), End: at(5, 0, 0), Turns: 1},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	wantVariables(t, s, object{"id": "chatbot"}, object{"id": "chatbot", "after": "MQ=="})
}

// wantVariables checks those of the queries.
func wantVariables(t *testing.T, s *server, want ...object) {
	t.Helper()
	var got []object
	for _, r := range s.requests {
		if r.Path != "/graphql" {
			t.Errorf("got a request to %s, want /graphql", r.Path)
		}
		got = append(got, r.Body.(object)["variables"].(object))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestTranscript(t *testing.T) {
	s, _ := newServer(t, reply{200, `{"data":{"owner":{"page":{"pageInfo":{"hasNextPage":false,"endCursor":"x"},"edges":[
		{"node":{"traceId":"` + traceID + `","startTime":"2026-11-22T16:04:06+00:00","latencyMs":2.5,
			"summaries":[{"name":"thumb","meanScore":1,"scoreCount":1}],
			"rootSpan":{"spanId":"` + spanID + `","input":{"value":"Hi!"},"output":{"value":"Hello."},
				"summaries":[{"name":"thumb","meanScore":0.25,"scoreCount":2},{"name":"tone","meanScore":0.75,"scoreCount":1}]},
			"failed":{"edges":[]}}},
		{"node":{"traceId":"not hex","startTime":"2026-11-22T16:04:07+00:00","latencyMs":null,"summaries":[],
			"rootSpan":{"spanId":"` + spanID + `","input":{"value":"And?"},"output":null,"summaries":[]},
			"failed":{"edges":[{"node":{"name":"Turn","statusMessage":"no answer"}},{"node":{"name":"ChatCompletion","statusMessage":"429"}}]}}},
		{"node":{"traceId":"` + traceID + `","startTime":"2026-11-22T16:04:08+00:00","latencyMs":1,"summaries":[],
			"rootSpan":null,"failed":{"edges":[]}}}]}}}}`})
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", newURL(t, s))
	got, err := feedback.Transcript(t.Context(), " s1 ")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 22, 16, 4, 6, 0, time.UTC)
	want := []feedback.Turn{
		{
			Root: target.WithRemote(true), Start: start, Latency: 2500 * time.Microsecond, Input: "Hi!", Output: "Hello.",
			Scores: map[string]float64{"thumb": 0.5, "tone": 0.75},
		},
		{Start: start.Add(time.Second), Input: "And?", Errors: []string{"ChatCompletion: 429", "Turn: no answer"}},
		{Start: start.Add(2 * time.Second), Latency: time.Millisecond},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(trace.SpanContext.Equal)); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
	wantVariables(t, s, object{"id": "s1"})
}

func TestReadWhatIsNotThere(t *testing.T) {
	_, client := newServer(t, reply{200, `{"data":{"owner":null}}`})
	_, sessions := client.Sessions(t.Context(), "chatbot")
	_, transcript := client.Transcript(t.Context(), "s1")
	for want, err := range map[string]error{
		`feedback: read the sessions of project "chatbot": not found in Phoenix`: sessions,
		`feedback: read session "s1": not found in Phoenix`:                      transcript,
	} {
		if !errors.Is(err, feedback.ErrNotFound) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestRefusedQuery(t *testing.T) {
	_, client := newServer(t, reply{200, `{"data":null,"errors":[{"message":"an unexpected error occurred"}]}`})
	_, err := client.Transcript(t.Context(), "s1")
	wantError(t, err, "an unexpected error occurred")
	if errors.Is(err, feedback.ErrNotFound) {
		t.Errorf("got %v, want another error than ErrNotFound", err)
	}
}

func TestReadWithAnEndpointThatCannotWork(t *testing.T) {
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", "phoenix")
	_, sessions := feedback.Sessions(t.Context(), "chatbot")
	_, transcript := feedback.Transcript(t.Context(), "s1")
	wantError(t, sessions, "feedback: PHOENIX_COLLECTOR_ENDPOINT: ")
	wantError(t, transcript, "feedback: PHOENIX_COLLECTOR_ENDPOINT: ")
}
