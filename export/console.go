package export

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/term"

	"github.com/go-openinference/openinference"
)

const (
	maxTurns = 1000 // turns that wait or are remembered
	maxSpans = 1000 // spans of one turn that are held
	maxText  = 100  // characters of a text on a line of its own
	maxLabel = 48   // characters of a text that shares its line
)

// Console returns a provider that prints to w what Phoenix's Sessions view
// would show: the session and its user, each turn (one trace) with its input
// and output, and the tree of its OpenInference spans with kind, model,
// latency, tokens (prompt+completion) and errors. No server is needed.
//
// A turn is printed when the last of its spans ends, in a single write and
// before that span's End returns. ForceFlush and Shutdown print what has ended
// of the others; what ends later is printed as a continuation. Shutdown closes
// with the totals of each session, counted as Phoenix counts them: tokens are
// those of LLM spans, errors are turns with a failed span. Both return the
// first error of w.
//
// Texts are cut to one line, and control characters in them are replaced, so
// that an answer cannot steer the terminal. Colors are used only if w is a
// terminal, NO_COLOR is empty and TERM is not "dumb".
//
// Spans of other instrumentation are not shown; what is below them moves up to
// the nearest span that is. Every trace is sampled and a span keeps 10,000
// attributes, unless the OTEL_* variables say otherwise.
//
// Spans are held until they are printed, at most 1,000 turns with 1,000 spans
// each: beyond that a turn is printed as far as it has come. The totals of all
// sessions are kept until Shutdown.
func Console(w io.Writer) *sdktrace.TracerProvider {
	c := &console{
		w:        w,
		color:    wantsColor(w),
		turns:    make(map[trace.TraceID]*turn),
		sessions: make(map[string]*session),
	}
	// All spans: the tree is made here, and a turn is over when the last of all ends.
	return sdktrace.NewTracerProvider(append(providerOptions(), sdktrace.WithSpanProcessor(NewSpanProcessor(c, WithAllSpans())))...)
}

func wantsColor(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// console is the span processor that collects spans into turns and prints them.
type console struct {
	mu       sync.Mutex
	w        io.Writer
	color    bool
	err      error                   // of the first write that failed
	turns    map[trace.TraceID]*turn // pending, or printed lately
	recent   []trace.TraceID         // the keys of turns, oldest first
	sessions map[string]*session     // by id, "" for none
	order    []*session              // as first printed
	header   string                  // the one printed last
}

func (c *console) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.turn(s.SpanContext().TraceID())
	if len(t.parents) == maxSpans {
		c.print(t)
		clear(t.parents)
	}
	t.parents[s.SpanContext().SpanID()] = s.Parent().SpanID()
	t.open++
}

func (c *console) OnEnd(s sdktrace.ReadOnlySpan) {
	ended := newStep(s)
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.turn(s.SpanContext().TraceID())
	t.open = max(t.open-1, 0) // 0 already if the turn was pushed out meanwhile
	if ended != nil {
		t.steps = append(t.steps, ended)
		t.session = cmp.Or(t.session, ended.session)
	}
	if t.open == 0 {
		c.print(t)
		clear(t.parents)
	}
}

func (c *console) ForceFlush(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flush()
}

func (c *console) Shutdown(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	c.printTotals()
	c.w = io.Discard // a span may end meanwhile, but nothing follows the totals
	return c.err
}

// flush prints what has ended of every turn.
func (c *console) flush() error {
	for _, id := range c.recent {
		c.print(c.turns[id])
	}
	return c.err
}

// turn returns the turn of a trace. A new one takes, when there are too many,
// the place of the oldest that is complete, or else of the oldest.
func (c *console) turn(id trace.TraceID) *turn {
	if t := c.turns[id]; t != nil {
		return t
	}
	if len(c.recent) == maxTurns {
		i := max(0, slices.IndexFunc(c.recent, func(id trace.TraceID) bool { return c.turns[id].open == 0 }))
		c.print(c.turns[c.recent[i]])
		delete(c.turns, c.recent[i])
		c.recent = slices.Delete(c.recent, i, i+1)
	}
	t := &turn{parents: make(map[trace.SpanID]trace.SpanID)}
	c.turns[id] = t
	c.recent = append(c.recent, id)
	return t
}

// print writes the steps of t that were not printed yet.
func (c *console) print(t *turn) {
	if len(t.steps) == 0 {
		return
	}
	continued := t.total != nil
	roots := t.tree()
	var rows []*step // the tree, line by line
	for _, root := range roots {
		rows = root.rows(rows, "", "")
	}
	c.count(t, rows)

	var b strings.Builder
	header := t.total.name
	if i := slices.IndexFunc(rows, func(s *step) bool { return s.user != "" }); i >= 0 {
		header += " · user " + rows[i].user
	}
	if header != c.header {
		c.header = header
		fmt.Fprintf(&b, "%s\n\n", c.paint(bold, header))
	}
	fmt.Fprintf(&b, "  turn %d", t.number)
	if continued {
		b.WriteString(", continued")
	}
	if t.open > 0 {
		fmt.Fprintf(&b, ", %d still open", t.open)
	}
	fmt.Fprintf(&b, "\n    in   %s\n", cmp.Or(roots[0].in, "--"))
	fmt.Fprintf(&b, "    out  %s\n", cmp.Or(roots[len(roots)-1].out, "--"))
	if len(roots) == 1 {
		roots[0].in, roots[0].out = "", "" // once is enough
	}

	c.printTree(&b, rows)
	fmt.Fprintln(&b)
	c.write(b.String())
}

