//go:build e2e

package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

// webService is a program whose web server is traced as well.
type webService struct {
	other  trace.Tracer // of the web server
	tracer *openinference.Tracer
	client *openai.Client
}

// turn asks one question after the other in one step.
func (w *webService) turn(ctx context.Context, in string, more ...string) error {
	ctx, span := w.tracer.Start(ctx, "turn", openinference.KindChain)
	defer span.End()
	span.SetInput(in)
	out := ""
	for _, question := range append([]string{in}, more...) {
		resp, err := w.client.CreateChatCompletion(ctx, ask(question))
		if err != nil {
			return err
		}
		out = resp.Choices[0].Message.Content
	}
	span.SetOutput(out)
	return nil
}

func TestBehindAWebServer(t *testing.T) {
	const first, second = "How is Oslo?", "What to wear?"
	shapes := []struct {
		name    string
		request func(context.Context, *webService) error
		want    page
		tree    string
	}{
		{"turn", func(ctx context.Context, w *webService) error {
			return w.turn(ctx, first, second)
		}, page{Turns: 1, Prompt: 6, Completion: 4}, "turn(ChatCompletion ChatCompletion)"},
		{"lone call", func(ctx context.Context, w *webService) error {
			_, err := w.client.CreateChatCompletion(ctx, ask(first))
			return err
		}, page{Turns: 1, LastOutput: "Sunny.", Prompt: 3, Completion: 1}, "ChatCompletion"},
		{"turns of one WebSocket", func(ctx context.Context, w *webService) error {
			for _, question := range []string{first, second, second} {
				_, err := openinference.Turn(ctx, w.tracer, "turn", question, func(ctx context.Context, question string) (string, error) {
					resp, err := w.client.CreateChatCompletion(ctx, ask(question))
					if err != nil {
						return "", err
					}
					return resp.Choices[0].Message.Content, nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}, page{Turns: 3, Prompt: 9, Completion: 7}, "turn(ChatCompletion) turn(ChatCompletion) turn(ChatCompletion)"},
		{"other spans between", func(ctx context.Context, w *webService) error {
			ctx, turn := w.tracer.Start(ctx, "turn", openinference.KindChain)
			defer turn.End()
			ctx, query := w.other.Start(ctx, "SELECT")
			defer query.End()
			turn.SetInput(first)
			turn.SetOutput("Take a hat.")
			return w.turn(ctx, second)
		}, page{Turns: 1, Prompt: 3, Completion: 1}, "turn(turn(ChatCompletion))"},
	}
	servers := []struct {
		name  string
		start func(t *testing.T, project string) (tp *sdktrace.TracerProvider, other trace.Tracer, check func(t *testing.T))
	}{
		{"exported nowhere", func(t *testing.T, project string) (*sdktrace.TracerProvider, trace.Tracer, func(*testing.T)) {
			return newProvider(t, project), sdktrace.NewTracerProvider().Tracer("http"), func(*testing.T) {}
		}},
		{"of the same provider", func(t *testing.T, project string) (*sdktrace.TracerProvider, trace.Tracer, func(*testing.T)) {
			tp := newProvider(t, project)
			return tp, tp.Tracer("http"), func(*testing.T) {}
		}},
		{"exported elsewhere too", func(t *testing.T, project string) (*sdktrace.TracerProvider, trace.Tracer, func(*testing.T)) {
			processor, err := export.PhoenixProcessor(t.Context(), exportTo(t, project)...)
			if err != nil {
				t.Fatal(err)
			}
			elsewhere := tracetest.NewSpanRecorder()
			tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(elsewhere), sdktrace.WithSpanProcessor(processor))
			return tp, tp.Tracer("http"), func(t *testing.T) {
				spans := elsewhere.Ended()
				if !slices.ContainsFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "POST /chat" }) {
					t.Errorf("got %d spans elsewhere, but not that of the web server", len(spans))
				}
			}
		}},
		{"sampled out", func(t *testing.T, project string) (*sdktrace.TracerProvider, trace.Tracer, func(*testing.T)) {
			never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
			return newProvider(t, project), never.Tracer("http"), func(*testing.T) {}
		}},
	}
	for _, s := range servers {
		for _, shape := range shapes {
			t.Run(s.name+"/"+shape.name, func(t *testing.T) {
				project, session := names(t)
				tp, other, check := s.start(t, project)
				w := &webService{
					other:  other,
					tracer: openinference.NewTracer(openinference.WithTracerProvider(tp)),
					client: newClient(t, tp, mocks.Chat("Sunny."), mocks.Chat("Take a hat.")),
				}
				ctx, span := w.other.Start(adas(t, session), "POST /chat")
				if err := shape.request(ctx, w); err != nil {
					t.Fatal(err)
				}
				span.End()
				shutdown(t, tp)

				want := shape.want
				want.User, want.FirstInput, want.Cost = "ada", first, cost(want.Prompt, want.Completion)
				if want.LastOutput == "" {
					want.LastOutput = "Take a hat."
				}
				server.wantPage(t, project, session, want)
				if got := tree(server.spans(t, project, session, strings.Count(shape.tree, "turn")+strings.Count(shape.tree, "ChatCompletion"))); got != shape.tree {
					t.Errorf("got %s, want %s", got, shape.tree)
				}
				server.wantFound(t, project, session)
				check(t)
			})
		}
	}
}

