package export

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxQueued    = 64 << 20         // bytes of spans that wait to be sent, by default
	flushAt      = 8 << 20          // bytes that are sent without waiting for the batch to fill up, at most
	patience     = 3 * time.Second  // that ForceFlush and Shutdown have without a connection
	maxShutdown  = 30 * time.Second // that Shutdown has if its context has no deadline
	perAttribute = 64               // bytes that an attribute takes besides its text
)

// queue stands round the SDK's batch processor: in front of it as a span
// processor that bounds what waits by bytes and by number, and behind it, as
// outlet, to see what became of each batch.
//
// The batch processor on its own drops spans in silence, hands errors to
// otel.Handle only, loses what it cannot send at once, and on Shutdown tries
// each batch for 10 seconds whether anything listens or not.
type queue struct {
	destination *destination
	exporter    sdktrace.SpanExporter
	batches     sdktrace.SpanProcessor
	link        *link
	handle      func(error)
	maxSpans    int
	maxBytes    int

	// life ends when Shutdown gives up, and with it every export.
	life   context.Context
	giveUp context.CancelCauseFunc

	// flushing has room for one flush at a time: each takes a place in the
	// batch processor's queue.
	flushing chan struct{}

	mu       sync.Mutex
	shutdown bool
	spans    int // that wait or are being sent
	bytes    int
	full     bool   // spans have been dropped and the queue has not drained to half since
	dropped  int    // while full
	failures ledger // all
	recent   ledger // since the last ForceFlush
	told     ledger // that the handler knows, since a batch last arrived
	untold   ledger // that it does not, for reasons that it knows
	outage   error  // why no server has answered a batch that is still tried
	last     error  // of the export that was stopped by giveUp
}

func newQueue(d *destination, exporter sdktrace.SpanExporter, c *client, o *options) *queue {
	q := &queue{
		destination: d,
		exporter:    exporter,
		link:        c.link,
		handle:      o.handle,
		maxBytes:    o.maxBytes,
		flushing:    make(chan struct{}, 1),
	}
	q.life, q.giveUp = context.WithCancelCause(context.Background())
	c.unreached = q.unreached
	q.batches = sdktrace.NewBatchSpanProcessor(outlet{q}, func(o *sdktrace.BatchSpanProcessorOptions) {
		// The SDK takes what the variables say, and panics if that is negative.
		if o.MaxQueueSize <= 0 {
			o.MaxQueueSize = sdktrace.DefaultMaxQueueSize
		}
		if o.MaxExportBatchSize <= 0 {
			o.MaxExportBatchSize = min(sdktrace.DefaultMaxExportBatchSize, o.MaxQueueSize)
		}
		if o.ExportTimeout <= 0 {
			o.ExportTimeout = sdktrace.DefaultExportTimeout * time.Millisecond
		}
		q.maxSpans = o.MaxQueueSize
		o.MaxQueueSize++ // for a flush
		// The client's, which does not count the time without a server.
		c.timeout, o.ExportTimeout = o.ExportTimeout, 0
	})
	return q
}

// OnStart implements [sdktrace.SpanProcessor].
func (q *queue) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

// OnEnd queues s if it is sampled and there is room.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	queued, early, dropping := q.reserve(spanBytes(s))
	if queued {
		q.batches.OnEnd(s)
	}
	if early {
		// A batch of large spans would fill the queue before it is complete.
		select {
		case q.flushing <- struct{}{}:
			go q.flush(context.Background())
		default:
		}
	}
	if dropping {
		q.handle(exportError{reason: q.fullReason() + ": spans are being dropped"})
	}
}

// reserve takes room for a span. Early says that so much is queued that it
// should be sent, dropping that there was no room for the first time.
func (q *queue) reserve(bytes int) (queued, early, dropping bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.shutdown:
		return false, false, false
	case q.spans < q.maxSpans && (q.bytes+bytes <= q.maxBytes || q.spans == 0):
		q.spans++
		q.bytes += bytes
		return true, q.bytes >= min(flushAt, q.maxBytes/8), false
	default:
		dropping = !q.full
		q.full = true
		q.dropped++
		return false, false, dropping
	}
}

