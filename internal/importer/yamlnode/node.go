package yamlnode

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

type kind int

const (
	nothing kind = iota // absent, or null
	scalar
	sequence
	mapping
)

// Node is a value of a file. The zero value is one that is absent. Nodes are
// never changed; any number of goroutines may read them.
type Node struct {
	kind    kind
	text    string
	literal bool // a block of lines as they stand (|)
	items   []Node
	pairs   []Pair
	at      plan.Source
}

// Pair is a key and its value.
type Pair struct {
	Key   string // it may be anything, a password on a bad line too: show it by [Word]
	At    plan.Source
	Value Node
}

// At is where the node begins; the zero value for one that is absent.
func (n Node) At() plan.Source { return n.at }

// Given reports whether there is a value, and it is not null.
func (n Node) Given() bool { return n.kind != nothing }

// IsText reports whether it is a scalar, such as a text, a number or true.
func (n Node) IsText() bool { return n.kind == scalar }

// IsMap reports whether it is a mapping.
func (n Node) IsMap() bool { return n.kind == mapping }

// IsList reports whether it is a sequence.
func (n Node) IsList() bool { return n.kind == sequence }

// Text is a scalar as it was written, without quotes and without blanks around
// it; "" for all else.
func (n Node) Text() string { return strings.TrimSpace(n.text) }

// Raw is a scalar with all its blanks and ends of lines; "" for all else.
func (n Node) Raw() string { return n.text }

// Items are those of a sequence; none for all else.
func (n Node) Items() []Node { return n.items }

// Pairs are those of a mapping in the order of the file, doubles and all; none
// for all else.
func (n Node) Pairs() []Pair { return n.pairs }

// Get is the value at a path of keys; absent if there is none. Of doubles it is
// the first.
func (n Node) Get(path ...string) Node {
	for _, key := range path {
		n = n.get(key)
	}
	return n
}

func (n Node) get(key string) Node {
	for _, p := range n.pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return Node{}
}

// Texts are the scalars of a sequence, or the one that stands in place of one.
func (n Node) Texts() []Node {
	if n.kind == scalar {
		return []Node{n}
	}
	var texts []Node
	for _, item := range n.items {
		if item.kind == scalar {
			texts = append(texts, item)
		}
	}
	return texts
}

// Documents are those in a text that holds YAML itself, as in a ConfigMap. Lines
// are those of the file as far as that is known. The error is a *plan.Error.
func (n Node) Documents() ([]Node, error) {
	if n.literal {
		return documents(n.at.File, []byte(n.text), n.at.Line, 0)
	}
	return documents(n.at.File, []byte(n.text), 0, max(1, n.at.Line))
}

// Text makes a node of a text that stands somewhere else than as a value, such as
// a key.
func Text(text string, at plan.Source) Node { return Node{kind: scalar, text: text, at: at} }
