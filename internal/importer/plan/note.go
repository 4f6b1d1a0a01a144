package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/kshalb/kshalb/internal/printable"
)

// Level is how bad a [Note] is. The worst is the smallest.
type Level int

// The levels.
const (
	// Fault: it cannot be right as it stands, there or here; look at it first.
	Fault Level = iota
	// Lost: it did something, and kshalb has nothing like it.
	Lost
	// Changed: kshalb does it in another way, or with another value.
	Changed
	// Needless: what it was for has no place in kshalb, or is always so.
	Needless
)

var levelNames = [...]string{"fault", "lost", "changed", "needless"}

func (l Level) String() string { return levelNames[l] }

// Note is something in the source that did not become a value as it stands.
type Note struct {
	Level Level
	At    Source
	What  string // the thing itself in a few words, as the source has it; never a password
	Why   string // why it was not carried over as it is, and what to do about it
}

// String is one line, without signs that a terminal or YAML would act on.
func (n Note) String() string {
	return printable.Text(fmt.Sprintf("%s: %s: %s: %s", n.At, n.Level, n.What, n.Why))
}

// Note adds one.
func (p *Plan) Note(l Level, at Source, what, why string) {
	p.Notes = append(p.Notes, Note{l, at, what, why})
}

// Sort puts the notes in order, worst first, then by file and line, and drops
// doubles.
func Sort(notes []Note) []Note {
	notes = slices.Clone(notes)
	slices.SortStableFunc(notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line))
	})
	return slices.Compact(notes)
}
