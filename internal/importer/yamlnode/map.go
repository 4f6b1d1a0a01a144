package yamlnode

import (
	"fmt"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// Map is a mapping whose keys are taken one by one, so that none is forgotten.
// It is for one goroutine.
type Map struct {
	node  Node
	taken map[string]bool
}

// Open begins with a mapping; with all else there is nothing to take.
func Open(n Node) *Map { return &Map{node: n, taken: make(map[string]bool)} }

// At is where the mapping begins.
func (m *Map) At() plan.Source { return m.node.At() }

// Take is the value of a key, which is taken with that.
func (m *Map) Take(key string) Node {
	m.taken[key] = true
	return m.node.Get(key)
}

// Rest are the pairs that were not taken, in the order of the file.
func (m *Map) Rest() []Pair {
	var rest []Pair
	for _, p := range m.node.Pairs() {
		if !m.taken[p.Key] {
			rest = append(rest, p)
		}
	}
	return rest
}

// Doubles notes the keys that stand more than once.
func (m *Map) Doubles(p *plan.Plan) {
	first := make(map[string]int)
	for _, pair := range m.node.Pairs() {
		line, there := first[pair.Key]
		if !there {
			first[pair.Key] = pair.At.Line
			continue
		}
		p.Note(plan.Fault, pair.At, Word(pair.Key), fmt.Sprintf("it stands in line %d already, which is the one that was read; remove one of them", line))
	}
}

// Needless notes all that is left as needless, in one note for all keys: why ends
// the sentence that their names begin.
func (m *Map) Needless(p *plan.Plan, what, why string) {
	rest := m.Rest()
	if len(rest) == 0 {
		return
	}
	keys := make([]string, len(rest))
	for i, pair := range rest {
		keys[i] = pair.Key
	}
	p.Note(plan.Needless, rest[0].At, what+Words(keys), why)
}

// Given reports whether there is a mapping at all, be it empty.
func (m *Map) Given() bool { return m.node.Given() }
