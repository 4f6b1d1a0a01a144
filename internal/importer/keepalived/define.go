package keepalived

import (
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// definition is a variable: one line of text, or several.
type definition struct {
	lines []line
	multi bool
}

var (
	assignment = regexp.MustCompile(`^\$([A-Za-z_]\w*)=[ \t]*(.*)$`)
	// reference is $NAME before a blank, a comma, a bracket or the end; or ${NAME},
	// which may have numbers behind the name.
	reference = regexp.MustCompile(`\$(?:\{([A-Za-z_]\w*)([ 0-9]*)\}|([A-Za-z_]\w*)(?:[ \t,)]|$))`)
)

// define takes $NAME=VALUE. A backslash at the end has the next line go on.
func (s *scanner) define(l line) bool {
	m := assignment.FindStringSubmatch(l.text)
	if m == nil {
		return false
	}
	d := &definition{}
	s.defs[m[1]] = d
	l.text = m[2]
	if strings.HasSuffix(l.text, `\`) {
		d.multi, s.open = true, d
		l.text = strings.TrimRight(strings.TrimSuffix(l.text, `\`), " \t")
		if l.text == "" {
			return true
		}
	}
	d.lines = append(d.lines, l)
	return true
}

// more goes on with a definition of several lines.
func (s *scanner) more(l line) {
	d := s.open
	if text, goesOn := strings.CutSuffix(l.text, `\`); goesOn {
		l.text = strings.TrimRight(text, " \t")
	} else {
		s.open = nil
	}
	if l.text == "" {
		return
	}
	s.size += len(l.text)
	d.lines = append(d.lines, l)
}

// expand puts variables into a line. It reports whether it has dealt with the line:
// one that changed is looked at anew, as keepalived does.
func (s *scanner) expand(l line, depth int) bool {
	if strings.IndexByte(l.text, '$') < 0 {
		return false
	}
	if depth > maxDepth {
		s.notes.add(plan.Fault, l.at, "variables in variables", "they go round in circles, or more than 16 deep; the line is left out, mend it")
		return true
	}
	text, tail, changed := s.substitute(l)
	if !changed {
		return false
	}
	if len(text) > maxLine {
		s.notes.add(plan.Fault, l.at, "variables", "with them the line has more than 4096 bytes, which keepalived does not take either; mend it")
		return true
	}
	s.size += len(text)
	if s.size > maxText {
		s.fail(l.at, errText)
		return true
	}
	at := l.at
	if len(tail) > 0 {
		at = tail[0].at
		tail = tail[1:]
	}
	s.logical(line{strings.TrimRight(text, " \t"), at}, depth+1)
	for _, next := range tail {
		s.logical(next, depth+1)
	}
	return true
}

// substitute puts in every variable that is known, once. One of several lines ends
// the line; tail then has all of its lines, the first of which is in text already.
func (s *scanner) substitute(l line) (text string, tail []line, changed bool) {
	var b strings.Builder
	rest := l.text
	for {
		m := reference.FindStringSubmatchIndex(rest)
		if m == nil {
			break
		}
		name, end := nameIn(rest, m)
		lines, ok := s.value(name, l.at, m[4] >= 0 && strings.TrimSpace(rest[m[4]:m[5]]) != "")
		last := strings.TrimSpace(rest[end:]) == ""
		switch {
		case !ok || len(lines) > 1 && !last:
			b.WriteString(rest[:end])
			rest = rest[end:]
			continue
		case len(lines) > 1:
			tail = lines
		}
		changed = true
		b.WriteString(rest[:m[0]])
		if len(lines) > 0 {
			b.WriteString(lines[0].text)
		}
		rest = rest[end:]
		if b.Len() > maxLine {
			break
		}
	}
	return b.String() + rest, tail, changed
}

// nameIn is the name in a match of reference, and where it ends.
func nameIn(text string, m []int) (name string, end int) {
	if m[2] >= 0 {
		return text[m[2]:m[3]], m[1]
	}
	return text[m[6]:m[7]], m[7]
}

// value is what a variable stands for.
func (s *scanner) value(name string, at plan.Source, numbers bool) ([]line, bool) {
	if d, ok := s.defs[name]; ok && !numbers {
		return d.lines, true
	}
	switch name {
	case "_PWD":
		return []line{{folder(at.File), at}}, true
	case "_INSTANCE":
		return []line{{s.id, at}}, s.id != ""
	case "_HASH":
		return []line{{"#", at}}, true
	case "_BANG":
		return []line{{"!", at}}, true
	}
	return nil, false
}
