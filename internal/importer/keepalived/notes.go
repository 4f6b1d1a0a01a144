package keepalived

import (
	"fmt"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// What one note names at most: things, and further places.
const (
	maxNamed  = 10
	maxPlaces = 4
)

// notebook gathers notes, and makes one of those that say the same.
type notebook struct {
	list  []*entry
	index map[group]*entry
}

// group is what notes have in common that become one: why, and for faults what.
type group struct {
	level plan.Level
	why   string
	what  string
}

type entry struct {
	group
	named  []string
	places []plan.Source
	seen   map[string]bool
	at     map[plan.Source]bool
}

func (n *notebook) add(level plan.Level, at plan.Source, what, why string) {
	g := group{level: level, why: why}
	if level == plan.Fault {
		g.what = what
	}
	if n.index == nil {
		n.index = map[group]*entry{}
	}
	e := n.index[g]
	if e == nil {
		e = &entry{group: g, seen: map[string]bool{}, at: map[plan.Source]bool{}}
		n.index[g] = e
		n.list = append(n.list, e)
	}
	if !e.seen[what] {
		e.seen[what] = true
		e.named = append(e.named, what)
	}
	if !e.at[at] {
		e.at[at] = true
		e.places = append(e.places, at)
	}
}

// notes are all, worst first. Each stands where its first thing does, and names
// some of the other places.
func (n *notebook) notes() []plan.Note {
	var out []plan.Note
	for _, e := range n.list {
		out = append(out, plan.Note{Level: e.level, At: e.places[0], What: e.text(), Why: e.why})
	}
	return plan.Sort(out)
}

func (e *entry) text() string {
	named := e.named[:min(len(e.named), maxNamed)]
	text := strings.Join(named, ", ")
	if more := len(e.named) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	rest := e.places[1:]
	if len(rest) == 0 {
		return text
	}
	var places []string
	for _, at := range rest[:min(len(rest), maxPlaces)] {
		places = append(places, brief(at, e.places[0]))
	}
	if more := len(rest) - len(places); more > 0 {
		places = append(places, fmt.Sprintf("%d more", more))
	}
	return text + " (also " + strings.Join(places, ", ") + ")"
}

// brief leaves the file out where it is the same.
func brief(at, first plan.Source) string {
	if at.File == first.File && at.Line > 0 {
		return fmt.Sprintf("line %d", at.Line)
	}
	return at.String()
}
