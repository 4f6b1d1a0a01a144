package yamlnode

import (
	"slices"
	"strings"
)

// maxWord is how much of a word is shown, and maxWords how many.
const (
	maxWord  = 64
	maxWords = 12
)

// Word is a text for a message, cut where it stops to look like a key, a name or
// an address: what was meant as a value may stand in a key's place, and must not
// be shown.
func Word(text string) string {
	if text == "" {
		return `""`
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", r)
	})
	if end < 0 {
		end = len(text)
	}
	if end = min(end, maxWord); end < len(text) {
		return text[:end] + "…"
	}
	return text
}

// Words are several, without doubles, parted by commas.
func Words(texts []string) string {
	var words []string
	for _, t := range texts {
		w := Word(t)
		if slices.Contains(words, w) {
			continue
		}
		if len(words) == maxWords {
			words = append(words, "…")
			break
		}
		words = append(words, w)
	}
	return strings.Join(words, ", ")
}

// Shown is a value for a message: in quotes, or, when it is long or has blanks, so
// that it may be anything, nothing but that there is one.
func Shown(n Node) string {
	switch text := n.Text(); {
	case !n.Given():
		return "nothing"
	case !n.IsText():
		return "something that is no text"
	case text == "":
		return `""`
	case len(text) > maxWord || strings.ContainsFunc(text, odd):
		return "a text that is not shown"
	default:
		return `"` + text + `"`
	}
}

func odd(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:,[]{}<>$", r)
}

// Near is the word of known that word is likely to be meant for; "" is none.
func Near(word string, known []string) string {
	best, distance := "", min(3, len(word)/3+1)
	for _, k := range known {
		if d := edits(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// edits is the least number of letters to change, add or take away (Levenshtein).
func edits(a, b string) int {
	if len(a) > maxWord || len(b) > maxWord {
		return maxWord
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
