package config

import (
	"fmt"
	"strings"
)

// decoder walks a YAML tree into the raw structs, and remembers the line of
// every path for what is checked later.
type decoder struct {
	file     string
	unseen   bool // the text is not the user's: no line is told
	lines    map[string]int
	given    map[string]bool // paths that have a value; null is none
	bad      map[string]bool // paths that have a problem
	problems []Problem
	warnings []Problem
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, lines: map[string]int{"": 1}, given: map[string]bool{}, bad: map[string]bool{}}
}

// report notes what is wrong at a path. Only the first problem of a path is
// kept: the others follow from it.
func (d *decoder) report(path, format string, args ...any) {
	if d.bad[path] {
		return
	}
	d.bad[path] = true
	d.problems = append(d.problems, d.problem(path, format, args...))
}

func (d *decoder) warn(path, format string, args ...any) {
	d.warnings = append(d.warnings, d.problem(path, format, args...))
}

func (d *decoder) problem(path, format string, args ...any) Problem {
	p := Problem{File: d.file, Line: d.line(path), Path: path, Text: fmt.Sprintf(format, args...)}
	if d.unseen {
		p.Line = 0
	}
	return p
}

// where names a path, with its line, inside a message.
func (d *decoder) where(path string) string {
	if _, ok := d.lines[path]; !ok {
		return path + " (by default)"
	}
	if d.unseen {
		return path
	}
	return fmt.Sprintf("%s (line %d)", path, d.line(path))
}

// line is that of the path or of the nearest one around it.
func (d *decoder) line(path string) int {
	for {
		if n, ok := d.lines[path]; ok {
			return n
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}
