package keepalived

import (
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// includes are the words that read another file; the longer ones only differ in
// what keepalived complains about.
var includes = map[string]bool{"include": true, "includer": true, "includem": true, "includew": true, "includeb": true, "includea": true}

const manyFiles = "there are more than 256 files, or 16 one in another; it is left out"

// include reads the files that a line names, in its place.
func (s *scanner) include(l line) bool {
	if !strings.HasPrefix(l.text, "include") {
		return false
	}
	tokens, _ := split(l.text)
	if !includes[tokens[0].text] {
		return false
	}
	what := "include"
	if len(tokens) != 2 || tokens[1].brace != 0 {
		s.notes.add(plan.Fault, l.at, what, "it takes one name or pattern of files; mend it")
		return true
	}
	pattern := tokens[1].text
	what += " " + label(pattern)
	if s.reads >= maxFiles {
		s.notes.add(plan.Fault, l.at, what, manyFiles)
		return true
	}
	files, err := s.glob(l.at.File, pattern)
	switch {
	case err != nil:
		s.notes.add(plan.Fault, l.at, what, "it cannot be read; make it readable, or put its lines here")
	case len(files) == 0:
		s.notes.add(plan.Fault, l.at, what, "no file is there; what it would say is missing here, so give the files along with this one")
	}
	for _, f := range files {
		s.enter(l, f)
	}
	return true
}

func (s *scanner) glob(from, pattern string) ([]plan.File, error) {
	if s.in.Glob == nil {
		return nil, nil
	}
	return s.in.Glob(from, pattern)
}

func (s *scanner) enter(l line, f plan.File) {
	switch {
	case s.err != nil:
	case s.opened[f.Name]:
		s.notes.add(plan.Fault, l.at, "include "+label(f.Name), "it includes itself, directly or by others; take one of the includes away")
	case s.reads >= maxFiles || len(s.opened) >= maxDepth:
		s.notes.add(plan.Fault, l.at, "include "+label(f.Name), manyFiles)
	default:
		s.reads++
		s.files[f.Name] = true
		s.file(f)
	}
}
