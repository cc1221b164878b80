package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
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
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

type object = map[string]any

// span is what the tests look at.
type span struct {
	*tracepb.Span
	project    string
	attributes map[string]string
}

// phoenix is as much of a Phoenix as the program needs.
type phoenix struct {
	t           *testing.T
	mu          sync.Mutex
	spans       []span   // as they came
	annotations []object // as they came
}

func newPhoenix(t *testing.T) *phoenix {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"OPENAI_", "PHOENIX_", "OTEL_", "OPENINFERENCE_"} {
			if strings.HasPrefix(name, prefix) {
				t.Setenv(name, "")
			}
		}
	}
	p := &phoenix{t: t}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", p.ingest)
	mux.HandleFunc("POST /v1/{annotations}", p.annotate)
	mux.HandleFunc("POST /graphql", p.query)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", server.URL)
	return p
}

func (p *phoenix) ingest(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var req collectorpb.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(body, &req) != nil {
		p.t.Errorf("%s %s: not a request of OTLP", r.Method, r.URL)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rs := range req.ResourceSpans {
		var project string
		for _, kv := range rs.Resource.Attributes {
			if kv.Key == "openinference.project.name" {
				project = kv.Value.GetStringValue()
			}
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				attributes := make(map[string]string)
				for _, kv := range s.Attributes {
					attributes[kv.Key] = kv.Value.GetStringValue()
				}
				p.spans = append(p.spans, span{s, project, attributes})
			}
		}
	}
}

func (p *phoenix) annotate(w http.ResponseWriter, r *http.Request) {
	var req struct{ Data []object }
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		p.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.annotations = append(p.annotations, req.Data...)
	fmt.Fprint(w, `{"data":[]}`)
}

func (p *phoenix) query(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Query     string
		Variables struct{ ID string }
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		p.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	find := p.sessions
	if strings.Contains(req.Query, "getProjectSessionById") {
		find = p.turns
	}
	var edges []object
	for _, node := range find(req.Variables.ID) {
		edges = append(edges, object{"node": node})
	}
	owner := object{"page": object{"edges": edges}}
	if edges == nil {
		owner = nil
	}
	_ = json.NewEncoder(w).Encode(object{"data": object{"owner": owner}})
}

// sessions returns those of a project.
func (p *phoenix) sessions(project string) (nodes []object) {
	seen := make(map[string]object)
	for _, s := range p.spans {
		id := s.attributes["session.id"]
		if s.project != project || id == "" || len(s.ParentSpanId) > 0 {
			continue
		}
		if seen[id] == nil {
			seen[id] = object{"sessionId": id, "userId": s.attributes["user.id"], "numTraces": 0, "summaries": p.scores("session_id", id)}
			nodes = append(nodes, seen[id])
		}
		seen[id]["numTraces"] = seen[id]["numTraces"].(int) + 1
	}
	return nodes
}

// turns returns those of a session.
func (p *phoenix) turns(session string) (nodes []object) {
	for _, s := range p.spans {
		if s.attributes["session.id"] == session && len(s.ParentSpanId) == 0 {
			var failed []object
			for _, other := range p.spans {
				if bytes.Equal(other.TraceId, s.TraceId) && other.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
					failed = append(failed, object{"node": object{"name": other.Name, "statusMessage": other.Status.Message}})
				}
			}
			nodes = append(nodes, object{
				"traceId": hex.EncodeToString(s.TraceId), "failed": object{"edges": failed},
				"rootSpan": object{
					"spanId": hex.EncodeToString(s.SpanId),
					"input":  object{"value": s.attributes["input.value"]}, "output": object{"value": s.attributes["output.value"]},
				},
			})
		}
	}
	return nodes
}

// scores returns the last score of each name.
func (p *phoenix) scores(key, id string) (summaries []object) {
	for _, a := range p.annotations {
		if score := a["result"].(object)["score"]; a[key] == id && score != nil {
			summaries = append(slices.DeleteFunc(summaries, func(s object) bool { return s["name"] == a["name"] }),
				object{"name": a["name"], "meanScore": score, "scoreCount": 1})
		}
	}
	return summaries
}

// start runs the program and returns what it prints.
func start(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out)
	return out.String(), err
}