func (q *queue) fullReason() string {
	return fmt.Sprintf("the queue for %s is full (%s, OTEL_BSP_MAX_QUEUE_SIZE, or %.3g MiB, export.WithMaxQueueBytes)",
		q.destination, spanCount(q.maxSpans), float64(q.maxBytes)/(1<<20))
}

// ForceFlush sends what is queued and returns the failures since the last call.
// When ctx ends or there is no connection it returns, and sending goes on.
func (q *queue) ForceFlush(ctx context.Context) error {
	ctx, cancel := q.untilDown(ctx)
	defer cancel()
	select {
	case q.flushing <- struct{}{}:
	case <-ctx.Done():
		return q.unflushed(ctx)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.flush(context.WithoutCancel(ctx))
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return q.unflushed(ctx)
	}
	q.reportDropped()
	q.reportRepeated()
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.recent.err()
	q.recent = nil
	return err
}

// unflushed is the error of a ForceFlush whose ctx has ended.
func (q *queue) unflushed(ctx context.Context) error {
	if context.Cause(ctx) == errUnconnected {
		return q.destination.explain(errUnconnected, 0, false)
	}
	return q.destination.errorf("flush to", ctx.Err())
}

// untilDown returns a context that ends with ctx or, because of errUnconnected,
// when there is no connection.
func (q *queue) untilDown(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		if q.link.awaitDown(ctx) {
			cancel(errUnconnected)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// flush sends what is queued. The caller has put a value into flushing, and ctx
// does not end.
func (q *queue) flush(ctx context.Context) {
	defer func() { <-q.flushing }()
	_ = q.batches.ForceFlush(ctx) // the errors are those of the outlet, which has none
}

// Shutdown sends what is queued and returns all failures of the pipeline's
// life. It gives up when ctx ends or there is no connection.
func (q *queue) Shutdown(ctx context.Context) error {
	q.mu.Lock()
	again := q.shutdown
	q.shutdown = true
	q.mu.Unlock()
	if again {
		return nil
	}
	defer q.giveUp(nil)
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, maxShutdown)
		defer cancel()
	}
	ctx, cancel := q.untilDown(ctx)
	defer cancel()

	stopped := make(chan error, 1)
	go func() { stopped <- q.batches.Shutdown(context.WithoutCancel(ctx)) }()
	var err error
	select {
	case err = <-stopped:
	case <-ctx.Done():
		q.giveUp(context.Cause(ctx))
		err = <-stopped // at once: giveUp ends exports
	}

	q.reportDropped()
	q.mu.Lock()
	lost, outage, last := q.spans, q.outage, q.last
	q.mu.Unlock()
	if lost > 0 {
		q.report(q.left(lost, outage, last, context.Cause(ctx)))
	}
	q.reportRepeated()
	q.mu.Lock()
	defer q.mu.Unlock()
	return errors.Join(q.failures.err(), err)
}

// left explains why spans were left when Shutdown was done. Last is the error
// of the export that it stopped, and cause what made it stop.
func (q *queue) left(spans int, outage, last, cause error) exportError {
	switch {
	case outage != nil && !q.link.up():
		return q.destination.explain(outage, spans, false)
	case status.Code(last) == codes.Unavailable: // tried before Shutdown stopped it
		return q.destination.explain(last, spans, q.link.up())
	case cause == nil:
		return exportError{reason: "spans ended while Shutdown was running", spans: spans}
	case cause == errUnconnected:
		return q.destination.explain(cause, spans, false)
	}
	return exportError{
		reason: "Shutdown's context ended before " + q.destination.String() + " had all spans; give it one that lives longer",
		spans:  spans,
		cause:  cause,
	}
}

var errUnconnected = fmt.Errorf("no connection within %v", patience)

// report keeps f for ForceFlush and Shutdown and hands it to the handler, unless
// that knows the reason already.
func (q *queue) report(f exportError) {
	q.mu.Lock()
	q.failures.add(f)
	q.recent.add(f)
	isNew := q.told.add(f)
	if !isNew {
		q.untold.add(f)
	}
	q.mu.Unlock()
	if isNew {
		q.handle(f)
	}
}

