package export_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

// program is a program with instrumentation of its own besides ours.
type program struct {
	*tracetest.SpanRecorder // of what NewSpanProcessor forwards
	errs                    handled
	provider                *sdktrace.TracerProvider
	other                   trace.Tracer // of a web server, a database
	tracer                  *openinference.Tracer
	client                  *openai.Client
}

func newProgram(t *testing.T, opts ...sdktrace.TracerProviderOption) *program {
	t.Helper()
	p := &program{SpanRecorder: tracetest.NewSpanRecorder()}
	p.provider = sdktrace.NewTracerProvider(append(opts,
		sdktrace.WithSpanProcessor(export.NewSpanProcessor(p.SpanRecorder, p.errs.option())))...)
	p.other = p.provider.Tracer("other")
	p.tracer = openinference.NewTracer(openinference.WithTracerProvider(p.provider))
	model := mocks.NewServer(mocks.Chat("Yes."))
	t.Cleanup(model.Close)
	config := model.Config()
	config.HTTPClient = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		_, span := p.other.Start(req.Context(), "POST")
		defer span.End()
		return http.DefaultTransport.RoundTrip(req)
	})}
	p.client = openinference.NewClientWithConfig(config, openinference.WithTracerProvider(p.provider))
	return p
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// ask makes a model call, a span named ChatCompletion.
func (p *program) ask(ctx context.Context) {
	if _, err := p.client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
		Model:    openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Well?"}},
	}); err != nil {
		panic(err)
	}
}

// within does what it is given under a span of another library.
func (p *program) within(ctx context.Context, name string, do func(context.Context), attrs ...attribute.KeyValue) {
	ctx, span := p.other.Start(ctx, name, trace.WithAttributes(attrs...))
	defer span.End()
	do(ctx)
}

// turn does what it is given as a turn of a conversation.
func (p *program) turn(ctx context.Context, do func(context.Context)) {
	_, _ = openinference.Turn(ctx, p.tracer, "turn", "Well?", func(ctx context.Context, _ string) (string, error) {
		do(ctx)
		return "Yes.", nil
	})
}

// tree writes the spans that have arrived as parent(child child), sorted, and
// those whose parent has not as orphan:span.
func tree(spans []sdktrace.ReadOnlySpan) string {
	here := make(map[trace.SpanID]bool)
	for _, s := range spans {
		here[s.SpanContext().SpanID()] = true
	}
	var below func(parent trace.SpanID) string
	below = func(parent trace.SpanID) string {
		var names []string
		for _, s := range spans {
			name := s.Name()
			above := s.Parent().SpanID()
			switch {
			case above != parent && (parent.IsValid() || here[above]):
				continue
			case above != parent:
				name = "orphan:" + name
			}
			if children := below(s.SpanContext().SpanID()); children != "" {
				name += "(" + children + ")"
			}
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	return below(trace.SpanID{})
}

func traces(spans []sdktrace.ReadOnlySpan) int {
	ids := make(map[trace.TraceID]bool)
	for _, s := range spans {
		ids[s.SpanContext().TraceID()] = true
	}
	return len(ids)
}

func remote(flags trace.TraceFlags) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags, Remote: true})
}

