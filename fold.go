package openinference

import (
	"bytes"
	"cmp"
	"slices"
)

// rule says how a field of a chunk joins what earlier chunks had there. null changes
// nothing, and what is empty at the end is left out.
type rule struct {
	how    joining
	name   string           // in the result, if another than in the chunks
	fields map[string]*rule // of an object, or of each item of a list
}

type joining int

const (
	byType  joining = iota // objects are merged, lists added to, anything else is replaced
	flat                   // lists are added to, anything else is replaced
	replace                // the last one stands
	concat                 // strings are joined
	once                   // strings are joined, but one that repeats all of it is not
	indexed                // items with the same index are merged
	placed                 // items are merged by their position
)

// The reference merges an object that no rule names one level deep.
var (
	unnamed = &rule{how: byType}
	within  = &rule{how: flat}
)

// chunks folds a stream of chunks that look like the response in parts.
type chunks struct {
	root node
	last template

	// What the chunk that is being added does to what was there, rather than replace it.
	added int
	text  []byte // the last text, in the chunk
	to    *node  // where that went; nil: it could come again without being added

	spare []node // made some at a time
	size  int    // of what there is, in bytes
	cut   bool   // there is no room for something
}

// template is a chunk that adds one piece of text to what is there, and nothing else
// that a chunk like it would not say again.
type template struct {
	chunk      []byte
	start, end int   // of the text
	to         *node // where it is added
}

// foldChunks returns what makes the fold of a stream by a rule.
func foldChunks(r *rule) func() fold {
	return func() fold { return &chunks{root: node{rule: r}} }
}

func (c *chunks) repeat(chunk []byte) bool {
	t := &c.last
	behind := len(t.chunk) - t.end
	if t.to == nil || len(chunk) < t.start+behind || string(chunk[:t.start]) != string(t.chunk[:t.start]) ||
		string(chunk[len(chunk)-behind:]) != string(t.chunk[t.end:]) {
		return false
	}
	text := chunk[t.start : len(chunk)-behind]
	for _, b := range text {
		if b < ' ' || b == '"' || b == '\\' {
			return false
		}
	}
	if c.fits(len(text)) {
		t.to.raw = append(t.to.raw, text...)
	}
	return true
}

func (c *chunks) add(chunk value) (over bool, err error) {
	c.added, c.text, c.to = 0, nil, nil
	c.root.merge(chunk, c)
	c.last = template{chunk: append(c.last.chunk[:0], chunk...)}
	if c.added == 1 && c.to != nil {
		c.last.to = c.to
		c.last.start = cap(chunk) - cap(c.text)
		c.last.end = c.last.start + len(c.text)
	}
	return false, nil
}

// addedText notes a text that was added.
func (c *chunks) addedText(to *node, text []byte) {
	c.added++
	c.text, c.to = text, nil
	if to.rule.how == concat {
		c.to = to
	}
}

// fits reports whether there is room for so many bytes more. After something for which
// there was none, there is none for anything: no text shall have a gap.
func (c *chunks) fits(n int) bool {
	c.size += n
	c.cut = c.cut || c.size > maxStream
	return c.size <= maxStream
}

// nodeSize is that of a node without its text, in bytes.
const nodeSize = 256

// node returns a new node and whether it may go beside so many others. If not, it is
// one to be thrown away.
func (c *chunks) node(n node, others int) (_ *node, ok bool) {
	if ok = others < maxBranches && c.fits(nodeSize); !ok {
		c.cut = true
		return &n, false
	}
	if len(c.spare) == 0 {
		c.spare = make([]node, 8)
	}
	fresh := &c.spare[0]
	c.spare = c.spare[1:]
	*fresh = n
	return fresh, true
}

// finish takes a clean end for one: not all servers send [DONE].
func (c *chunks) finish() error { return nil }

func (c *chunks) object() []byte { return c.root.append(nil) }

func (c *chunks) truncated() bool { return c.cut }

// result folds a stream whose last event has the whole result.
type result struct {
	kind  string // of that event
	event []byte
	parts *chunks // of a stream that breaks off before it; nil: they are left out
}

// foldResult returns what makes the fold of a stream that ends in an event of that kind.
// By parts the events before it are joined, in case it does not come; nil leaves them out.
func foldResult(kind string, parts *rule) func() fold {
	return func() fold {
		r := &result{kind: kind}
		if parts != nil {
			r.parts = &chunks{root: node{rule: parts}}
		}
		return r
	}
}

func (r *result) repeat([]byte) bool { return false }

func (r *result) add(event value) (over bool, err error) {
	switch {
	case event.get("type").str() == r.kind:
		r.event = bytes.Clone(event)
		return true, nil
	case r.parts != nil:
		return r.parts.add(event)
	default:
		return false, nil
	}
}

// finish is asked only when the result has not come.
func (r *result) finish() error { return errUnfinished }

func (r *result) object() []byte {
	if r.event == nil && r.parts != nil {
		return r.parts.object()
	}
	return r.event
}

func (r *result) truncated() bool { return r.event == nil && r.parts != nil && r.parts.cut }

// node is a part of what the chunks of a stream add up to. It keeps text as it came,
// still escaped: that saves decoding it, and half a surrogate pair at the end of a
// chunk finds its other half.
type node struct {
	key   string // of a member, in the chunks
	rule  *rule
	kind  byte    // '{' and '[' have nodes or raw items, '"' has raw text, 0 has a raw value
	raw   []byte  // text without its quotes, items with commas between, or a value
	nodes []*node // members, or items by their index
	index int64   // of an item
	next  int     // where in nodes the next member is likely to be
}

