package keepalived

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxNest is how deep blocks may stand in each other; keepalived's go to 5.
const maxNest = 16

// node is a statement: a keyword with its words and, with braces, what stands in
// them.
type node struct {
	key   string
	args  []string
	at    plan.Source
	block bool
	kids  []*node
}

// arg is a word behind the keyword; "" is none.
func (n *node) arg(i int) string {
	if i < len(n.args) {
		return n.args[i]
	}
	return ""
}

// builder makes a tree of lines.
type builder struct {
	notes *notebook
	stack []*node // the blocks that are open
	words []string
	deep  int // blocks that are left out
}

func build(lines []line, notes *notebook) *node {
	b := &builder{notes: notes, stack: []*node{{block: true}}}
	for _, l := range lines {
		b.line(l)
	}
	for _, open := range b.stack[1:] {
		notes.add(plan.Fault, open.at, open.key+" {", "no } closes it; what follows is taken as part of it, so mend that first")
	}
	return b.stack[0]
}

func (b *builder) line(l line) {
	if strings.HasPrefix(l.text, "{%") || strings.HasPrefix(l.text, "{{") {
		template(b.notes, l.at)
		if _, n, _ := wordIn(l.text, 0); n == len(l.text) {
			return // a line of the template's own
		}
	}
	tokens, closed := split(l.text)
	if !closed {
		b.notes.add(plan.Fault, l.at, `"`, "a quote is not closed; close it where it belongs")
	}
	for _, t := range tokens {
		switch t.brace {
		case '{':
			b.begin(l.at)
		case '}':
			b.flush(l.at)
			b.end(l.at)
		default:
			b.words = append(b.words, t.text)
		}
	}
	b.flush(l.at)
}

// flush ends a statement.
func (b *builder) flush(at plan.Source) *node {
	if len(b.words) == 0 || b.deep > 0 {
		b.words = nil
		return nil
	}
	n := &node{key: b.words[0], args: b.words[1:], at: at}
	b.words = nil
	top := b.stack[len(b.stack)-1]
	top.kids = append(top.kids, n)
	return n
}

// begin opens the block of the statement before it, on the same line or not.
func (b *builder) begin(at plan.Source) {
	if b.deep > 0 || len(b.stack) > maxNest {
		b.flush(at)
		if b.deep++; b.deep == 1 {
			b.notes.add(plan.Fault, at, "{", "blocks stand more than 16 deep in each other; this one is left out")
		}
		return
	}
	n := b.flush(at)
	if kids := b.stack[len(b.stack)-1].kids; n == nil && len(kids) > 0 && !kids[len(kids)-1].block {
		n = kids[len(kids)-1]
	}
	if n == nil {
		b.notes.add(plan.Fault, at, "{", "no keyword stands before it; what is in it is left out")
		n = &node{at: at}
	}
	n.block = true
	b.stack = append(b.stack, n)
}

func (b *builder) end(at plan.Source) {
	switch {
	case b.deep > 0:
		b.deep--
	case len(b.stack) == 1:
		b.notes.add(plan.Fault, at, "}", "no block is open; one } too many, or a { is missing before")
	default:
		b.stack = b.stack[:len(b.stack)-1]
	}
}