func TestOpenInferenceSpansMakeTheTree(t *testing.T) {
	chain, retriever := kindOf(openinference.KindChain), kindOf(openinference.KindRetriever)
	tests := []struct {
		name   string
		do     func(context.Context, *program)
		want   string
		traces int
	}{
		{"no other instrumentation", func(ctx context.Context, p *program) {
			p.turn(ctx, func(ctx context.Context) { p.ask(ctx) })
		}, "turn(ChatCompletion)", 1},
		{"turn below a web server", func(ctx context.Context, p *program) {
			p.within(ctx, "GET", func(ctx context.Context) {
				ctx, span := p.tracer.Start(ctx, "turn", openinference.KindChain)
				p.ask(ctx)
				span.End()
			})
		}, "turn(ChatCompletion)", 1},
		{"lone call below a web server", func(ctx context.Context, p *program) {
			p.within(ctx, "GET", func(ctx context.Context) { p.ask(ctx) })
		}, "ChatCompletion", 1},
		{"lone calls of one request", func(ctx context.Context, p *program) {
			p.within(ctx, "GET", func(ctx context.Context) {
				p.ask(ctx)
				p.within(ctx, "render", func(ctx context.Context) { p.ask(ctx) })
				p.ask(ctx)
			})
		}, "ChatCompletion ChatCompletion ChatCompletion", 1},
		{"turns of one WebSocket", func(ctx context.Context, p *program) {
			p.within(ctx, "GET", func(ctx context.Context) {
				for range 3 {
					p.turn(ctx, func(ctx context.Context) { p.ask(ctx) })
				}
			})
		}, "turn(ChatCompletion) turn(ChatCompletion) turn(ChatCompletion)", 3},
		{"other spans between", func(ctx context.Context, p *program) {
			p.turn(ctx, func(ctx context.Context) {
				p.within(ctx, "transaction", func(ctx context.Context) {
					p.within(ctx, "SELECT", func(ctx context.Context) { p.ask(ctx) })
					p.ask(ctx)
				})
			})
		}, "turn(ChatCompletion ChatCompletion)", 1},
		{"spans of another OpenInference library", func(ctx context.Context, p *program) {
			p.within(ctx, "GET", func(ctx context.Context) {
				p.within(ctx, "chain", func(ctx context.Context) {
					p.within(ctx, "transaction", func(ctx context.Context) {
						p.within(ctx, "SELECT", func(ctx context.Context) {
							p.within(ctx, "search", func(ctx context.Context) { p.ask(ctx) }, retriever)
						})
					})
					p.turn(ctx, func(ctx context.Context) {
						p.within(ctx, "search", func(ctx context.Context) {
							p.within(ctx, "SELECT", func(ctx context.Context) { p.ask(ctx) })
						}, retriever)
					})
				}, chain)
			})
		}, "chain(search(ChatCompletion)) turn(search(ChatCompletion))", 2},
		{"kind set late", func(ctx context.Context, p *program) {
			p.turn(ctx, func(ctx context.Context) {
				ctx, step := p.other.Start(ctx, "step")
				_, before := p.tracer.Start(ctx, "before", openinference.KindTool)
				step.SetAttributes(chain)
				_, after := p.tracer.Start(ctx, "after", openinference.KindTool)
				step.End()
				before.End()
				after.End()
			})
		}, "turn(before step(after))", 1},
		{"blank kind", func(ctx context.Context, p *program) {
			p.within(ctx, "step", func(ctx context.Context) { p.ask(ctx) }, openinference.OpenInferenceSpanKindKey.String(" "))
		}, "ChatCompletion", 1},
		{"goroutines that outlive the turn", func(ctx context.Context, p *program) {
			var wg sync.WaitGroup
			ended := make(chan struct{})
			p.turn(ctx, func(ctx context.Context) {
				p.within(ctx, "job", func(ctx context.Context) {
					for range 3 {
						wg.Go(func() { <-ended; p.ask(ctx) })
					}
				})
				// Some take the span along and leave the context.
				ctx = trace.ContextWithSpan(context.Background(), trace.SpanFromContext(ctx))
				wg.Go(func() { <-ended; p.ask(ctx) })
			})
			close(ended)
			wg.Wait()
		}, "turn(ChatCompletion ChatCompletion ChatCompletion ChatCompletion)", 1},
		{"new root inside", func(ctx context.Context, p *program) {
			p.turn(ctx, func(ctx context.Context) {
				ctx, job := p.other.Start(ctx, "job", trace.WithNewRoot())
				p.ask(ctx)
				job.End()
			})
		}, "ChatCompletion turn", 2},
		{"caller elsewhere", func(ctx context.Context, p *program) {
			ctx = trace.ContextWithRemoteSpanContext(ctx, remote(trace.FlagsSampled))
			p.ask(ctx)
			p.within(ctx, "GET", func(ctx context.Context) { p.ask(ctx) })
		}, "ChatCompletion ChatCompletion", 1},
		{"caller elsewhere that was sampled out", func(ctx context.Context, p *program) {
			ctx = trace.ContextWithRemoteSpanContext(ctx, remote(0))
			p.ask(ctx)
			p.within(ctx, "GET", func(ctx context.Context) { p.ask(ctx) })
		}, "ChatCompletion ChatCompletion", 1},
		{"web server traced elsewhere", func(ctx context.Context, p *program) {
			ctx, server := sdktrace.NewTracerProvider().Tracer("http").Start(ctx, "GET")
			defer server.End()
			p.ask(ctx)
			ctx, span := p.tracer.Start(ctx, "turn", openinference.KindChain)
			p.ask(ctx)
			span.End()
		}, "ChatCompletion turn(ChatCompletion)", 1},
		{"spans that never end", func(ctx context.Context, p *program) {
			ctx, _ = p.tracer.Start(ctx, "lost", openinference.KindChain)
			ctx, span := p.tracer.Start(ctx, "turn", openinference.KindChain)
			ctx, _ = p.other.Start(ctx, "lost")
			p.ask(ctx)
			span.End()
		}, "orphan:turn(ChatCompletion)", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProgram(t, sdktrace.WithSampler(sdktrace.AlwaysSample()))
			tt.do(openinference.WithSession(t.Context(), "chat-42"), p)
			spans := p.Ended()
			if got := tree(spans); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := traces(spans); got != tt.traces {
				t.Errorf("got %d traces, want %d", got, tt.traces)
			}
			if errs := p.errs.all(); len(errs) != 0 {
				t.Errorf("got errors %v, want none", errs)
			}
		})
	}
}

