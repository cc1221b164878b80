// Scale runs many chats at once against a model and a collector in the same process,
// first untraced and then traced, and prints what tracing costs and whether spans are
// lost.
//
//	go run ./internal/scale -chats 200 -duration 60s
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"

	"github.com/go-openinference/openinference"
	"github.com/go-openinference/openinference/export"
	"github.com/go-openinference/openinference/mocks"
)

func main() {
	chats := flag.Int("chats", 200, "chats at once")
	duration := flag.Duration("duration", time.Minute, "time of each of the two runs")
	think := flag.Duration("think", 100*time.Millisecond, "pause between the calls of a chat")
	flag.Parse()
	if err := run(*chats, *duration, *think); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(chats int, duration, think time.Duration) error {
	model, err := listen()
	if err != nil {
		return err
	}
	answer := mocks.Chat("It is cloudy, and seven degrees, with some rain in the evening. Take a coat.")
	go func() { _ = http.Serve(model, answer) }() //nolint:gosec // no timeouts are needed on loopback
	defer model.Close()

	collector := &collector{}
	endpoint, err := listen()
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	coltracepb.RegisterTraceServiceServer(server, collector)
	go func() { _ = server.Serve(endpoint) }()
	defer server.Stop()

	var reported atomic.Int64
	tp, err := export.Phoenix(context.Background(), export.WithEndpoint(endpoint.Addr().String()),
		export.WithErrorHandler(func(err error) {
			reported.Add(1)
			fmt.Println("reported:", err)
		}))
	if err != nil {
		return err
	}

	config := openai.DefaultConfig("key")
	config.BaseURL = "http://" + model.Addr().String() + "/v1"
	config.HTTPClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: chats}}
	fmt.Printf("%d chats, %v each, %v between calls, %d cores\n\n", chats, duration, think, runtime.GOMAXPROCS(0))
	fmt.Println("          calls/s   p50        p99        heap after each fifth of the run (MiB)")
	load("warm-up", openai.NewClientWithConfig(config), chats, duration/10, think)
	bare := load("untraced", openai.NewClientWithConfig(config), chats, duration, think)
	traced := load("traced", openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp)), chats, duration, think)

	shutdown := tp.Shutdown(context.Background())
	fmt.Printf("\nthroughput %.3f of untraced, p50 %+v, p99 %+v\n", traced.rate/bare.rate, traced.p50-bare.p50, traced.p99-bare.p99)
	fmt.Printf("calls traced %d, spans received %d, errors reported %d, Shutdown: %v\n", traced.calls, collector.spans.Load(), reported.Load(), shutdown)
	if lost := int64(traced.calls) - collector.spans.Load(); lost != 0 && reported.Load() == 0 {
		return fmt.Errorf("%d spans were lost in silence", lost)
	}
	return nil
}

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// collector counts the spans that arrive.
type collector struct {
	coltracepb.UnimplementedTraceServiceServer
	spans atomic.Int64
}

func (c *collector) Export(_ context.Context, req *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.spans.Add(int64(len(ss.Spans)))
		}
	}
	return &coltracepb.ExportTraceServiceResponse{}, nil
}

type result struct {
	calls    int
	rate     float64
	p50, p99 time.Duration
}

// load runs the chats and prints a line about them.
func load(name string, client *openai.Client, chats int, duration, think time.Duration) result {
	deadline := time.Now().Add(duration)
	took := make([][]time.Duration, chats)
	var wg sync.WaitGroup
	for i := range chats {
		wg.Go(func() {
			ctx := openinference.WithUser(openinference.WithSession(context.Background(), fmt.Sprint(name, i)), fmt.Sprint("user", i%20))
			for turn := 0; time.Now().Before(deadline); turn++ {
				start := time.Now()
				if err := chat(ctx, client, turn); err != nil {
					fmt.Println("call:", err)
				}
				took[i] = append(took[i], time.Since(start))
				time.Sleep(think)
			}
		})
	}
	var heap []uint64
	for range 5 {
		time.Sleep(duration / 5)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		heap = append(heap, m.HeapAlloc>>20)
	}
	wg.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	r := result{calls: len(all), rate: float64(len(all)) / duration.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100]}
	fmt.Printf("%-9s %7.0f   %-9v  %-9v  %v\n", name, r.rate, r.p50, r.p99, heap)
	return r
}

// chat asks one question, every fourth as a stream.
func chat(ctx context.Context, client *openai.Client, turn int) error {
	req := openai.ChatCompletionRequest{
		Model: openai.GPT4oMini,
		Messages: []openai.ChatCompletionMessage{
			{Role: openai.ChatMessageRoleSystem, Content: "You are a weather service. Answer in one or two sentences, with the temperature in degrees Celsius."},
			{Role: openai.ChatMessageRoleUser, Content: "How is the weather in Oslo, and do I need a coat?"},
		},
	}
	if turn%4 != 3 {
		_, err := client.CreateChatCompletion(ctx, req)
		return err
	}
	stream, err := client.CreateChatCompletionStream(ctx, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	for err == nil {
		_, err = stream.Recv()
	}
	if err == io.EOF {
		return nil
	}
	return err
}
