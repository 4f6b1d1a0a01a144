package ansible

import (
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// line is one of a file, without its end.
type line struct {
	at   plan.Source
	text string
}

// numbering is how a page that numbers the lines of a sample is pasted.
var numbering = regexp.MustCompile(`^[ \t]*[0-9]+\.[ \t]*`)

// linesOf are those of a file. Numbers in front of all lines are taken off, those
// behind which nothing else stands too.
func linesOf(f plan.File) (all []line) {
	text := strings.TrimPrefix(string(f.Data), "\uFEFF")
	numbered := true
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimRight(l, "\r")
		if strings.TrimSpace(l) != "" && !numbering.MatchString(l) {
			numbered = false
		}
		all = append(all, line{plan.Source{File: f.Name, Line: i + 1}, l})
	}
	for i := range all {
		if numbered {
			all[i].text = numbering.ReplaceAllString(all[i].text, "")
		}
	}
	return all
}

// split parts the line of a host as Python's shlex does, which Ansible uses: at
// blanks outside of quotes, which it takes off; a backslash takes the next sign as
// it is; a # outside of quotes begins a comment, within a word too. false: a quote
// is not closed.
func split(text string) (words []string, whole bool) {
	var word strings.Builder
	var quote rune
	inWord, escaped := false, false
	end := func() {
		if inWord {
			words = append(words, word.String())
			word.Reset()
		}
		inWord = false
	}
	for _, c := range text {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == '#':
			end()
			return words, true
		case c == ' ' || c == '\t':
			end()
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	end()
	return words, quote == 0 && !escaped
}

// withoutComment is a value of YAML as far as a # behind a blank, outside of
// quotes.
func withoutComment(text string) string {
	var quote rune
	before := ' '
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '\'' || c == '"') && strings.TrimSpace(text[:i]) == "":
			quote = c
		case c == '#' && (before == ' ' || before == '\t'):
			return strings.TrimSpace(text[:i])
		}
		before = c
	}
	return strings.TrimSpace(text)
}

// unquoted is a text without the quotes around it: Ansible reads values as
// literals of Python.
func unquoted(text string) string {
	if len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return text[1 : len(text)-1]
	}
	return text
}
