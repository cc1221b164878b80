package openinference_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/go-openinference/openinference"
)

// workload is an exchange of testdata/bench under a provider.
type workload struct {
	name     string
	file     string
	provider trace.TracerProvider
	config   openinference.TraceConfig
}

func workloads() []workload {
	limited := func(attributes int, opts ...sdktrace.TracerProviderOption) trace.TracerProvider {
		limits := sdktrace.NewSpanLimits()
		limits.AttributeCountLimit = attributes
		opts = append(opts, sdktrace.WithRawSpanLimits(limits), sdktrace.WithSpanProcessor(discard{}))
		return sdktrace.NewTracerProvider(opts...)
	}
	recording := limited(10_000)
	hidden := openinference.TraceConfig{HideInputs: true, HideOutputs: true}
	return []workload{
		{"W1 small chat", "W1", recording, openinference.TraceConfig{}},
		{"W2 20 messages, 8 tools", "W2", recording, openinference.TraceConfig{}},
		{"W3 100 messages", "W3", recording, openinference.TraceConfig{}},
		{"W3D W3, 128 attributes", "W3", limited(128), openinference.TraceConfig{}},
		{"W3H W3, all hidden", "W3", recording, hidden},
		{"W4 stream of 200 chunks", "W4", recording, openinference.TraceConfig{}},
		{"W5 16 embeddings", "W5", recording, openinference.TraceConfig{}},
		{"W5H W5, vectors hidden", "W5", recording, openinference.TraceConfig{HideEmbeddingsVectors: true}},
		{"W6 W1, sampled out", "W1", limited(10_000, sdktrace.WithSampler(sdktrace.NeverSample())), openinference.TraceConfig{}},
		{"W7 W1, no provider", "W1", noop.NewTracerProvider(), openinference.TraceConfig{}},
	}
}

// discard is a processor that throws spans away.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

// BenchmarkCall measures what tracing adds to a call of go-openai. In each iteration
// the same work is done bare; with a span that has the attributes of ours, which is
// the least that tracing can cost; and traced. The metrics are for one call, and medians
// over the iterations: what else the machine does hits one now and then.
//
//	bare-ns       time of the bare call
//	floor-ns      floor - bare
//	added-ns      traced - bare
//	share         (traced - bare) / bare
//	B+, allocs+   memory beyond bare
func BenchmarkCall(b *testing.B) {
	for _, w := range workloads() {
		b.Run(strings.ReplaceAll(w.name, " ", "_"), func(b *testing.B) { w.run(b) })
	}
}

func (w workload) run(b *testing.B) {
	call, doer := w.load(b)
	options := []openinference.Option{openinference.WithTracerProvider(w.provider), openinference.WithTraceConfig(w.config), openinference.WithIOFormat(openinference.IOJSON)}
	config := openai.DefaultConfig("key")
	config.HTTPClient = doer
	plain := openai.NewClientWithConfig(config)
	client := openinference.NewClientWithConfig(config, options...)
	ctx := openinference.WithUser(openinference.WithSession(context.Background(), "s1"), "ada")
	attrs, events := w.attributes(b, call, config, options)
	tracer := w.provider.Tracer("floor")
	subjects := []func(){
		func() { call(ctx, plain) },
		func() {
			ctx, span := tracer.Start(ctx, "ChatCompletion")
			call(ctx, plain)
			for range events {
				span.AddEvent("First Token Stream Event")
			}
			span.SetAttributes(attrs...)
			span.SetStatus(codes.Ok, "")
			span.End()
		},
		func() { call(ctx, client) },
	}
	var memory, allocs [3]uint64
	for i := range subjects {
		memory[i], allocs[i] = measureMemory(subjects[i])
	}
	start := time.Now()
	subjects[0]()
	batch := int(max(1, min(20, time.Millisecond/(1+time.Since(start)))))
	var bare, floor, added, share []float64
	for b.Loop() {
		var took [3]float64
		for i, subject := range subjects {
			start := time.Now()
			for range batch {
				subject()
			}
			took[i] = float64(time.Since(start).Nanoseconds()) / float64(batch)
		}
		bare = append(bare, took[0])
		floor = append(floor, took[1]-took[0])
		added = append(added, took[2]-took[0])
		share = append(share, (took[2]-took[0])/took[0])
	}
	b.ReportMetric(0, "ns/op") // of all three: says nothing
	b.ReportMetric(median(bare), "bare-ns")
	b.ReportMetric(median(floor), "floor-ns")
	b.ReportMetric(median(added), "added-ns")
	b.ReportMetric(median(share), "share")
	b.ReportMetric(float64(memory[2])-float64(memory[0]), "B+")
	b.ReportMetric(float64(allocs[2])-float64(allocs[0]), "allocs+")
}

