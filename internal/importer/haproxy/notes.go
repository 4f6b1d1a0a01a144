package haproxy

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxNamed is how many things one note names.
const maxNamed = 12

// maxQuoted is how much of a word a note quotes, in bytes.
const maxQuoted = 80

// notebook gathers notes, and makes one of those that say the same: of a file
// when they are needless, of a section else. A fault has a note of its own.
type notebook struct {
	list  []*entry
	index map[group]*entry
}

type group struct {
	level   plan.Level
	why     string
	file    string
	section int // the line where it begins
	line    int
}

type entry struct {
	group
	at   plan.Source
	what []string
	seen map[string]bool
}

func (n *notebook) add(level plan.Level, l line, what, why string) {
	g := group{level: level, why: why, file: l.at.File}
	if level != plan.Needless {
		g.section = l.section
	}
	if level == plan.Fault {
		g.line = l.at.Line
	}
	if n.index == nil {
		n.index = map[group]*entry{}
	}
	e := n.index[g]
	if e == nil {
		e = &entry{group: g, at: l.at, seen: map[string]bool{}}
		n.index[g] = e
		n.list = append(n.list, e)
	}
	e.name(l, what)
}

// name adds a thing. The note stands at the first line of those it names.
func (e *entry) name(l line, what string) {
	if l.at.Line < e.at.Line {
		e.at = l.at
	}
	if !e.seen[what] && len(e.what) < maxNamed {
		e.what = append(e.what, what)
	}
	e.seen[what] = true
}

func (n *notebook) notes() []plan.Note {
	var out []plan.Note
	for _, e := range n.list {
		what := strings.Join(e.what, ", ")
		if more := len(e.seen) - len(e.what); more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		out = append(out, plan.Note{Level: e.level, At: e.at, What: what, Why: e.why})
	}
	return plan.Sort(out)
}

// quote is words as notes have them: short, and printable.
func quote(words ...string) string {
	text := strings.TrimSpace(strings.Join(words, " "))
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, text)
	if clean == "" {
		return `""`
	}
	if len(clean) > maxQuoted {
		clean = strings.ToValidUTF8(clean[:maxQuoted], "") + "..."
	}
	return clean
}
