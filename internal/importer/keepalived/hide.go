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
		n := blanks(text)
		b.WriteString(text[:n])
		if text, pending = conceal(&b, text[n:]), strings.TrimSpace(text) == ""; pending {
			return b.String() + text, true
		}
	}
	for {
		at := telltale.FindStringIndex(text)
		if at == nil {
			return b.String() + text, pending
		}
		b.WriteString(text[:at[1]])
		text = text[at[1]:]
		pending = strings.Trim(text, "\"' \t\r\n") == ""
		text = conceal(&b, text)
	}
}

// conceal writes what stands for the word at the beginning of a text, and returns
// the rest. After one that is telltale itself the next goes, too.
func conceal(b *strings.Builder, text string) string {
	for {
		n := wordAt(text)
		if n == 0 {
			return text
		}
		b.WriteString(hidden)
		again := telltale.MatchString(text[:n])
		text = text[n:]
		if !again {
			return text
		}
		n = blanks(text)
		b.WriteString(text[:n])
		text = text[n:]
	}
}

// blanks is how many a text begins with.
func blanks(text string) int { return len(text) - len(strings.TrimLeft(text, " \t")) }

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