// measureMemory returns the bytes and the allocations of one run of f.
func measureMemory(f func()) (bytes, allocs uint64) {
	const runs = 20
	f()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs, (after.Mallocs - before.Mallocs) / runs
}

// attributes returns what the span of the workload has, recorded beforehand.
func (w workload) attributes(b *testing.B, call func(context.Context, *openai.Client), config openai.ClientConfig, options []openinference.Option) ([]attribute.KeyValue, int) {
	b.Helper()
	r := newRecorder(sdktrace.WithRawSpanLimits(func() sdktrace.SpanLimits {
		l := sdktrace.NewSpanLimits()
		l.AttributeCountLimit = -1
		return l
	}()))
	client := openinference.NewClientWithConfig(config, append(slices.Clip(options), openinference.WithTracerProvider(r.provider))...)
	call(context.Background(), client)
	span := r.Ended()
	if len(span) != 1 || span[0].Status().Code != codes.Ok {
		b.Fatalf("got spans %v, want one that is Ok", span)
	}
	return span[0].Attributes(), len(span[0].Events())
}

// load returns the call of the workload, and a doer that answers it without a
// network.
func (w workload) load(b *testing.B) (func(context.Context, *openai.Client), openai.HTTPDoer) {
	b.Helper()
	request, err := os.ReadFile("testdata/bench/" + w.file + ".req.json")
	if err != nil {
		b.Fatal(err)
	}
	reply, err := os.ReadFile("testdata/bench/" + w.file + ".resp")
	if err != nil {
		b.Fatal(err)
	}
	stream := w.file == "W4"
	doer := doerFunc(func(req *http.Request) (*http.Response, error) {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
		header := http.Header{"Content-Type": {"application/json"}}
		var body io.Reader = bytes.NewReader(reply)
		if stream {
			header.Set("Content-Type", "text/event-stream")
			body = &eventReader{reply}
		}
		return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: header, Body: io.NopCloser(body)}, nil
	})
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	if w.file == "W5" {
		var req openai.EmbeddingRequest
		fail(json.Unmarshal(request, &req))
		return func(ctx context.Context, c *openai.Client) {
			_, err := c.CreateEmbeddings(ctx, req)
			fail(err)
		}, doer
	}
	var req openai.ChatCompletionRequest
	fail(json.Unmarshal(request, &req))
	if !stream {
		return func(ctx context.Context, c *openai.Client) {
			_, err := c.CreateChatCompletion(ctx, req)
			fail(err)
		}, doer
	}
	return func(ctx context.Context, c *openai.Client) {
		stream, err := c.CreateChatCompletionStream(ctx, req)
		fail(err)
		for err == nil {
			_, err = stream.Recv()
		}
		if err != io.EOF {
			fail(err)
		}
		stream.Close()
	}, doer
}

// eventReader hands out one event at a time, as a server does.
type eventReader struct{ rest []byte }

func (r *eventReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	end := len(r.rest)
	if i := bytes.Index(r.rest, []byte("\n\n")); i >= 0 {
		end = i + 2
	}
	n := copy(p, r.rest[:end])
	r.rest = r.rest[n:]
	return n, nil
}

