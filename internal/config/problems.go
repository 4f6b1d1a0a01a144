package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a file, and where.
type Problem struct {
	File string
	Line int    // from 1; 0 when the text came from no file
	Path string // as in vips[0].address; "" is the file as a whole
	Text string // what is wrong, what would be right
}

// String is FILE:LINE: PATH: TEXT, without the parts that are not there.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Path != "" {
		b.WriteString(": " + p.Path)
	}
	b.WriteString(": " + p.Text)
	return b.String()
}

// Error is everything that is wrong with a file, sorted by line. Parse, Load
// and Embedded return it as an *Error, so that errors.As finds it.
type Error struct {
	Problems []Problem // at least one
}

// Error is one line per problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sortProblems sorts by line and keeps the order of discovery within one.
func sortProblems(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
}