// Calls of one request that no turn holds together are the roots of one trace.
func TestLoneCallsOfOneRequest(t *testing.T) {
	project, session := names(t)
	tp := newProvider(t, project)
	client := newClient(t, tp, mocks.Chat("Sunny."), mocks.Chat("Take a hat."))
	ctx, span := tp.Tracer("http").Start(adas(t, session), "POST /chat")
	for _, question := range []string{"How is Oslo?", "What to wear?"} {
		if _, err := client.CreateChatCompletion(ctx, ask(question)); err != nil {
			t.Fatal(err)
		}
	}
	span.End()
	shutdown(t, tp)
	server.wantPage(t, project, session, page{
		User: "ada", Turns: 1, FirstInput: "How is Oslo?", LastOutput: "Take a hat.", Prompt: 6, Completion: 4, Cost: cost(6, 4),
	})
	if got, want := tree(server.spans(t, project, session, 2)), "ChatCompletion ChatCompletion"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	server.wantFound(t, project, session)
}

// TestRag runs the example of an agent that answers from documents.
func TestRag(t *testing.T) {
	_, session := names(t)
	const project = "rag"
	_, grpcPort, _ := strings.Cut(server.grpc, ":")
	rag := exec.Command("go", "run", "../examples/rag", "-session", session, "-user", "ada", "-export", "phoenix")
	rag.Env = append(os.Environ(), "OPENAI_API_KEY=", "PHOENIX_COLLECTOR_ENDPOINT="+server.url, "PHOENIX_GRPC_PORT="+grpcPort)
	if out, err := rag.CombinedOutput(); err != nil {
		t.Fatalf("rag: %v\n%s", err, out)
	}
	out, err := exec.Command("./accept.sh", project, session, "ada", "1", server.url).CombinedOutput()
	if err != nil {
		t.Errorf("accept.sh: %v\n%s", err, out)
	}
	spans := server.spans(t, project, session, 6)
	if got, want := tree(spans), "turn(guide(ChatCompletion ChatCompletion search weather))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, want := range []struct {
		span, kind, key string
		value           any
	}{
		{"guide", "AGENT", "agent.name", "guide"},
		{"guide", "AGENT", "graph.node.id", "guide"},
		{"search", "RETRIEVER", "graph.node.parent_id", "guide"},
		{"search", "RETRIEVER", "retrieval.documents.0.document.id", "oslo-1"},
		{"search", "RETRIEVER", "retrieval.documents.0.document.score", 2.0 / 6},
		{"search", "RETRIEVER", "retrieval.documents.1.document.content", "The museum in Oslo wants quiet shoes."},
		{"weather", "TOOL", "tool.name", "weather"},
	} {
		i := slices.IndexFunc(spans, func(s span) bool { return s.Name == want.span })
		if got := spans[i]; got.SpanKind != want.kind || got.Attributes[want.key] != want.value {
			t.Errorf("%s %s: got %s %v, want %v", got.SpanKind, got.Name, want.key, got.Attributes[want.key], want.value)
		}
	}
}

// wantFound checks that the filter by user finds a session of ada's.
func (p *phoenix) wantFound(t *testing.T, project, session string) {
	t.Helper()
	type found struct {
		SessionID string `json:"session_id"`
	}
	var reply struct{ Data []found }
	query := url.Values{"filter": {"user.id == 'ada'"}}
	p.call(t, http.MethodGet, "/v1/projects/"+project+"/sessions?"+query.Encode(), nil, &reply)
	if !slices.Contains(reply.Data, found{session}) {
		t.Errorf("the filter by user finds %v, want %s among them", reply.Data, session)
	}
}

// tree writes the spans as parent(child child), sorted, and those whose parent has
// not arrived as orphan:span.
func tree(spans []span) string {
	var below func(parent string) string
	below = func(parent string) string {
		var names []string
		for _, s := range spans {
			name := s.Name
			orphan := !slices.ContainsFunc(spans, func(above span) bool { return above.Context.SpanID == s.ParentID })
			switch {
			case s.ParentID == parent:
			case parent == "" && orphan:
				name = "orphan:" + name
			default:
				continue
			}
			if children := below(s.Context.SpanID); children != "" {
				name += "(" + children + ")"
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	return below("")
}
