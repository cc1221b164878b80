package openinference

import (
	"cmp"
	"slices"
	"strings"
)

// rule says how a field of a chunk joins what earlier chunks had there. null changes
// nothing, and what is empty at the end is left out.
type rule struct {
	how    joining
	name   string           // in the result, if another than in the chunks
	fields map[string]*rule // of an object
	items  *rule            // of a list whose items are merged
}

// field returns the rule of a member of an object, which may stand in place of a list of
// such.
func (r *rule) field(key string) *rule {
	if r.items != nil {
		r = r.items
	}
	if f, ok := r.fields[key]; ok {
		return f
	}
	if r == unnamed {
		return within
	}
	return unnamed
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
	root  node
	ahead value // a chunk that is not yet added, so that its reader need not wait for that
	last  template

	// What the chunk that is being added does to what was there, rather than replace it.
	added int
	text  value // the last text that was added, with its quotes
	to    *node // where that went; nil: it could come again without being added
	long  bool  // it is too long to be kept in memory for a part of it, see from

	spareNodes []node // made as many at a time as most streams need
	spareParts []parts
	nodes      int  // how many there are
	size       int  // of what they have, in bytes
	cut        bool // there is no room for something
}

// template is a chunk that adds one piece of text to what is there, and nothing else
// that a chunk like it would not say again.
type template struct {
	before, behind string // the text
	to             *node  // where it is added
}

// foldChunks returns what makes the fold of a stream by a rule.
func foldChunks(r *rule) func() fold {
	return func() fold { return &chunks{root: node{rule: r}} }
}

func (c *chunks) repeat(chunk []byte) bool {
	c.settle()
	t := &c.last
	end := len(chunk) - len(t.behind)
	if t.to == nil || end < len(t.before) || string(chunk[:len(t.before)]) != t.before || string(chunk[end:]) != t.behind {
		return false
	}
	text := chunk[len(t.before):end]
	for _, b := range text {
		if b < ' ' || b == '"' || b == '\\' {
			return false
		}
	}
	if c.fits(len(text)) {
		t.to.parts.text = append(t.to.parts.text, text...)
	}
	return true
}

func (c *chunks) add(chunk value) (over bool, err error) {
	c.settle()
	c.ahead = chunk
	return false, nil
}

// settle adds the chunk that is ahead.
func (c *chunks) settle() {
	chunk := c.ahead
	if chunk == "" {
		return
	}
	c.ahead = ""
	c.added, c.text, c.to = 0, "", nil
	c.from(chunk)
	c.root.merge(chunk, c)
	c.last = template{}
	if c.added != 1 || c.to == nil {
		return
	}
	// Where in the chunk the text stands is certain only if there is no other like it.
	s, text := string(chunk), string(c.text)
	if i := strings.Index(s, text); !strings.Contains(s[i+1:], text) {
		c.last = template{s[:i+1], s[i+len(text)-1:], c.to}
	}
}

// addedText notes a text that was added.
func (c *chunks) addedText(to *node, text value) {
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
	fit := c.size+c.nodes*nodeSize <= maxStream
	c.cut = c.cut || !fit
	return fit
}

// nodeSize is that of a node without what it has, in bytes.
const nodeSize = 256

// from says which chunk the parts that are added next are of. A node may keep it in memory
// if it is about as small as the node.
func (c *chunks) from(chunk value) { c.long = len(chunk) > 2*nodeSize }

// own returns a part of the chunk that is being added to keep.
func (c *chunks) own(part string) string {
	if c.long {
		return strings.Clone(part)
	}
	return part
}

// node returns a new node and whether it may go beside so many others. If not, it is
// one to be thrown away.
func (c *chunks) node(n node, others int) (_ *node, ok bool) {
	c.nodes++
	if ok = others < maxBranches && c.fits(0); !ok {
		c.cut = true
		lost := n // as n itself shall not be allocated
		return &lost, false
	}
	if len(c.spareNodes) == 0 {
		c.spareNodes = make([]node, 12)
	}
	fresh := &c.spareNodes[0]
	c.spareNodes = c.spareNodes[1:]
	*fresh = n
	return fresh, true
}

// newParts returns new parts.
func (c *chunks) newParts() *parts {
	if len(c.spareParts) == 0 {
		c.spareParts = make([]parts, 6)
	}
	p := &c.spareParts[0]
	c.spareParts = c.spareParts[1:]
	return p
}

// finish takes a clean end for one: not all servers send [DONE].
func (c *chunks) finish() error { return nil }

func (c *chunks) object() value {
	c.settle()
	var b strings.Builder
	b.Grow(c.size + c.nodes*len(`"a_usual_member":,`))
	c.root.write(&b)
	return value(b.String())
}

func (c *chunks) truncated() bool {
	c.settle()
	return c.cut
}

// result folds a stream whose last event has the whole result.
type result struct {
	kind  string // of that event
	event value
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
		r.event = event
		return true, nil
	case r.parts != nil:
		return r.parts.add(event)
	default:
		return false, nil
	}
}

// finish is asked only when the result has not come.
func (r *result) finish() error { return errUnfinished }

func (r *result) object() value {
	if r.event == "" && r.parts != nil {
		return r.parts.object()
	}
	return r.event
}

func (r *result) truncated() bool { return r.event == "" && r.parts != nil && r.parts.truncated() }

// node is a part of what the chunks of a stream add up to. It keeps text as it came,
// still escaped: that saves decoding it, and half a surrogate pair at the end of a
// chunk finds its other half.
type node struct {
	key   string // of a member, in the chunks
	index int64  // of an item
	rule  *rule
	raw   value  // that of a chunk, which it keeps in memory
	parts *parts // in place of raw: what has come in more than one
}

