// Service answers questions over HTTP with a model. The test of what goes from one
// service to another runs it as a process of its own. It prints its URL and ends
// with its standard input.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
)

// global is what instrumentation propagates with in most programs, and ours.
var global = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}, openinference.Propagator{})

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, phoenix, project, model string) error {
	tp, err := export.Phoenix(ctx, export.WithEndpoint(phoenix), export.WithProject(project))
	if err != nil {
		return err
	}
	other := tp.Tracer("http")
	config := openai.DefaultConfig("key")
	config.BaseURL = model
	config.HTTPClient = &http.Client{Transport: instrumented{other}}
	s := &service{
		client: openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp)),
		tracer: openinference.NewTracer(openinference.WithTracerProvider(tp)),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	go http.Serve(listener, traced(other, openinference.Middleware(nil)(s)))
	fmt.Println("http://" + listener.Addr().String())
	_, err = io.Copy(io.Discard, os.Stdin)
	return cmp.Or(err, tp.Shutdown(ctx))
}

// traced does what otelhttp.NewHandler does with the propagators of most programs.
func traced(tracer trace.Tracer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		usual := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
		ctx, span := tracer.Start(usual.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), r.Method)
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// instrumented does what otelhttp.NewTransport does.
type instrumented struct{ tracer trace.Tracer }

func (i instrumented) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, span := i.tracer.Start(req.Context(), req.Method)
	defer span.End()
	req = req.Clone(ctx)
	global.Inject(ctx, propagation.HeaderCarrier(req.Header))
	return http.DefaultTransport.RoundTrip(req)
}

type service struct {
	client *openai.Client
	tracer *openinference.Tracer
}

// ServeHTTP answers the question that is the body of a request.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	question, err := io.ReadAll(r.Body)
	if err == nil {
		var answer string
		answer, err = openinference.Turn(r.Context(), s.tracer, "answer", string(question), s.answer)
		fmt.Fprint(w, answer)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *service) answer(ctx context.Context, question string) (string, error) {
	resp, err := s.client.CreateChatCompletion(ctx, openai.ChatCompletionRequest{
		Model:    openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: question}},
	})
	if err != nil {
		return "", err
	}
	return resp.Choices[0].Message.Content, nil
}