const ranking = `
SESSION +USER +HELPFUL +FRUSTRATED +TURNS .* TREND +BROKE AT
refund-\w+ +bob +0\.60 +0\.80 +4 .* █▆▂▂ +turn 3: No! I want a refund, not an exchange!
login-\w+ +carol +0\.60 +0\.80 +5 .* █▂▄▂█ +turn 2: The link is wrong, it says 404\.
address-\w+ +bob +0\.95 +0\.10 +2 .* █▆ +-
returns-\w+ +ada +1\.00 +0\.00 +3 .* ███ +-
invoice-\w+ +ada +1\.00 +0\.00 +2 .* ██ +-

USER +HELPFUL +FRUSTRATED +SESSIONS .*
carol +0\.60 +0\.80 +1 .*
bob +0\.77 +0\.45 +2 .*
ada +1\.00 +0\.00 +2 .*

Where to look: Phoenix → project evals → Sessions; the judge at work: project evals-judge
$`

func TestMadeUpConversationsAreRanked(t *testing.T) {
	p := newPhoenix(t)
	got, err := start(t)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^OPENAI_API_KEY is not set: a mock plays the judge.\n` + ranking).MatchString(got) {
		t.Errorf("got\n%s\nwant\n%s", got, ranking)
	}

	// 16 turns of 5 sessions: what was made up is said to be, and everything is judged twice.
	count := make(map[string]int)
	for _, a := range p.annotations {
		for _, key := range []string{"span_id", "trace_id", "session_id"} {
			if a[key] != nil {
				count[fmt.Sprint(key, " ", a["name"], " ", a["annotator_kind"])]++
			}
		}
	}
	for key, want := range map[string]int{
		"span_id made up CODE": 16, "trace_id frustration LLM": 16, "trace_id helpfulness LLM": 16,
		"session_id frustration LLM": 5, "session_id helpfulness LLM": 5,
	} {
		if count[key] != want {
			t.Errorf("got %d annotations %s, want %d", count[key], key, want)
		}
	}
	for _, s := range p.spans {
		if s.project == "evals-judge" && s.attributes["session.id"] != "" {
			t.Errorf("got session %s on span %s of the judge, want none", s.attributes["session.id"], s.Name)
		}
	}
}

func TestJudgesTheNewestSessionsOfAProject(t *testing.T) {
	newPhoenix(t)
	if _, err := start(t); err != nil {
		t.Fatal(err)
	}
	model := mocks.NewServer(mocks.Chat(`{"frustration":0.9,"helpfulness":0.25,"explanation":"No."}`))
	t.Cleanup(model.Close)
	t.Setenv("OPENAI_API_KEY", "sk-test")
	t.Setenv("OPENAI_BASE_URL", model.URL+"/v1")
	got, err := start(t, "-project", "evals", "-n", "1", "-model", "gpt-4o")
	if err != nil {
		t.Fatal(err)
	}
	want := `^
SESSION .*
address-\w+ +bob +0\.25 +0\.90 +2 .* ▂▂ +turn 1: Please change my address to 4 Elm Street\.

USER .*
bob +0\.25 +0\.90 +1 .*

Where to look: .*
$`
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	requests := model.Requests()
	if len(requests) != 3 || !bytes.Contains(requests[0].Body, []byte(`"model":"gpt-4o"`)) {
		t.Errorf("got %d requests, want 3 to gpt-4o", len(requests))
	}
}

func TestWhatCannotBeJudged(t *testing.T) {
	wantError := func(t *testing.T, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
	t.Run("no such project", func(t *testing.T) {
		newPhoenix(t)
		_, err := start(t, "-project", "nothing")
		wantError(t, err, `project "nothing": not found in Phoenix`)
	})
	t.Run("no Phoenix", func(t *testing.T) {
		newPhoenix(t)
		gone := httptest.NewServer(nil)
		gone.Close()
		t.Setenv("PHOENIX_COLLECTOR_ENDPOINT", gone.URL)
		_, err := start(t)
		wantError(t, err, "no Phoenix at "+gone.URL+"; start it with `phoenix serve`")
	})
	for name, reply := range map[string]http.HandlerFunc{
		"no verdict":      mocks.Chat("It went well."),
		"no choice":       mocks.JSON(http.StatusOK, `{"choices":[]}`),
		"judge not there": mocks.Error(http.StatusTooManyRequests, "Slow down."),
	} {
		t.Run(name, func(t *testing.T) {
			newPhoenix(t)
			model := mocks.NewServer(reply)
			t.Cleanup(model.Close)
			t.Setenv("OPENAI_API_KEY", "sk-test")
			t.Setenv("OPENAI_BASE_URL", model.URL+"/v1")
			_, err := start(t)
			wantError(t, err, "judge session returns-")
		})
	}
}
