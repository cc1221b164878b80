package feedback

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Session is a conversation as Phoenix's Sessions page shows it.
type Session struct {
	// ID is its session.id.
	ID string
	// User is the first user.id of its spans, "" if they have none.
	User string
	// Start and End are those of its first and of its last turn.
	Start, End time.Time
	// Turns is how many traces it has.
	Turns int
	// Errors is how many of the turns have a failed span.
	Errors int
	// PromptTokens and CompletionTokens are the sums over all model calls.
	PromptTokens, CompletionTokens int
	// Cost is in dollars, 0 where Phoenix has no price for the models.
	Cost float64
	// Latency is how long its turns took: the median.
	Latency time.Duration
	// Scores has the mean score of each annotation of the session itself, by name.
	Scores map[string]float64
}

// Turn is a trace of a session.
type Turn struct {
	// Root is its root span, to judge the turn with [OnTrace] or [OnSpan];
	// Root.TraceID() is the ID of the trace. It is zero if Phoenix has IDs that are
	// not of OpenTelemetry.
	Root trace.SpanContext
	// Start is when the turn began.
	Start time.Time
	// Latency is how long it took.
	Latency time.Duration
	// Input and Output are input.value and output.value of the root span: text, or
	// JSON, or "" if it has none.
	Input, Output string
	// Errors are the failed spans, each with its name and its message, in the order
	// in which they have arrived, at most 100.
	Errors []string
	// Scores has the mean score of each annotation of the trace or its root span, by
	// name.
	Scores map[string]float64
}

// Sessions is [Client.Sessions] of the client that NewClient() returns.
func Sessions(ctx context.Context, project string) ([]Session, error) {
	c, err := NewClient()
	if err != nil {
		return nil, err
	}
	return c.Sessions(ctx, project)
}

// Transcript is [Client.Transcript] of the client that NewClient() returns.
func Transcript(ctx context.Context, session string) ([]Turn, error) {
	c, err := NewClient()
	if err != nil {
		return nil, err
	}
	return c.Transcript(ctx, session)
}

const sessionsQuery = `query($id: String!, $after: String) {
  owner: getProjectByName(name: $id) { page: sessions(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor }
    edges { node {
      sessionId userId startTime endTime numTraces numTracesWithError
      tokenUsage { prompt completion }
      costSummary { total { cost } }
      latency: traceLatencyMsQuantile(probability: 0.5)
      summaries: sessionAnnotationSummaries { name meanScore scoreCount }
    } }
  } }
}`

// Sessions returns the sessions of a project, the oldest first. A project that
// Phoenix does not have is an [ErrNotFound].
func (c *Client) Sessions(ctx context.Context, project string) ([]Session, error) {
	type node struct {
		SessionID, UserID             string
		StartTime, EndTime            time.Time
		NumTraces, NumTracesWithError int
		TokenUsage                    struct{ Prompt, Completion float64 }
		CostSummary                   struct{ Total struct{ Cost float64 } }
		Latency                       float64
		Summaries                     []summary
	}
	nodes, err := all[node](ctx, c, sessionsQuery, project)
	if err != nil {
		return nil, fmt.Errorf("feedback: read the sessions of project %q: %w", project, err)
	}
	sessions := make([]Session, len(nodes))
	for i, n := range nodes {
		sessions[i] = Session{
			ID:               n.SessionID,
			User:             n.UserID,
			Start:            n.StartTime,
			End:              n.EndTime,
			Turns:            n.NumTraces,
			Errors:           n.NumTracesWithError,
			PromptTokens:     int(n.TokenUsage.Prompt),
			CompletionTokens: int(n.TokenUsage.Completion),
			Cost:             n.CostSummary.Total.Cost,
			Latency:          milliseconds(n.Latency),
			Scores:           means(n.Summaries),
		}
	}
	return sessions, nil
}