// merge joins v with what is there.
func (n *node) merge(v value, c *chunks) {
	if !v.exists() {
		return
	}
	how := n.rule.how
	is := func(kind byte) bool { return v.kind() == kind && (n.kind == kind || n.kind == 0 && n.raw == nil) }
	switch {
	case (how == concat || how == once) && is('"'):
		text := v[1 : len(v)-1]
		n.kind = '"'
		c.addedText(n, text)
		if (how == concat || string(n.raw) != string(text)) && c.fits(len(text)) {
			n.raw = append(n.raw, text...)
		}
	case how == indexed && is('['):
		n.kind = '['
		for _, item := range v.items() {
			n.item(item, c).merge(item, c)
		}
	case how == placed && is('['):
		n.kind = '['
		for i, item := range v.items() {
			n.at(int64(i), c).merge(item, c)
		}
	case (how == byType || how == indexed) && is('{'):
		n.kind = '{'
		for key, m := range v.members() {
			if m.exists() {
				n.member(key, c).merge(m, c)
			}
		}
	case (how == byType || how == flat) && is('['):
		n.kind = '['
		for _, item := range v.items() {
			c.added++
			if !c.fits(len(item) + 1) {
				return
			}
			if len(n.raw) > 0 {
				n.raw = append(n.raw, ',')
			}
			n.raw = append(n.raw, item...)
		}
	default:
		if c.fits(max(0, len(v)-cap(n.raw))) {
			n.kind, n.nodes = 0, nil
			n.raw = append(n.raw[:0], v...)
		}
	}
}

// member returns the member with that key, a new one if there is none. The chunks of
// a stream have their members in the same order.
func (n *node) member(key []byte, c *chunks) *node {
	for range n.nodes {
		if n.next >= len(n.nodes) {
			n.next = 0
		}
		m := n.nodes[n.next]
		n.next++
		if m.key == string(key) {
			return m
		}
	}
	r, ok := n.rule.fields[string(key)]
	switch {
	case ok:
	case n.rule == unnamed:
		r = within
	default:
		r = unnamed
	}
	m, ok := c.node(node{key: intern(key), rule: r}, len(n.nodes))
	if !ok {
		return m
	}
	if n.nodes == nil {
		n.nodes = make([]*node, 0, 8)
	}
	n.nodes = append(n.nodes, m)
	n.next = len(n.nodes)
	return m
}

// item returns the item of a list that v belongs to: the one with its index, or
// without one, as some servers send tool calls, with its id, or else the last.
func (n *node) item(v value, c *chunks) *node {
	index, ok := v.get("index").integer()
	if !ok && len(n.nodes) > 0 {
		last := n.nodes[len(n.nodes)-1]
		id := v.get("id")
		if id.str() == "" {
			return last
		}
		for _, item := range n.nodes {
			if string(item.member([]byte("id"), c).raw) == string(id[1:len(id)-1]) {
				return item
			}
		}
		index = last.index + 1
	}
	return n.at(index, c)
}

// at returns the item of a list with that index, a new one if there is none.
func (n *node) at(index int64, c *chunks) *node {
	n.kind = '['
	at, found := slices.BinarySearchFunc(n.nodes, index, func(item *node, index int64) int { return cmp.Compare(item.index, index) })
	if found {
		return n.nodes[at]
	}
	item, ok := c.node(node{rule: &rule{fields: n.rule.fields}, index: index}, len(n.nodes))
	if ok {
		n.nodes = slices.Insert(n.nodes, at, item)
	}
	return item
}

// in returns the member of an object with that key, a new one if there is none.
func (n *node) in(key string, c *chunks) *node {
	n.kind = '{'
	return n.member([]byte(key), c)
}

// set puts v in the place of what is there.
func (n *node) set(v value, c *chunks) {
	switch {
	case !v.exists():
	case c.size+len(v) > maxStream:
		c.cut = true
	default:
		*n = node{key: n.key, rule: n.rule, index: n.index}
		n.merge(v, c)
	}
}

// append appends n to dst as JSON, nothing if it is empty.
func (n *node) append(dst []byte) []byte {
	start := len(dst)
	switch {
	case n.kind == '"' && len(n.raw) > 0:
		dst = append(append(append(dst, '"'), n.raw...), '"')
	case n.kind == '[' && len(n.raw) > 0:
		dst = append(append(append(dst, '['), n.raw...), ']')
	case n.kind == '{' || n.kind == '[':
		dst = append(dst, n.kind)
		empty := len(dst)
		for _, m := range n.nodes {
			before := len(dst)
			if before > empty {
				dst = append(dst, ',')
			}
			if n.kind == '{' {
				dst = append(appendQuoted(dst, []byte(cmp.Or(m.rule.name, m.key))), ':')
			}
			member := len(dst)
			if dst = m.append(dst); len(dst) == member {
				dst = dst[:before]
			}
		}
		if len(dst) == empty {
			return dst[:start]
		}
		dst = append(dst, n.kind+2) // the closing bracket stands two behind in ASCII
	case n.kind == 0:
		switch string(n.raw) {
		case `""`, "{}", "[]":
		default:
			dst = append(dst, n.raw...)
		}
	}
	return dst
}
