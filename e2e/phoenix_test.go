//go:build e2e

package e2e_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// phoenix is a Phoenix that this test run has started.
type phoenix struct {
	pid  string
	url  string // of the web page and the REST API
	grpc string // host:port for spans
	key  string // that its API asks for, "" for none
}

// startPhoenix starts a Phoenix on free ports. Settings are variables of its
// own, such as PHOENIX_ENABLE_AUTH=true.
func startPhoenix(settings ...string) (*phoenix, error) {
	httpPort, grpcPort, err := freePorts()
	if err != nil {
		return nil, err
	}
	start := exec.Command("./start_phoenix.sh", httpPort, grpcPort)
	start.Env = append(os.Environ(), "EXTRA="+strings.Join(settings, " "))
	start.Stderr = os.Stderr
	out, err := start.Output()
	if err != nil {
		return nil, fmt.Errorf("start Phoenix: %w", err)
	}
	pid, _, _ := strings.Cut(strings.TrimPrefix(string(out), "PHOENIX_PID="), " ")
	return &phoenix{pid: pid, url: "http://127.0.0.1:" + httpPort, grpc: "127.0.0.1:" + grpcPort}, nil
}

func (p *phoenix) stop() error {
	out, err := exec.Command("./start_phoenix.sh", "stop", p.pid).CombinedOutput()
	if err != nil {
		return fmt.Errorf("stop Phoenix: %w: %s", err, out)
	}
	return nil
}

// freePorts returns two ports that nothing listens on.
func freePorts() (first, second string, err error) {
	var ports [2]string
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", "", err
		}
		defer l.Close()
		_, ports[i], _ = net.SplitHostPort(l.Addr().String())
	}
	return ports[0], ports[1], nil
}

// page is the row of a session on the Sessions page. Where that shows --, a
// field is zero.
type page struct {
	User                   string
	Turns, Failed          int
	FirstInput, LastOutput string
	Prompt, Completion     float64 // tokens
	Cost                   float64 // dollars
}

const pageQuery = `query($project: String!) { getProjectByName(name: $project) { sessions(first: 100) { edges { node {
	sessionId userId numTraces numTracesWithError firstInput { value } lastOutput { value }
	tokenUsage { prompt completion } costSummary { total { cost } } } } } } }`

// page returns what the Sessions page shows of a session, the zero page for one
// that is not there.
func (p *phoenix) page(t *testing.T, project, session string) page {
	t.Helper()
	type text struct{ Value string }
	var reply struct {
		Errors []text
		Data   struct {
			GetProjectByName struct {
				Sessions struct {
					Edges []struct {
						Node struct {
							SessionID          string
							UserID             string
							NumTraces          int
							NumTracesWithError int
							FirstInput         text
							LastOutput         text
							TokenUsage         struct{ Prompt, Completion float64 }
							CostSummary        struct{ Total struct{ Cost float64 } }
						}
					}
				}
			}
		}
	}
	query, err := json.Marshal(map[string]any{"query": pageQuery, "variables": map[string]string{"project": project}})
	if err != nil {
		t.Fatal(err)
	}
	p.call(t, http.MethodPost, "/graphql", query, &reply)
	for _, edge := range reply.Data.GetProjectByName.Sessions.Edges {
		if n := edge.Node; n.SessionID == session {
			return page{
				User: n.UserID, Turns: n.NumTraces, Failed: n.NumTracesWithError,
				FirstInput: n.FirstInput.Value, LastOutput: n.LastOutput.Value,
				Prompt: n.TokenUsage.Prompt, Completion: n.TokenUsage.Completion,
				Cost: n.CostSummary.Total.Cost,
			}
		}
	}
	return page{}
}

// wantPage waits until the Sessions page shows want.
func (p *phoenix) wantPage(t *testing.T, project, session string, want page) {
	t.Helper()
	var diff string
	if !eventually(func() bool {
		diff = gocmp.Diff(want, p.page(t, project, session), cmpopts.EquateApprox(1e-6, 0))
		return diff == ""
	}) {
		t.Errorf("Sessions page (-want +got):\n%s", diff)
	}
}

// span is a span as Phoenix has stored it.
type span struct {
	Name    string
	Context struct {
		SpanID string `json:"span_id"`
	}
	SpanKind      string `json:"span_kind"`
	ParentID      string `json:"parent_id"`
	StatusCode    string `json:"status_code"`
	StatusMessage string `json:"status_message"`
	Attributes    map[string]any
}

// spans waits for n spans of a session and returns them sorted by name.
func (p *phoenix) spans(t *testing.T, project, session string, n int) []span {
	t.Helper()
	query := url.Values{"attribute": {"session.id:" + session}, "limit": {"1000"}}
	var reply struct{ Data []span }
	if !eventually(func() bool {
		reply.Data = nil
		p.call(t, http.MethodGet, "/v1/projects/"+project+"/spans?"+query.Encode(), nil, &reply)
		return len(reply.Data) >= n
	}) || len(reply.Data) != n {
		t.Fatalf("got %d spans, want %d", len(reply.Data), n)
	}
	slices.SortFunc(reply.Data, func(a, b span) int { return cmp.Compare(a.Name, b.Name) })
	return reply.Data
}

// call sends a request to Phoenix and decodes its JSON. What does not exist
// leaves reply as it is.
func (p *phoenix) call(t testing.TB, method, path string, body []byte, reply any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if resp.StatusCode == http.StatusNotFound {
		return
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s: %.500s", method, path, resp.Status, b)
	}
	if err := json.Unmarshal(b, reply); err != nil {
		t.Fatalf("%s %s: %v: %.500s", method, path, err, b)
	}
}

// eventually asks every 100 ms, for up to 2 minutes, until the answer is yes: Phoenix
// stores spans after it has accepted them, on a busy machine some 50 of them per second.
func eventually(ok func() bool) bool {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}