func (c *console) printTree(w io.Writer, rows []*step) {
	width := 0
	for _, s := range rows {
		width = max(width, utf8.RuneCountInString(s.branch+s.label))
	}
	for _, s := range rows {
		label := fmt.Sprintf("%-*s", width-utf8.RuneCountInString(s.branch), s.label)
		line := fmt.Sprintf("    %s%s  %7s  %s", c.paint(dim, s.branch), label, latency(s.end.Sub(s.start)), c.paint(dim, s.detail()))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
		if s.failure != "" {
			fmt.Fprintf(w, "    %s%s\n", c.paint(dim, s.indent), c.paint(red, "✗ "+s.failure))
		}
	}
}

// count adds rows, which are about to be printed, to the totals of t's session.
func (c *console) count(t *turn, rows []*step) {
	if t.total == nil {
		t.total = c.sessions[t.session]
		if t.total == nil {
			t.total = &session{name: "no session"}
			if t.session != "" {
				t.total.name = "session " + oneLine(t.session, maxText)
			}
			c.sessions[t.session] = t.total
			c.order = append(c.order, t.total)
		}
		t.total.turns++
		t.number = t.total.turns
	}
	end := rows[0].end
	for _, s := range rows {
		if s.kind == string(openinference.KindLLM) {
			t.total.calls++
			t.total.prompt += s.prompt
			t.total.completion += s.completion
		}
		if s.failure != "" && !t.failed {
			t.failed = true
			t.total.errors++
		}
		if s.end.After(end) {
			end = s.end
		}
	}
	t.total.took += end.Sub(rows[0].start)
}

// printTotals writes a line for each session and, if there are more, for all.
func (c *console) printTotals() {
	if len(c.order) == 0 {
		return
	}
	lines := c.order
	if len(lines) > 1 {
		all := &session{name: "all"}
		for _, s := range lines {
			all.turns += s.turns
			all.calls += s.calls
			all.prompt += s.prompt
			all.completion += s.completion
			all.errors += s.errors
			all.took += s.took
		}
		lines = append(lines, all)
	}
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "totals\tturns\tLLM calls\ttokens\terrors\ttime")
	for _, s := range lines {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d+%d\t%d\t%s\n", s.name, s.turns, s.calls, s.prompt, s.completion, s.errors, latency(s.took))
	}
	table.Flush()
	c.write(b.String())
}

func (c *console) write(s string) {
	if _, err := io.WriteString(c.w, s); err != nil && c.err == nil {
		c.err = fmt.Errorf("export: print the Sessions view: %w", err)
	}
}

// The parameters of the terminal's "select graphic rendition" sequence.
const (
	bold = "1"
	dim  = "2"
	red  = "31"
)

func (c *console) paint(rendition, s string) string {
	if !c.color || s == "" {
		return s
	}
	return "\x1b[" + rendition + "m" + s + "\x1b[0m"
}

// session is the totals of a session.
type session struct {
	name                 string
	turns, calls, errors int
	prompt, completion   int64
	took                 time.Duration // sum of its turns
}

// turn is a trace. When printed it is remembered for a while, without its
// spans, so that a span that starts later is known to continue it.
type turn struct {
	open    int                           // spans that have not ended
	parents map[trace.SpanID]trace.SpanID // of all spans, also those not shown
	steps   []*step                       // ended and not printed
	session string                        // id, of the first step to end with one
	total   *session                      // where it counts, nil until printed
	number  int                           // in the session
	failed  bool
}

// tree takes the steps out of t and returns those without a step above them,
// with the others below these, all in the order in which they started.
func (t *turn) tree() []*step {
	steps := make(map[trace.SpanID]*step, len(t.steps))
	for _, s := range t.steps {
		steps[s.id] = s
	}
	slices.SortStableFunc(t.steps, func(a, b *step) int { return a.start.Compare(b.start) })
	var roots []*step
	for _, s := range t.steps {
		above := t.parents[s.id]
		for above.IsValid() && steps[above] == nil {
			above = t.parents[above]
		}
		if parent := steps[above]; parent != nil {
			parent.below = append(parent.below, s)
		} else {
			roots = append(roots, s)
		}
	}
	t.steps = nil
	return roots
}

// step is what is shown of a span: little, as turns wait in memory.
type step struct {
	id                 trace.SpanID
	start, end         time.Time
	kind, label        string
	session, user      string
	in, out            string
	prompt, completion int64
	failure            string
	below              []*step
	branch, indent     string // left of its line, and of the lines below
}

