package ansible

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// withoutComment is a line as far as a # or ; that begins it or stands behind a
// blank, outside of quotes.
func withoutComment(text string) string {
	var quote rune
	before := ' '
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '\'' || c == '"') && (before == '=' || before == ' ' || before == '\t'):
			quote = c
		case (c == '#' || c == ';') && (before == ' ' || before == '\t'):
			return text[:i]
		}
		before = c
	}
	return text
}

// split parts a line at blanks outside of quotes, which it takes off; false: a
// quote is not closed.
func split(text string) (words []string, whole bool) {
	var word strings.Builder
	var quote rune
	inWord := false
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, quote == 0
}

func unquoted(text string) string {
	if len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return text[1 : len(text)-1]
	}
	return text
}

// maxRange bounds what one range stands for.
const maxRange = 1024

// expand writes out NAME[FROM:TO] or NAME[FROM:TO:STEP], both ends included, of
// numbers, which keep leading zeros, or of letters; a port behind a colon is
// taken off.
func expand(text string) ([]string, error) {
	head, rest, ranged := strings.Cut(text, "[")
	if !ranged {
		if name, port, more := strings.Cut(text, ":"); more && isNumber(port) {
			text = name
		}
		_, isAddr := yamlnode.Addr(text)
		if !yamlnode.IsName(text) && !isAddr {
			return nil, errors.New("it has other signs than letters, digits, '.', '_' and '-', or more than 63")
		}
		return []string{text}, nil
	}
	inside, tail, closed := strings.Cut(rest, "]")
	bounds := strings.Split(inside, ":")
	if !closed || len(bounds) < 2 || len(bounds) > 3 {
		return nil, errors.New("a range is [FROM:TO] or [FROM:TO:STEP]")
	}
	step := 1
	if len(bounds) == 3 {
		var err error
		if step, err = strconv.Atoi(bounds[2]); err != nil || step < 1 {
			return nil, errors.New("the step of a range is a number from 1")
		}
	}
	middles, err := between(bounds[0], bounds[1], step)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, m := range middles {
		names, err := expand(head + m + tail) // there may be another range
		if err != nil {
			return nil, err
		}
		if all = append(all, names...); len(all) > maxRange {
			return nil, fmt.Errorf("its ranges stand for more than %d hosts", maxRange)
		}
	}
	return all, nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 31)
	return err == nil
}

// between are the numbers, or letters, from one to another.
func between(from, to string, step int) (all []string, err error) {
	letters := len(from) == 1 && len(to) == 1 && from >= "a" && to <= "z"
	first, err1 := strconv.ParseUint(from, 10, 20)
	last, err2 := strconv.ParseUint(to, 10, 20)
	switch {
	case letters:
		first, last = uint64(from[0]), uint64(to[0])
	case err1 != nil || err2 != nil:
		return nil, errors.New("a range goes from a number or letter to another")
	}
	if first > last || last-first >= maxRange {
		return nil, fmt.Errorf("a range goes upwards, over %d hosts at most", maxRange)
	}
	for n := first; n <= last; n += uint64(step) {
		if letters {
			all = append(all, string(rune(n)))
		} else {
			all = append(all, fmt.Sprintf("%0*d", zeros(from), n))
		}
	}
	return all, nil
}

// zeros is the width to which numbers of a range are filled up.
func zeros(from string) int {
	if strings.HasPrefix(from, "0") && len(from) < 10 {
		return len(from)
	}
	return 1
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
