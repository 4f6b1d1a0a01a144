package config

import (
	"fmt"
	"strings"
	"time"
)

// wordList is "a", "a or b", "a, b or c".
func wordList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// show is a value as messages show it: the way one would write it.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case time.Duration:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// quote shows a text from the file, cut to a length that a line bears.
func quote(text string) string {
	const most = 64
	if r := []rune(text); len(r) > most {
		return fmt.Sprintf("%q...", string(r[:most]))
	}
	return fmt.Sprintf("%q", text)
}

// nearest is the known word that text was probably meant to be, or "". It
// allows one slip for each three letters begun.
func nearest(text string, known []string) string {
	best, least := "", (len(text)+2)/3+1
	for _, k := range known {
		if d := distance(strings.ToLower(text), strings.ToLower(k), least); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is Levenshtein's. It gives up with most where the lengths alone are
// that far apart, which also bounds its work.
func distance(a, b string, most int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
