package keepalived

import (
	"regexp"
	"strings"
)

// hidden stands where a password was.
const hidden = "***"

// telltale is a word before a password: keepalived's own, and those that people
// give to scripts and variables.
var telltale = regexp.MustCompile(`(?i)(auth_pass|passw(or)?d|passphrase|secret|token|api_?key)[\w.-]*[ \t=:]*`)

// hide takes the word after a telltale one out of a line, whatever quotes and
// comment characters it has. pending says that the line before ended in a telltale
// word, and is returned for the next one.
func hide(text string, pending bool) (string, bool) {
	var b strings.Builder
	if pending {
		blank := len(text) - len(strings.TrimLeft(text, " \t"))
		n := wordAt(text[blank:])
		if n == 0 && blank == len(text) {
			return text, true
		}
		text = text[:blank] + mask(n) + text[blank+n:]
		pending = false
	}
	for text != "" {
		at := telltale.FindStringIndex(text)
		if at == nil {
			break
		}
		b.WriteString(text[:at[1]])
		text = text[at[1]:]
		n := wordAt(text)
		b.WriteString(mask(n))
		pending = n == 0 && strings.Trim(text, "\"' \t\r\n") == ""
		text = text[n:]
	}
	b.WriteString(text)
	return b.String(), pending
}

func mask(length int) string {
	if length == 0 {
		return ""
	}
	return hidden
}

// wordAt is the length of the word that a text begins with, in quotes or not. A
// lone brace is no word, but grammar.
func wordAt(text string) int {
	if text == "" {
		return 0
	}
	if q := text[0]; q == '"' || q == '\'' {
		if end := strings.IndexByte(text[1:], q); end >= 0 {
			return end + 2
		}
		return 0
	}
	n := strings.IndexAny(text, " \t\r\n\"'")
	if n < 0 {
		n = len(text)
	}
	return n - trailing(text[:n])
}

// trailing counts the braces at the end of a word, which close blocks.
func trailing(word string) int { return len(word) - len(strings.TrimRight(word, "{}")) }