// drop samples all spans but those of these names.
type drop []string

func (d drop) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if slices.Contains(d, p.Name) {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
	}
	return sdktrace.AlwaysSample().ShouldSample(p)
}

func (d drop) Description() string { return "drop" }

func TestSpansThatAreNotSampledAreNobodysParent(t *testing.T) {
	p := newProgram(t, sdktrace.WithSampler(drop{"step", "search"}))
	p.turn(t.Context(), func(ctx context.Context) {
		ctx, step := p.tracer.Start(ctx, "step", openinference.KindTool)
		p.within(ctx, "search", func(ctx context.Context) { p.ask(ctx) }, kindOf(openinference.KindRetriever))
		step.End()
	})
	var sampled []sdktrace.ReadOnlySpan
	for _, s := range p.Ended() {
		if s.SpanContext().IsSampled() {
			sampled = append(sampled, s)
		}
	}
	if got, want := tree(sampled), "turn(ChatCompletion)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCallerWhoPropagates(t *testing.T) {
	p := newProgram(t)
	header := make(http.Header)
	ctx, caller := p.tracer.Start(openinference.WithSession(t.Context(), "chat-42"), "caller", openinference.KindChain)
	openinference.Propagator{}.Inject(ctx, propagation.HeaderCarrier(header))
	ctx = openinference.Propagator{}.Extract(context.Background(), propagation.HeaderCarrier(header))
	p.within(ctx, "GET", func(ctx context.Context) { p.turn(ctx, func(ctx context.Context) { p.ask(ctx) }) })
	caller.End()
	if got, want := tree(p.Ended()), "caller(turn(ChatCompletion))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSpansCarryTheContext(t *testing.T) {
	elsewhere := tracetest.NewSpanRecorder()
	p := newProgram(t, sdktrace.WithSpanProcessor(elsewhere))
	ctx := openinference.WithAttributes(t.Context(), openinference.Attributes{
		SessionID: "chat-42", UserID: "ada", Metadata: map[string]any{"tenant": "acme"}, Tags: []string{"a", "b"},
		PromptTemplate: openinference.PromptTemplate{Version: "v1"},
	})
	p.within(ctx, "GET", func(ctx context.Context) {
		p.within(ctx, "SELECT", func(context.Context) {}, sessionID("own"), userID("own"), openinference.TagTagsKey.StringSlice([]string{"own"}))
		p.within(openinference.WithUser(ctx, "bob"), "search", func(ctx context.Context) {}, kindOf(openinference.KindRetriever))
	})
	p.within(context.Background(), "idle", func(context.Context) {})

	got := make(map[string]string)
	for _, s := range elsewhere.Ended() {
		var attrs []string
		for _, kv := range s.Attributes() {
			attrs = append(attrs, string(kv.Key)+"="+kv.Value.String())
		}
		slices.Sort(attrs)
		got[s.Name()] = strings.Join(attrs, " ")
	}
	for name, want := range map[string]string{
		"GET":    `metadata={"tenant":"acme"} session.id=chat-42 tag.tags=["a","b"] user.id=ada`,
		"SELECT": `metadata={"tenant":"acme"} session.id=own tag.tags=["own"] user.id=own`,
		"search": `metadata={"tenant":"acme"} openinference.span.kind=RETRIEVER session.id=chat-42 tag.tags=["a","b"] user.id=bob`,
		"idle":   "",
	} {
		if got[name] != want {
			t.Errorf("%s: got %s, want %s", name, got[name], want)
		}
	}
	if got, want := tree(p.Ended()), "search"; got != want {
		t.Errorf("forwarded %s, want %s", got, want)
	}
}

