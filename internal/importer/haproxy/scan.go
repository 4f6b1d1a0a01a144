package haproxy

import (
	"errors"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// The bounds of what is read, well above what people write.
const (
	maxFile     = 1 << 20 // bytes
	maxSections = 2000
	maxExpanded = 4 << 20 // bytes of all words, with variables in their place
)

var (
	errFile     = errors.New("it is larger than 1 MiB, which no configuration of HAProxy for Kubernetes is")
	errSections = errors.New("it has more than 2000 sections")
	errExpanded = errors.New("it is larger than 4 MiB once its variables are put in")
)

// scanner splits files into sections.
type scanner struct {
	getenv   func(string) (string, bool)
	set      map[string]variable
	notes    *notebook
	blocks   []block
	sections []*section
	section  *section
	size     int
}

// variable is what the file itself says of one.
type variable struct {
	value string
	known bool
}

func (s *scanner) file(f plan.File) error {
	if len(f.Data) > maxFile {
		return &plan.Error{At: plan.Source{File: f.Name}, Err: errFile}
	}
	s.section, s.blocks = nil, nil
	text := strings.TrimPrefix(string(f.Data), "\ufeff")
	number := 0
	for raw := range strings.Lines(text) {
		number++
		at := plan.Source{File: f.Name, Line: number}
		if err := s.line(at, raw); err != nil {
			return &plan.Error{At: at, Err: err}
		}
	}
	for _, b := range s.blocks {
		s.notes.add(plan.Fault, b.line, ".if", "no .endif closes it; write one")
	}
	return nil
}

func (s *scanner) line(at plan.Source, raw string) error {
	l := line{at: at}
	if s.section != nil {
		l.section = s.section.at.Line
	}
	var err error
	l.words, err = split(strings.TrimRight(raw, "\r\n"), func(name string) (string, bool) {
		value, known := s.env(name)
		if !known && l.unset == "" {
			l.unset = name
		}
		return value, known
	})
	switch {
	case err != nil && s.skipped():
		return nil
	case err != nil:
		s.notes.add(plan.Fault, l, "a line that HAProxy does not take", err.Error()+"; mend it and read the file again")
		return nil
	case len(l.words) == 0:
		return nil
	}
	for _, w := range l.words {
		s.size += len(w)
	}
	if s.size > maxExpanded {
		return errExpanded
	}
	return s.take(l)
}

// take puts a line where it belongs.
func (s *scanner) take(l line) error {
	first := l.words[0]
	switch {
	case strings.HasPrefix(first, "."):
		return s.directive(l)
	case s.skipped():
	case isSection(first):
		if len(s.sections) == maxSections {
			return errSections
		}
		l.section = l.at.Line
		s.section = newSection(l)
		s.sections = append(s.sections, s.section)
	case s.section == nil:
		s.notes.add(plan.Fault, l, "lines before the first section", "HAProxy refuses them; a file begins with global, defaults, frontend, backend or listen")
	case s.section.kind == kindGlobal && s.setenv(l):
	default:
		s.section.lines = append(s.section.lines, l)
	}
	return nil
}

// env is a variable as the lines so far have left it.
func (s *scanner) env(name string) (string, bool) {
	if v, ok := s.set[name]; ok {
		return v.value, v.known
	}
	if s.getenv == nil || strings.HasPrefix(name, ".") {
		return "", false
	}
	return s.getenv(name)
}

// setenv is a line of global about variables. Their values may be passwords.
func (s *scanner) setenv(l line) bool {
	name := l.word(1)
	_, known := s.env(name)
	switch l.words[0] {
	case "setenv":
		s.set[name] = variable{l.word(2), true}
	case "presetenv":
		if !known {
			s.set[name] = variable{l.word(2), true}
		}
	case "unsetenv":
		for _, name := range l.from(1) {
			s.set[name] = variable{}
		}
	case "resetenv":
		keep := map[string]bool{}
		for _, name := range l.from(1) {
			keep[name] = true
		}
		for name := range s.set {
			if !keep[name] {
				s.set[name] = variable{}
			}
		}
	default:
		return false
	}
	s.notes.add(plan.Needless, l, l.words[0], "variables were put in where the file uses them; kshalb.yaml has none")
	return true
}
