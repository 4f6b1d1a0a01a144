// Package printable makes text from outside fit for terminals and logs.
package printable

import (
	"strings"
	"unicode"
)

// Text is text with "?" for each character that does not print: those that move a
// terminal's cursor or turn its letters round, and bytes that are not UTF-8.
func Text(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
}