// TestOnlyTheParentChanges compares a span that has lost its parent with what other
// processors see.
func TestOnlyTheParentChanges(t *testing.T) {
	elsewhere := tracetest.NewSpanRecorder()
	p := newProgram(t, sdktrace.WithSpanProcessor(elsewhere))
	p.within(t.Context(), "GET", func(ctx context.Context) {
		ctx, span := p.tracer.Start(ctx, "turn", openinference.KindChain)
		p.within(ctx, "SELECT", func(context.Context) {})
		span.AddEvent("event")
		span.AddLink(trace.Link{SpanContext: remote(trace.FlagsSampled)})
		span.End()
	})
	got := tracetest.SpanStubFromReadOnlySpan(p.Ended()[0])
	i := slices.IndexFunc(elsewhere.Ended(), func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "turn" })
	want := tracetest.SpanStubFromReadOnlySpan(elsewhere.Ended()[i])
	if !want.Parent.IsValid() || got.Parent.IsValid() {
		t.Errorf("got parents %v here and %v elsewhere, want none and one", got.Parent, want.Parent)
	}
	want.Parent = trace.SpanContext{}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("got %s, want %s", g, w)
	}
}

func TestAllSpans(t *testing.T) {
	r := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(export.NewSpanProcessor(r, export.WithAllSpans())))
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	ctx := openinference.WithSession(t.Context(), "chat-42")
	ctx, server := tp.Tracer("http").Start(ctx, "GET")
	ctx, turn := tracer.Start(ctx, "turn", openinference.KindChain)
	_, query := tp.Tracer("sql").Start(ctx, "SELECT")
	query.End()
	turn.End()
	server.End()
	if got, want := tree(r.Ended()), "GET(turn(SELECT))"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, s := range r.Ended() {
		if got := session(s); got != "chat-42" {
			t.Errorf("%s: got session %q, want chat-42", s.Name(), got)
		}
	}
	if got := len(r.Started()); got != 3 {
		t.Errorf("got %d starts, want 3", got)
	}
}

// session returns the session.id of a span.
func session(s sdktrace.ReadOnlySpan) string {
	for _, kv := range s.Attributes() {
		if kv.Key == openinference.SessionIDKey {
			return kv.Value.String()
		}
	}
	return ""
}

// TestStartsAndEndsMatch matters to processors that count what is open.
func TestStartsAndEndsMatch(t *testing.T) {
	p := newProgram(t)
	p.within(t.Context(), "GET", func(ctx context.Context) { p.turn(ctx, func(ctx context.Context) { p.ask(ctx) }) })
	if started, ended := len(p.Started()), len(p.Ended()); started != 2 || ended != 2 {
		t.Errorf("got %d starts and %d ends, want 2 of each", started, ended)
	}
}

func TestOtherSpansTakeNoRoomInTheQueue(t *testing.T) {
	export.ClearVariables(t)
	t.Setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
	var c collector
	var errs handled
	tp, err := export.Phoenix(t.Context(), export.WithEndpoint(c.serveGRPC(t)), errs.option())
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		_, span := tp.Tracer("sql").Start(t.Context(), "SELECT")
		span.End()
	}
	record(tp, "turn")
	if err := tp.Shutdown(withinHang(t)); err != nil {
		t.Error(err)
	}
	if _, got := c.only(t); got.Name != "turn" {
		t.Errorf("got %s, want the turn", got.Name)
	}
	if errs := errs.all(); len(errs) != 0 {
		t.Errorf("got errors %v, want none", errs)
	}
}