const transcriptQuery = `query($id: String!, $after: String) {
  owner: getProjectSessionById(sessionId: $id) { page: traces(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor }
    edges { node {
      traceId startTime latencyMs
      summaries: traceAnnotationSummaries { name meanScore scoreCount }
      rootSpan {
        spanId input { value } output { value }
        summaries: spanAnnotationSummaries { name meanScore scoreCount }
      }
      failed: spans(first: 100, filterCondition: "status_code == 'ERROR'") { edges { node { name statusMessage } } }
    } }
  } }
}`

// Transcript returns the turns of a session, the first one first. A session that
// Phoenix does not have is an [ErrNotFound].
func (c *Client) Transcript(ctx context.Context, session string) ([]Turn, error) {
	type text struct{ Value string }
	type node struct {
		TraceID   string
		StartTime time.Time
		LatencyMs float64
		Summaries []summary
		RootSpan  struct {
			SpanID        string
			Input, Output text
			Summaries     []summary
		}
		Failed connection[struct{ Name, StatusMessage string }]
	}
	nodes, err := all[node](ctx, c, transcriptQuery, strings.TrimSpace(session)) // as Phoenix does
	if err != nil {
		return nil, fmt.Errorf("feedback: read session %q: %w", session, err)
	}
	turns := make([]Turn, len(nodes))
	for i, n := range nodes {
		turns[i] = Turn{
			Root:    spanContext(n.TraceID, n.RootSpan.SpanID),
			Start:   n.StartTime,
			Latency: milliseconds(n.LatencyMs),
			Input:   n.RootSpan.Input.Value,
			Output:  n.RootSpan.Output.Value,
			Scores:  means(n.Summaries, n.RootSpan.Summaries),
		}
		for _, edge := range slices.Backward(n.Failed.Edges) { // the newest comes first
			turns[i].Errors = append(turns[i].Errors, edge.Node.Name+": "+edge.Node.StatusMessage)
		}
	}
	return turns, nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// spanContext returns the zero SpanContext if one of the IDs is not of
// OpenTelemetry.
func spanContext(traceID, spanID string) trace.SpanContext {
	t, err := trace.TraceIDFromHex(traceID)
	s, serr := trace.SpanIDFromHex(spanID)
	if err != nil || serr != nil {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: t, SpanID: s, TraceFlags: trace.FlagsSampled, Remote: true})
}

// summary is the annotations of one name.
type summary struct {
	Name       string
	MeanScore  float64
	ScoreCount float64
}

// means returns the mean scores over all lists, by name.
func means(lists ...[]summary) map[string]float64 {
	count := make(map[string]float64)
	mean := make(map[string]float64)
	for _, s := range slices.Concat(lists...) {
		if s.ScoreCount > 0 {
			count[s.Name] += s.ScoreCount
			mean[s.Name] += (s.MeanScore - mean[s.Name]) * s.ScoreCount / count[s.Name]
		}
	}
	return mean
}

// connection is a list in GraphQL.
type connection[T any] struct {
	PageInfo struct {
		HasNextPage bool
		EndCursor   string
	}
	Edges []struct{ Node T }
}

// all returns what a query finds, page by page, in the page of the owner that has
// that id.
func all[T any](ctx context.Context, c *Client, query, id string) ([]T, error) {
	var nodes []T
	variables := map[string]any{"id": id}
	for {
		var reply struct {
			Errors []struct{ Message string }
			Data   struct{ Owner *struct{ Page connection[T] } }
		}
		if err := c.call(ctx, "/graphql", map[string]any{"query": query, "variables": variables}, &reply); err != nil {
			return nil, err
		}
		if len(reply.Errors) > 0 {
			return nil, fmt.Errorf("reply of Phoenix at %s: %s", c.endpoint, reply.Errors[0].Message)
		}
		if reply.Data.Owner == nil {
			return nil, fmt.Errorf("%w; check the name, and that the spans have been flushed", ErrNotFound)
		}
		page := reply.Data.Owner.Page
		for _, edge := range page.Edges {
			nodes = append(nodes, edge.Node)
		}
		if !page.PageInfo.HasNextPage {
			return nodes, nil
		}
		variables["after"] = page.PageInfo.EndCursor
	}
}
