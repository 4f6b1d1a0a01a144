package keepalived

import (
	"errors"
	"path"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// The bounds of what is read, well above what people write. keepalived's own lines
// have 1023 bytes.
const (
	maxFile  = 1 << 20 // bytes
	maxText  = 4 << 20 // bytes of all lines, included and put in
	maxLine  = 4096    // bytes, also with variables in their place
	maxSteps = 300000  // lines looked at, put in or not
	maxFiles = 256     // included
	maxDepth = 16      // of includes, and of definitions in definitions
)

var (
	errFile  = errors.New("it is larger than 1 MiB, which no configuration of keepalived for Kubernetes is")
	errText  = errors.New("it is larger than 4 MiB with its includes and variables put in")
	errSteps = errors.New("it has more than 300000 lines with its includes and variables put in")
)

// line is one that keepalived's parser would see: without comment, with conditions
// decided and variables put in.
type line struct {
	text string
	at   plan.Source
}

// scanner makes lines of a file and of those it includes, as one host reads them.
type scanner struct {
	in    plan.Input
	id    string // what conditions are compared with; "": not known
	notes *notebook

	lines   []line
	size    int
	steps   int
	reads   int // includes
	err     error
	ids     []string // that conditions name, in order
	defs    map[string]*definition
	open    *definition     // of several lines, not at its end yet
	opened  map[string]bool // files, of the includes under way
	files   map[string]bool // that were included
	pending bool            // the next word is a password
}

func scan(in plan.Input, f plan.File, id string, notes *notebook) (*scanner, error) {
	s := &scanner{in: in, id: id, notes: notes, defs: map[string]*definition{}, opened: map[string]bool{}, files: map[string]bool{}}
	s.file(f)
	return s, s.err
}

func (s *scanner) file(f plan.File) {
	if len(f.Data) > maxFile {
		s.fail(plan.Source{File: f.Name}, errFile)
		return
	}
	s.opened[f.Name] = true
	defer delete(s.opened, f.Name)
	number := 0
	for raw := range strings.Lines(strings.TrimPrefix(string(f.Data), "\ufeff")) {
		number++
		s.physical(line{raw, plan.Source{File: f.Name, Line: number}})
		if s.err != nil {
			return
		}
	}
	s.open, s.pending = nil, false
}

func (s *scanner) fail(at plan.Source, err error) {
	if s.err == nil {
		s.err = &plan.Error{At: at, Err: err}
	}
}

// physical takes a line as the file has it.
func (s *scanner) physical(l line) {
	s.step(l.at)
	if len(l.text) > maxLine {
		s.notes.add(plan.Fault, l.at, "a line of more than 4096 bytes", "keepalived's lines have 1023 bytes, and it is left out; mend it")
		return
	}
	l.text, s.pending = hide(l.text, s.pending)
	if strings.HasPrefix(strings.TrimSpace(l.text), "{#") {
		template(s.notes, l.at) // a comment of the template's own
		return
	}
	l.text = uncomment(l.text)
	if s.open != nil {
		s.more(l)
		return
	}
	s.logical(l, 0)
}

// logical takes a line without comment, from a file or a definition.
func (s *scanner) logical(l line, depth int) {
	s.step(l.at)
	text, ok := s.condition(l)
	l.text = text
	switch {
	case s.err != nil || !ok || l.text == "":
	case s.define(l):
	case strings.HasPrefix(l.text, "~"):
		s.notes.add(plan.Fault, l.at, generator(l.text), "lines that keepalived makes by itself are not read; write them out one by one, then read the file again")
	case s.expand(l, depth):
	case s.include(l):
	default:
		s.put(l)
	}
}

// step bounds the work that few bytes can ask for.
func (s *scanner) step(at plan.Source) {
	if s.steps++; s.steps > maxSteps {
		s.fail(at, errSteps)
	}
}

func (s *scanner) put(l line) {
	s.size += len(l.text) + 1
	if s.size > maxText {
		s.fail(l.at, errText)
		return
	}
	s.lines = append(s.lines, l)
}

func generator(text string) string {
	for _, g := range []string{"~SEQx", "~SEQ", "~LST"} {
		if strings.HasPrefix(text, g) {
			return g
		}
	}
	return "~"
}

// folder is what ${_PWD} stands for.
func folder(file string) string { return path.Dir(file) }
