package haproxy

import (
	"errors"
	"strings"
)

// What keeps a line from being split into words. None of them quotes it.
var (
	errQuote = errors.New("a quote is not closed")
	errBrace = errors.New("a ${ is not closed by }")
	errName  = errors.New("$ is not followed by the name of a variable")
	errHex   = errors.New(`\x is not followed by two hexadecimal digits`)
	errLong  = errors.New("it is too long")
)

// maxLine is how many bytes the words of a line may have in all, so that
// variables can't make one that is endless. HAProxy's own limit is 2048 at first,
// and grows.
const maxLine = 64 << 10

// splitter makes words of a line (section 2.2, "Quoting and escaping").
type splitter struct {
	in     string
	env    func(name string) (string, bool)
	words  []string
	word   strings.Builder
	open   bool // there is a word, if an empty one
	single bool // between '
	double bool // between "
	size   int
}

// split returns the words of a line without its comment. env has the variables.
func split(text string, env func(string) (string, bool)) ([]string, error) {
	s := &splitter{in: text, env: env}
	for s.in != "" {
		if err := s.step(); err != nil {
			return nil, err
		}
		if s.size > maxLine {
			return nil, errLong
		}
	}
	if s.single || s.double {
		return nil, errQuote
	}
	s.end()
	return s.words, nil
}

func (s *splitter) step() error {
	c := s.in[0]
	quoted := s.single || s.double
	switch {
	case c == '#' && !quoted:
		s.in = ""
	case c == '"' && !s.single:
		s.double, s.open, s.in = !s.double, true, s.in[1:]
	case c == '\'' && !s.double:
		s.single, s.open, s.in = !s.single, true, s.in[1:]
	case c == '\\' && !s.single:
		return s.escape()
	case isSpace(c) && !quoted:
		s.end()
		s.in = s.in[1:]
	case c == '$' && s.double:
		return s.expandVariable()
	default:
		s.emit(c)
		s.in = s.in[1:]
	}
	return nil
}

// escape is a backslash and what follows. Before other characters than these it
// is a character like others.
func (s *splitter) escape() error {
	next := byte(0)
	if len(s.in) > 1 {
		next = s.in[1]
	}
	switch {
	case strings.IndexByte(` \#'"`, next) >= 0 && next != 0, next == '$' && s.double:
		s.emit(next)
	case next == 't':
		s.emit('\t')
	case next == 'n':
		s.emit('\n')
	case next == 'r':
		s.emit('\r')
	case next == 'x':
		return s.hex()
	default:
		s.emit('\\')
		s.in = s.in[1:]
		return nil
	}
	s.in = s.in[2:]
	return nil
}

func (s *splitter) hex() error {
	const digits = "0123456789abcdef"
	if len(s.in) < 4 {
		return errHex
	}
	text := strings.ToLower(s.in[2:4])
	high, low := strings.IndexByte(digits, text[0]), strings.IndexByte(digits, text[1])
	if high < 0 || low < 0 {
		return errHex
	}
	s.emit(byte(high<<4 | low))
	s.in = s.in[4:]
	return nil
}

func (s *splitter) emit(c byte) {
	s.open = true
	s.size++
	s.word.WriteByte(c)
}

// end closes a word.
func (s *splitter) end() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.open = false
	s.word.Reset()
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