// reportRepeated hands what was kept from the handler to it, added up, and
// forgets what it knows.
func (q *queue) reportRepeated() {
	q.mu.Lock()
	untold := q.untold
	q.told, q.untold = nil, nil
	q.mu.Unlock()
	for _, f := range untold {
		q.handle(f)
	}
}

// unreached tells the handler, once, that spans wait because of err.
func (q *queue) unreached(err error) {
	up := q.link.up()
	f := q.destination.explain(err, 0, up)
	f.reason += "; spans wait for it"
	q.mu.Lock()
	over := q.outage != nil && up
	q.outage = err
	// Shutdown will soon know whether they are lost.
	isNew := !over && !q.shutdown && q.told.add(f)
	q.mu.Unlock()
	if isNew {
		q.handle(f)
	}
}

// reportDropped reports how many spans have been dropped since the queue became
// full.
func (q *queue) reportDropped() {
	q.mu.Lock()
	dropped := q.dropped
	q.full, q.dropped = false, 0
	q.mu.Unlock()
	if dropped > 0 {
		q.report(exportError{reason: q.fullReason(), spans: dropped})
	}
}

// outlet is the end of queue that the batch processor exports to.
type outlet struct{ *queue }

// ExportSpans sends spans and reports a failure itself: it never returns one,
// since the batch processor would hand it to otel.Handle as well.
func (o outlet) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if o.life.Err() != nil {
		return nil // Shutdown reports what is left
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(o.life, func() { cancel(context.Cause(o.life)) })()
	o.settle(spans, o.exporter.ExportSpans(ctx, spans))
	return nil
}

// Shutdown closes the connection.
func (o outlet) Shutdown(ctx context.Context) error { return o.exporter.Shutdown(ctx) }

// settle gives back the room that spans took and reports the error of their
// export.
func (q *queue) settle(spans []sdktrace.ReadOnlySpan, err error) {
	lost := 0
	if err != nil {
		lost = len(spans)
	}
	if upload, ok := errors.AsType[*uploadError](err); ok {
		lost, err = upload.spans, upload
	}
	bytes := 0
	for _, s := range spans {
		bytes += spanBytes(s)
	}

	q.mu.Lock()
	if err != nil && q.life.Err() != nil {
		// Shutdown reports what is left.
		q.spans -= len(spans) - lost
		q.last = err
		q.mu.Unlock()
		return
	}
	q.spans -= len(spans)
	q.bytes -= bytes
	q.outage = nil
	drained := q.full && q.spans <= q.maxSpans/2 && q.bytes <= q.maxBytes/2
	q.mu.Unlock()

	if err != nil {
		q.report(q.destination.explain(err, lost, q.link.up()))
	} else {
		q.reportRepeated()
	}
	if drained {
		q.reportDropped()
	}
}

// spanBytes is about how much memory s holds on to.
func spanBytes(s sdktrace.ReadOnlySpan) int {
	n := len(s.Name()) + len(s.Status().Description) + attributeBytes(s.Attributes())
	for _, event := range s.Events() {
		n += len(event.Name) + attributeBytes(event.Attributes)
	}
	for _, link := range s.Links() {
		n += attributeBytes(link.Attributes)
	}
	return n
}

func attributeBytes(attributes []attribute.KeyValue) int {
	n := 0
	for _, kv := range attributes {
		n += perAttribute + len(kv.Key) + valueBytes(kv.Value)
	}
	return n
}

func valueBytes(v attribute.Value) int {
	n := 0
	switch v.Type() {
	case attribute.STRING:
		n = len(v.AsString())
	case attribute.BYTESLICE:
		n = len(v.AsByteSlice())
	case attribute.FLOAT64SLICE:
		n = 8 * len(v.AsFloat64Slice())
	case attribute.INT64SLICE:
		n = 8 * len(v.AsInt64Slice())
	case attribute.STRINGSLICE:
		for _, s := range v.AsStringSlice() {
			n += perAttribute + len(s)
		}
	case attribute.SLICE:
		for _, element := range v.AsSlice() {
			n += perAttribute + valueBytes(element)
		}
	case attribute.MAP:
		n = attributeBytes(v.AsMap())
	}
	return n
}
