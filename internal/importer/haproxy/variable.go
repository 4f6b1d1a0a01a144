package haproxy

import "strings"

// expandVariable is $NAME, ${NAME}, ${NAME-default} or ${NAME[*]} between double quotes
// (section 2.3); anywhere else a $ is a character like others.
func (s *splitter) expandVariable() error {
	rest := s.in[1:]
	braces := strings.HasPrefix(rest, "{")
	rest = strings.TrimPrefix(rest, "{")
	name := leadingName(rest)
	if name == "" {
		return errName
	}
	rest = rest[len(name):]
	value, known := s.env(name)
	spread := false
	if braces {
		rest, spread = strings.CutPrefix(rest, "[*]")
		inner, after, closed := strings.Cut(rest, "}")
		standard, optional := strings.CutPrefix(inner, "-")
		if !closed || inner != "" && !optional {
			return errBrace
		}
		if !known && optional {
			value = standard
		}
		rest = after
	}
	s.in = rest
	s.expand(value, spread)
	return nil
}

// expand puts a value into the line: as one word, or, with spread, as several.
func (s *splitter) expand(value string, spread bool) {
	for i := 0; i < len(value) && s.size <= maxLine; i++ {
		if spread && isSpace(value[i]) {
			s.end()
			continue
		}
		s.emit(value[i])
	}
}

// leadingName is the name of a variable at the start of a text; "" is none. One
// with a dot is HAProxy's own, such as .LINE.
func leadingName(text string) string {
	n := 0
	for n < len(text) {
		c := text[n] | 0x20
		letter := c >= 'a' && c <= 'z' || text[n] == '_' || text[n] == '.' && n == 0
		if !letter && (n == 0 || text[n] < '0' || text[n] > '9') {
			break
		}
		n++
	}
	return text[:n]
}
