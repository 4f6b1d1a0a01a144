package keepalived

import "strings"

// uncomment takes the comment and the blanks around it off a line. In quotes "!"
// and "#" are themselves, and after a backslash.
func uncomment(text string) string {
	var b strings.Builder
	text = strings.Trim(text, " \t\r\n")
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '!' || c == '#':
			return strings.TrimRight(b.String(), " \t")
		case c == '\\' && i+1 < len(text) && (text[i+1] == '!' || text[i+1] == '#'):
			i++
			b.WriteByte(text[i])
		case quotes(text, i):
			n := quoted(text[i:])
			b.WriteString(text[i : i+n])
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// quotes reports whether a quoted part begins at i. A ' does so only where a word
// begins and it is closed, for it is an apostrophe else.
func quotes(text string, i int) bool {
	switch text[i] {
	case '"':
		return true
	case '\'':
		return (i == 0 || strings.IndexByte(" \t", text[i-1]) >= 0) && strings.IndexByte(text[i+1:], '\'') >= 0
	}
	return false
}

// quoted is the length of a quoted part with its quotes. What is not closed goes on
// to the end of the line.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}
