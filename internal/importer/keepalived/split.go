package keepalived

import "strings"

// token is a word, or a brace.
type token struct {
	text  string
	brace byte // '{' or '}'; 0 is a word
}

// split makes tokens of a line without comment. Braces stand for themselves
// wherever they are, save in quotes and in what a template or a variable without a
// value has left. closed tells whether all quotes are.
func split(text string) (tokens []token, closed bool) {
	closed = true
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t':
			i++
		case (c == '{' || c == '}') && foreign(text[i:]) == 0:
			tokens = append(tokens, token{brace: c})
			i++
		default:
			word, n, ok := wordIn(text, i)
			tokens = append(tokens, token{text: word})
			closed = closed && ok
			i += n
		}
	}
	return tokens, closed
}

// wordIn is the word at i with its quotes taken off, and its length with them.
func wordIn(text string, i int) (word string, n int, closed bool) {
	var b strings.Builder
	closed = true
	from := i
	for i < len(text) {
		c := text[i]
		if k := foreign(text[i:]); k > 0 {
			b.WriteString(text[i : i+k])
			i += k
			continue
		}
		if strings.IndexByte(" \t{}", c) >= 0 {
			break
		}
		if quotes(text, i) {
			k := quoted(text[i:])
			inner := text[i+1 : i+k]
			closed = len(inner) > 0 && inner[len(inner)-1] == c
			b.WriteString(unescape(strings.TrimSuffix(inner, string(c))))
			i += k
			continue
		}
		b.WriteByte(c)
		i++
	}
	return b.String(), i - from, closed
}

// foreign is the length of something in braces that is none of keepalived's blocks:
// ${NAME}, or what a template has, {{ }} and {% %}.
func foreign(text string) int {
	if len(text) < 2 {
		return 0
	}
	end, ok := closers[text[:2]]
	if !ok {
		return 0
	}
	n := strings.Index(text[2:], end)
	if n < 0 {
		return 0
	}
	return 2 + n + len(end)
}

var closers = map[string]string{"${": "}", "{{": "}}", "{%": "%}"}

// unescape takes backslashes off. Of what they may stand for, only themselves and
// quotes matter in a configuration that is read and not run.
func unescape(text string) string {
	if strings.IndexByte(text, '\\') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
