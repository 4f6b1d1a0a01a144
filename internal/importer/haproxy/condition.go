package haproxy

import (
	"errors"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// block is an .if that is open (section 2.4).
type block struct {
	line
	taken bool // one of its parts was read, or is not to be
	skip  bool // the part that we are in is not read
}

func (s *scanner) skipped() bool {
	for _, b := range s.blocks {
		if b.skip {
			return true
		}
	}
	return false
}

// maxBlocks is how deep .if may be nested; HAProxy's MAXNESTEDCONDS.
const maxBlocks = 16

// maxCondition is how long a condition may be, in bytes.
const maxCondition = 4 << 10

var errBlocks = errors.New("more than 16 .if are open, which HAProxy refuses")

// directive is a line that begins with a dot.
func (s *scanner) directive(l line) error {
	top := len(s.blocks) - 1
	switch word := l.words[0]; {
	case word == ".if" && len(s.blocks) == maxBlocks:
		return errBlocks
	case word == ".if":
		b := block{line: l}
		if !s.skipped() {
			s.part(&b, l)
		}
		s.blocks = append(s.blocks, b)
	case word != ".elif" && word != ".else" && word != ".endif":
		if !s.skipped() {
			s.notes.add(plan.Needless, l, quote(word), "it tells something while HAProxy starts")
		}
	case top < 0:
		s.notes.add(plan.Fault, l, word, "there is no .if before it; HAProxy refuses the file")
	case word == ".endif":
		s.blocks = s.blocks[:top]
	case s.blocks[top].taken:
		s.blocks[top].skip = true
	case word == ".else":
		s.blocks[top].taken, s.blocks[top].skip = true, false
	default:
		s.blocks[top].skip = false
		if !s.skipped() {
			s.part(&s.blocks[top], l)
		}
	}
	return nil
}

// part is .if or .elif. Of a condition that cannot be told here nothing is read,
// up to its .endif.
func (s *scanner) part(b *block, l line) {
	text := strings.Join(l.from(1), " ")
	yes, told := false, false
	if len(text) <= maxCondition {
		yes, told = s.holds(text)
	}
	b.skip, b.taken = !yes, yes || !told
	if !told {
		s.notes.add(plan.Lost, l, l.words[0], "its condition can't be told here, so the lines up to .endif were left out; "+
			"write the file as it is meant for this host and read it again")
	}
}

// holds evaluates a condition: what is known without HAProxy itself. || binds
// weaker than &&.
func (s *scanner) holds(text string) (yes, told bool) {
	if before, after, both := strings.Cut(text, "||"); both {
		a, toldA := s.holds(before)
		b, toldB := s.holds(after)
		return a || b, toldA && toldB || toldA && a || toldB && b
	}
	if before, after, both := strings.Cut(text, "&&"); both {
		a, toldA := s.holds(before)
		b, toldB := s.holds(after)
		return a && b, toldA && toldB || toldA && !a || toldB && !b
	}
	if after, not := strings.CutPrefix(strings.TrimSpace(text), "!"); not {
		yes, told = s.holds(after)
		return told && !yes, told
	}
	return s.predicate(strings.TrimSpace(text))
}

// predicate is one term of a condition. Of versions the newest HAProxy is taken.
func (s *scanner) predicate(text string) (yes, told bool) {
	name, args, call := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	if !call {
		return text == "true" || text != "0" && isNumber(text), text == "" || text == "true" || text == "false" || isNumber(text)
	}
	a, b, _ := strings.Cut(args, ",")
	switch name {
	case "defined":
		_, yes = s.env(args)
		return yes, true
	case "streq":
		return strings.TrimSpace(a) == strings.TrimSpace(b), true
	case "strneq":
		return strings.TrimSpace(a) != strings.TrimSpace(b), true
	case "version_atleast":
		return true, true
	case "version_before":
		return false, true
	}
	return false, false
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