// parts is what a node has that grows.
type parts struct {
	kind  byte    // '"' has text, '{' nodes, and '[' one of them
	text  []byte  // without quotes, or items with commas between
	nodes []*node // members, or items by their index
	next  int     // where in nodes the next member is likely to be
}

// kind returns what a node with parts is, 0 for one without.
func (n *node) kind() byte {
	if n.parts == nil {
		return 0
	}
	return n.parts.kind
}

// become makes n a node with parts of that kind.
func (n *node) become(kind byte, c *chunks) *parts {
	if n.parts == nil {
		n.parts = c.newParts()
	}
	n.parts.kind = kind
	return n.parts
}

// merge joins v with what is there.
func (n *node) merge(v value, c *chunks) {
	if !v.exists() {
		return
	}
	how := n.rule.how
	is := func(kind byte) bool { return v.kind() == kind && (n.kind() == kind || n.parts == nil && n.raw == "") }
	switch {
	case (how == concat || how == once) && is('"'):
		text := v[1 : len(v)-1]
		p := n.become('"', c)
		c.addedText(n, v)
		if (how == concat || string(p.text) != string(text)) && c.fits(len(text)) {
			if p.text == nil {
				p.text = make([]byte, 0, max(len(text), 64)) // there is more to come
			}
			p.text = append(p.text, text...)
		}
	case how == indexed && is('['):
		n.become('[', c)
		for _, item := range v.items() {
			n.item(item, c).merge(item, c)
		}
	case how == placed && is('['):
		n.become('[', c)
		for i, item := range v.items() {
			n.at(int64(i), c).merge(item, c)
		}
	case (how == byType || how == indexed) && is('{'):
		n.become('{', c)
		for key, m := range v.members() {
			if m.exists() {
				n.member(key, c).merge(m, c)
			}
		}
	case (how == byType || how == flat) && is('['):
		p := n.become('[', c)
		for _, item := range v.items() {
			c.added++
			if !c.fits(len(item) + 1) {
				return
			}
			if len(p.text) > 0 {
				p.text = append(p.text, ',')
			}
			p.text = append(p.text, item...)
		}
	case n.raw != v && c.fits(max(0, len(v)-len(n.raw))):
		n.raw, n.parts = value(c.own(string(v))), nil
	}
}

// member returns the member with that key, a new one if there is none. The chunks of
// a stream have their members in the same order.
func (n *node) member(key string, c *chunks) *node {
	p := n.parts
	for range p.nodes {
		if p.next >= len(p.nodes) {
			p.next = 0
		}
		m := p.nodes[p.next]
		p.next++
		if m.key == key {
			return m
		}
	}
	m, ok := c.node(node{key: c.own(key), rule: n.rule.field(key)}, len(p.nodes))
	if !ok {
		return m
	}
	if p.nodes == nil {
		p.nodes = make([]*node, 0, 8)
	}
	p.nodes = append(p.nodes, m)
	p.next = len(p.nodes)
	return m
}

// item returns the item of a list that v belongs to: the one with its index, or
// without one, as some servers send tool calls, with its id, or else the last.
func (n *node) item(v value, c *chunks) *node {
	index, ok := v.get("index").integer()
	if items := n.parts.nodes; !ok && len(items) > 0 {
		last := items[len(items)-1]
		id := v.get("id")
		if id.str() == "" {
			return last
		}
		for _, item := range items {
			if item.has("id", id) {
				return item
			}
		}
		index = last.index + 1
	}
	return n.at(index, c)
}

// has reports whether a member of n is the string v.
func (n *node) has(key string, v value) bool {
	return n.kind() == '{' && slices.ContainsFunc(n.parts.nodes, func(m *node) bool {
		return m.key == key && m.kind() == '"' && string(m.parts.text) == string(v[1:len(v)-1])
	})
}

// at returns the item of a list with that index, a new one if there is none.
func (n *node) at(index int64, c *chunks) *node {
	p := n.become('[', c)
	at, found := slices.BinarySearchFunc(p.nodes, index, func(item *node, index int64) int { return cmp.Compare(item.index, index) })
	if found {
		return p.nodes[at]
	}
	item, ok := c.node(node{rule: n.rule.items, index: index}, len(p.nodes))
	if ok {
		p.nodes = slices.Insert(p.nodes, at, item)
	}
	return item
}

// in returns the member of an object with that key, a new one if there is none.
func (n *node) in(key string, c *chunks) *node {
	n.become('{', c)
	return n.member(key, c)
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

// isEmpty reports whether there is nothing in n.
func (n *node) isEmpty() bool {
	if n.parts == nil {
		return n.raw == "" || n.raw == `""` || n.raw == "{}" || n.raw == "[]"
	}
	return len(n.parts.text) == 0 && !slices.ContainsFunc(n.parts.nodes, func(m *node) bool { return !m.isEmpty() })
}

// write writes n as JSON, without what is empty.
func (n *node) write(b *strings.Builder) {
	switch kind := n.kind(); {
	case n.isEmpty():
	case kind == 0:
		b.WriteString(string(n.raw))
	case kind == '"':
		b.WriteByte('"')
		b.Write(n.parts.text)
		b.WriteByte('"')
	default:
		b.WriteByte(kind)
		b.Write(n.parts.text)
		comma := false
		for _, m := range n.parts.nodes {
			if m.isEmpty() {
				continue
			}
			if comma {
				b.WriteByte(',')
			}
			comma = true
			if kind == '{' {
				writeQuoted(b, cmp.Or(m.rule.name, m.key))
				b.WriteByte(':')
			}
			m.write(b)
		}
		b.WriteByte(kind + 2) // the closing bracket stands two behind in ASCII
	}
}