func TestSecondSessionOfATraceIsReportedOnce(t *testing.T) {
	p := newProgram(t)
	for range 2 {
		ctx, turn := p.tracer.Start(openinference.WithSession(t.Context(), "chat-1"), "turn", openinference.KindChain)
		for _, id := range []string{"chat-1", " chat-1 ", "chat-2", "chat-2", "chat-3"} {
			_, step := p.tracer.Start(openinference.WithSession(ctx, id), "step", openinference.KindTool)
			step.End()
		}
		turn.End()
	}
	errs := p.errs.all()
	if len(errs) != 2 {
		t.Fatalf("got %d reports %v, want one for each trace", len(errs), errs)
	}
	wantError(t, errs[0], p.Ended()[0].SpanContext().TraceID().String(), `second session ID, "chat-2"`, "openinference.Turn")
}

// checker checks that each span that ends belongs to the session in its name, and
// has the parent that is written there.
type checker struct {
	mu    sync.Mutex
	spans int
	wrong []string
}

func (c *checker) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (c *checker) ForceFlush(context.Context) error                { return nil }
func (c *checker) Shutdown(context.Context) error                  { return nil }

func (c *checker) OnEnd(s sdktrace.ReadOnlySpan) {
	want, parent, _ := strings.Cut(s.Name(), " below ")
	id := ""
	if s.Parent().IsValid() {
		id = s.Parent().SpanID().String()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans++
	if got := session(s); got != want || id != parent {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: session %s below %s", s.Name(), got, id))
	}
}

func TestInterleavedSessions(t *testing.T) {
	const sessions, workers = 10_000, 8
	c := new(checker)
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(export.NewSpanProcessor(c, new(handled).option())))
	tracer := openinference.NewTracer(openinference.WithTracerProvider(tp))
	other := tp.Tracer("other")
	round := func() {
		contexts := make([]context.Context, sessions)
		turns := make([]trace.Span, sessions)
		inParallel := func(do func(i int)) {
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for i := w; i < sessions; i += workers {
						do(i)
					}
				})
			}
			wg.Wait()
		}
		inParallel(func(i int) {
			id := fmt.Sprint("chat-", i)
			ctx, _ := other.Start(openinference.WithSession(context.Background(), id), "GET") // never ends
			contexts[i], turns[i] = tracer.Start(ctx, id+" below ", openinference.KindChain)
		})
		inParallel(func(i int) {
			ctx, query := other.Start(contexts[i], "SELECT")
			name := fmt.Sprintf("chat-%d below %s", i, turns[i].SpanContext().SpanID())
			_, call := tracer.Start(ctx, name, openinference.KindLLM)
			if i%2 == 0 {
				query.End()
			}
			call.End()
			turns[i].End()
			query.End()
		})
	}
	round()
	before := heap()
	for range 3 {
		round()
	}
	if now := heap(); now > before+4<<20 {
		t.Errorf("the heap has grown from %d to %d KiB, want no growth", before>>10, now>>10)
	}
	if c.spans != 4*2*sessions || len(c.wrong) > 0 {
		t.Errorf("got %d spans, %d of them wrong: %v; want %d and none", c.spans, len(c.wrong), c.wrong[:min(3, len(c.wrong))], 4*2*sessions)
	}
}

func TestSpansThatNeverEndTakeBoundedMemory(t *testing.T) {
	p := newProgram(t)
	p.turn(t.Context(), func(ctx context.Context) {
		_, old := p.tracer.Start(ctx, "old", openinference.KindTool)
		lose := func() {
			for range 100_000 {
				p.other.Start(ctx, "SELECT")
			}
		}
		lose()
		before := heap()
		lose()
		if now := heap(); now > before+2<<20 {
			t.Errorf("the heap has grown from %d to %d KiB, want no growth", before>>10, now>>10)
		}
		old.End() // forgotten, and so a root
		p.within(ctx, "SELECT", func(ctx context.Context) { p.ask(ctx) })
	})
	if got, want := tree(p.Ended()), "old turn(ChatCompletion)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSpanThatIsOpenForLong(t *testing.T) {
	p := newProgram(t)
	p.turn(t.Context(), func(ctx context.Context) {
		_, step := p.tracer.Start(ctx, "step", openinference.KindTool)
		for range 110_000 {
			p.within(ctx, "SELECT", func(context.Context) {})
		}
		step.End()
	})
	if got, want := tree(p.Ended()), "turn(step)"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