// BenchmarkOpenStreams measures the memory that an open stream holds beyond the same
// stream of a plain client, halfway through 1,000 of them, with a small request and
// with one of 200 KB.
func BenchmarkOpenStreams(b *testing.B) {
	for _, file := range []string{"W1", "W3"} {
		b.Run(file, func(b *testing.B) {
			for b.Loop() {
				bare, traced := heapOfStreams(b, file, false), heapOfStreams(b, file, true)
				b.ReportMetric(float64(traced-bare), "B/stream")
			}
			request, err := os.ReadFile("testdata/bench/" + file + ".req.json")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(request)), "B/request")
		})
	}
}

func heapOfStreams(b *testing.B, file string, traced bool) int64 {
	b.Helper()
	const n = 1000
	request, err := os.ReadFile("testdata/bench/" + file + ".req.json")
	if err != nil {
		b.Fatal(err)
	}
	var req openai.ChatCompletionRequest
	if err := json.Unmarshal(request, &req); err != nil {
		b.Fatal(err)
	}
	reply, err := os.ReadFile("testdata/bench/W4.resp")
	if err != nil {
		b.Fatal(err)
	}
	config := openai.DefaultConfig("key")
	config.HTTPClient = doerFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(&eventReader{reply})}, nil
	})
	client := openai.NewClientWithConfig(config)
	if traced {
		client = openinference.NewClientWithConfig(config, openinference.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(discard{}))))
	}
	before := heap()
	streams := make([]*openai.ChatCompletionStream, n)
	for i := range streams {
		if streams[i], err = client.CreateChatCompletionStream(context.Background(), req); err != nil {
			b.Fatal(err)
		}
		for range 100 {
			if _, err := streams[i].Recv(); err != nil {
				b.Fatal(err)
			}
		}
	}
	after := heap()
	for _, s := range streams {
		s.Close()
	}
	return (after - before) / n
}

// BenchmarkFirstChunk measures how much later a caller has the first chunk of a
// stream. The metrics are medians.
func BenchmarkFirstChunk(b *testing.B) {
	clients := streamClients(b)
	var bare, added []float64
	for b.Loop() {
		var took [2]float64
		for i, c := range clients {
			start := time.Now()
			stream, err := c.CreateChatCompletionStream(context.Background(), chatRequest("hi"))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := stream.Recv(); err != nil {
				b.Fatal(err)
			}
			took[i] = float64(time.Since(start).Nanoseconds())
			stream.Close()
		}
		bare, added = append(bare, took[0]), append(added, took[1]-took[0])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bare), "bare-ns")
	b.ReportMetric(median(added), "added-ns")
}

// BenchmarkConcurrentStreams measures 1,000 streams of 200 chunks that are read at the
// same time, each by a goroutine. The metrics are for one stream, and medians.
func BenchmarkConcurrentStreams(b *testing.B) {
	const n = 1000
	clients := streamClients(b)
	var bare, added, share []float64
	for b.Loop() {
		var took [2]float64
		for i, c := range clients {
			var opened, done sync.WaitGroup
			opened.Add(n)
			start := time.Now()
			for range n {
				done.Go(func() {
					stream, err := c.CreateChatCompletionStream(context.Background(), chatRequest("hi"))
					opened.Done()
					if err != nil {
						b.Error(err)
						return
					}
					defer stream.Close()
					opened.Wait() // so that all are under way
					for err == nil {
						_, err = stream.Recv()
					}
					if err != io.EOF {
						b.Error(err)
					}
				})
			}
			done.Wait()
			took[i] = float64(time.Since(start).Nanoseconds()) / n
		}
		bare, added, share = append(bare, took[0]), append(added, took[1]-took[0]), append(share, (took[1]-took[0])/took[0])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(bare), "bare-ns")
	b.ReportMetric(median(added), "added-ns")
	b.ReportMetric(median(share), "share")
}

// streamClients returns a plain client and a traced one that are answered by the stream
// of W4.
func streamClients(b *testing.B) [2]*openai.Client {
	b.Helper()
	_, doer := workload{file: "W4"}.load(b)
	config := openai.DefaultConfig("key")
	config.HTTPClient = doer
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(discard{}))
	return [...]*openai.Client{
		openai.NewClientWithConfig(config),
		openinference.NewClientWithConfig(config, openinference.WithTracerProvider(provider)),
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
