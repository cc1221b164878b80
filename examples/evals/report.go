package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-openinference/openinference/feedback"
)

// total is the sums over the sessions of a user.
type total struct {
	user                                string
	sessions, helpful, frustrated, cost float64
	turns, errors                       int
}

// report prints the sessions that have been judged, and their users, worst first.
func report(stdout io.Writer, sessions []feedback.Session, conversations map[string]conversation) {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	slices.SortStableFunc(sessions, func(a, b feedback.Session) int { return cmp.Compare(score(a), score(b)) })
	users := make(map[string]*total)
	fmt.Fprintln(w, "\nSESSION\tUSER\tHELPFUL\tFRUSTRATED\tTURNS\tERRORS\tTOKENS\tCOST\tLATENCY\tTREND\tBROKE AT")
	for _, s := range sessions {
		c, judged := conversations[s.ID]
		if !judged {
			continue
		}
		helpful, frustrated, user := s.Scores["helpfulness"], s.Scores["frustration"], cmp.Or(s.User, "-")
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%.2f\t%d\t%d\t%d\t$%.5f\t%v\t%s\t%s\n", s.ID, user, helpful, frustrated, s.Turns, s.Errors,
			s.PromptTokens+s.CompletionTokens, s.Cost, s.Latency.Round(100*time.Microsecond), c.trend(), c.broke(score(s)))

		t := cmp.Or(users[user], &total{user: user})
		users[user] = t
		t.sessions++
		t.helpful += helpful
		t.frustrated += frustrated
		t.cost += s.Cost
		t.turns += s.Turns
		t.errors += s.Errors
	}

	worstFirst := func(a, b *total) int {
		return cmp.Or(cmp.Compare((a.helpful-a.frustrated)/a.sessions, (b.helpful-b.frustrated)/b.sessions), cmp.Compare(a.user, b.user))
	}
	fmt.Fprintln(w, "\nUSER\tHELPFUL\tFRUSTRATED\tSESSIONS\tTURNS\tERRORS\tCOST")
	for _, t := range slices.SortedFunc(maps.Values(users), worstFirst) {
		fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t%d\t%d\t$%.5f\n", t.user, t.helpful/t.sessions, t.frustrated/t.sessions, t.sessions, t.turns, t.errors, t.cost)
	}
}

// score is 1 at its best and -1 at its worst.
func score(s feedback.Session) float64 { return s.Scores["helpfulness"] - s.Scores["frustration"] }

// trend draws the scores of the turns, the higher the better.
func (c conversation) trend() string {
	bars := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, v := range c.verdicts {
		level := int((v.score() + 1) / 2 * float64(len(bars)))
		b.WriteRune(bars[min(max(level, 0), len(bars)-1)])
	}
	return b.String()
}

// broke names the first bad turn of a session that has a bad score.
func (c conversation) broke(score float64) string {
	i := slices.IndexFunc(c.verdicts, func(v verdict) bool { return v.score() < 0 })
	if score >= 0 || i < 0 {
		return "-"
	}
	return fmt.Sprintf("turn %d: %.60s", i+1, strings.Join(strings.Fields(c.turns[i].Input), " "))
}
