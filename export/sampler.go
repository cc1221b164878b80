package export

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-openinference/openinference"
)

// SessionSampler returns a sampler that keeps a ratio of all sessions, each as a
// whole: 0.1 is one in ten, 0 or less none, 1 or more all.
//
// The session is the session.id that a span starts with, or else that of its
// context. The decision depends on nothing but the ID, so it is the same for every
// span of the session, in every process that samples with the same ratio, and a
// session that a smaller ratio keeps is kept by a larger one. A span without a
// session is decided by its trace ID, as by [sdktrace.TraceIDRatioBased].
//
//	export.Phoenix(ctx, export.WithSampler(export.SessionSampler(0.1)))
//
// Under [sdktrace.ParentBased] it decides for roots only, and what is below follows:
// a session then stays whole if all its roots carry the ID, and not if a web
// server's span, which starts before the ID is known, is the root.
//
// No sampler knows how a span will end. To keep all failures as well, keep
// everything here and let the tail_sampling processor of an OpenTelemetry Collector
// decide when a trace is complete. With IDs that end in random hexadecimal digits,
// this keeps all traces that fail and a whole one in eight of the sessions:
//
//	processors:
//	  tail_sampling:
//	    policies:
//	      - {name: failed, type: status_code, status_code: {status_codes: [ERROR]}}
//	      - {name: sessions, type: string_attribute, string_attribute: {key: session.id, values: ["[08]$"], enabled_regex_matching: true}}
func SessionSampler(ratio float64) sdktrace.Sampler {
	return sessionSampler{sdktrace.TraceIDRatioBased(ratio), fmt.Sprintf("SessionSampler{%g}", ratio)}
}

type sessionSampler struct {
	byTraceID   sdktrace.Sampler
	description string
}

// ShouldSample implements [sdktrace.Sampler].
func (s sessionSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	id := cmp.Or(text(p.Attributes, openinference.SessionIDKey), openinference.AttributesFromContext(p.ParentContext).SessionID)
	if id = strings.TrimSpace(id); id != "" { // to Phoenix a padded ID is the same session
		hash := sha256.Sum256([]byte(id))
		p.TraceID = trace.TraceID(hash[:])
	}
	return s.byTraceID.ShouldSample(p)
}

// Description implements [sdktrace.Sampler].
func (s sessionSampler) Description() string { return s.description }
