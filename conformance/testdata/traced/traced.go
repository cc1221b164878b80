// Package traced runs the tests of a client library with its clients traced. The scripts
// in conformance put it into a copy of that library.
package traced

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/go-openinference/openinference"
)

// Main runs the tests of m and exits. Where TRACED is set, it calls trace first, and fails if
// there were no spans or a span has not ended. Elsewhere the tests are as they were.
func Main(m interface{ Run() int }, trace func(openinference.Option)) {
	if os.Getenv("TRACED") == "" {
		os.Exit(m.Run())
	}
	spans := new(counter)
	trace(openinference.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))))
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