// newStep returns nil for a span that is not OpenInference's.
func newStep(span sdktrace.ReadOnlySpan) *step {
	attrs := make(map[attribute.Key]string)
	for _, kv := range span.Attributes() {
		if kind := kv.Value.Type(); kind == attribute.STRING || kind == attribute.INT64 {
			attrs[kv.Key] = kv.Value.String()
		}
	}
	kind := oneLine(attrs[openinference.OpenInferenceSpanKindKey], maxLabel)
	if kind == "" {
		return nil
	}
	model := cmp.Or(attrs[openinference.LLMModelNameKey], attrs[openinference.EmbeddingModelNameKey])
	s := &step{
		id:      span.SpanContext().SpanID(),
		start:   span.StartTime(),
		end:     span.EndTime(),
		kind:    kind,
		label:   strings.TrimSpace(kind + " " + oneLine(span.Name(), maxLabel) + " " + oneLine(model, maxLabel)),
		session: strings.TrimSpace(attrs[openinference.SessionIDKey]),
		user:    oneLine(attrs[openinference.UserIDKey], maxText),
		in:      readable(attrs[openinference.InputValueKey], attrs[openinference.InputMIMETypeKey]),
		out:     readable(attrs[openinference.OutputValueKey], attrs[openinference.OutputMIMETypeKey]),
	}
	s.prompt, _ = strconv.ParseInt(attrs[openinference.LLMTokenCountPromptKey], 10, 64)
	s.completion, _ = strconv.ParseInt(attrs[openinference.LLMTokenCountCompletionKey], 10, 64)
	if status := span.Status(); status.Code == codes.Error {
		s.failure = cmp.Or(oneLine(status.Description, maxText), "error")
	}
	return s
}

// detail is what the line of a step ends with.
func (s *step) detail() string {
	switch s.kind {
	case string(openinference.KindLLM), string(openinference.KindEmbedding):
		if s.prompt+s.completion > 0 {
			return fmt.Sprintf("%d+%d tokens", s.prompt, s.completion)
		}
	default:
		if s.in != "" || s.out != "" {
			return cmp.Or(oneLine(s.in, maxLabel), "--") + " → " + cmp.Or(oneLine(s.out, maxLabel), "--")
		}
	}
	return ""
}

// rows appends s and what is below it to to, line by line.
func (s *step) rows(to []*step, branch, indent string) []*step {
	s.branch, s.indent = branch, indent
	to = append(to, s)
	for i, child := range s.below {
		if i < len(s.below)-1 {
			to = child.rows(to, indent+"├─ ", indent+"│  ")
		} else {
			to = child.rows(to, indent+"└─ ", indent+"   ")
		}
	}
	return to
}

// readable returns a line that tells a person what value says.
func readable(value, mimeType string) string {
	if mimeType == openinference.MIMETypeJSON {
		var b bytes.Buffer
		if said := lastWords(value); said != "" {
			value = said
		} else if json.Compact(&b, []byte(value)) == nil {
			value = b.String()
		}
	}
	return oneLine(value, maxText)
}

// lastWords returns the last user message of a chat request or the first
// choice of a response, and nothing for other JSON.
func lastWords(body string) string {
	var chat struct {
		Messages []message
		Choices  []struct{ Message message }
	}
	if json.Unmarshal([]byte(body), &chat) != nil {
		return ""
	}
	for _, m := range slices.Backward(chat.Messages) {
		if m.Role == "user" {
			return m.text()
		}
	}
	if len(chat.Choices) > 0 {
		return chat.Choices[0].Message.text()
	}
	return ""
}

type message struct {
	Role      string
	Content   json.RawMessage
	Refusal   string
	ToolCalls []struct {
		Function struct{ Name, Arguments string }
	} `json:"tool_calls"`
}

// text returns what the message says or, if it only calls tools, the calls.
func (m message) text() string {
	var content string
	var parts []struct{ Text string }
	if json.Unmarshal(m.Content, &content) != nil && json.Unmarshal(m.Content, &parts) == nil {
		for _, part := range parts {
			content += part.Text + " "
		}
	}
	if text := cmp.Or(strings.TrimSpace(content), m.Refusal); text != "" {
		return text
	}
	var calls []string
	for _, call := range m.ToolCalls {
		calls = append(calls, call.Function.Name+"("+call.Function.Arguments+")")
	}
	return strings.Join(calls, " ")
}

// oneLine returns s on one line of at most size characters and an ellipsis,
// without anything that a terminal would obey.
func oneLine(s string, size int) string {
	line := make([]rune, 0, size+1)
	for _, r := range strings.TrimSpace(s) {
		switch {
		case unicode.Is(unicode.Bidi_Control, r):
			continue
		case unicode.IsSpace(r):
			if len(line) > 0 && line[len(line)-1] == ' ' {
				continue
			}
			r = ' '
		case unicode.IsControl(r):
			r = utf8.RuneError
		}
		if len(line) == size {
			return string(line) + "…"
		}
		line = append(line, r)
	}
	return string(line)
}

// latency writes d with the three digits that a person compares.
func latency(d time.Duration) string {
	unit := time.Microsecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
