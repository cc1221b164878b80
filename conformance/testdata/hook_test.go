// Package openai_test has, in the copy of go-openai that run_goopenai_suite.sh
// makes, this file beside go-openai's own tests.
package openai_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
)

// TestMain runs the tests with traced clients, and fails if there were no spans
// or a span has not ended.
func TestMain(m *testing.M) {
	spans := new(counter)
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	openai.Wrap = func(config openai.ClientConfig) *openai.Client {
		if _, wrapped := config.HTTPClient.(*openinference.Transport); wrapped {
			return nil // the call comes from the line below
		}
		return openinference.NewClientWithConfig(config, openinference.WithTracerProvider(tp))
	}
	code := m.Run()

	// The spans of streams that were dropped end when these are collected.
	for i := 0; i < 100 && spans.started.Load() != spans.ended.Load(); i++ {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	started, ended := spans.started.Load(), spans.ended.Load()
	fmt.Printf("spans: %d started, %d ended\n", started, ended)
	if started == 0 || started != ended {
		code = 1
	}
	os.Exit(code)
}

// counter is a span processor that counts.
type counter struct{ started, ended atomic.Int64 }

func (c *counter) OnStart(context.Context, sdktrace.ReadWriteSpan) { c.started.Add(1) }
func (c *counter) OnEnd(sdktrace.ReadOnlySpan)                     { c.ended.Add(1) }
func (c *counter) ForceFlush(context.Context) error                { return nil }
func (c *counter) Shutdown(context.Context) error                  { return nil }
