package ansible

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// maxRange bounds what one range stands for.
const maxRange = 1024

var (
	hostRule = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$`)
	portRule = regexp.MustCompile(`^(.*):[0-9]{1,5}$`)
)

// expand writes out NAME[FROM:TO] or NAME[FROM:TO:STEP], both ends included, of
// numbers, which keep leading zeros, or of letters; a port behind a colon is
// taken off.
func expand(text string) ([]string, error) {
	if name, ok := hostName(text); ok {
		return []string{name}, nil
	}
	head, rest, ranged := strings.Cut(text, "[")
	if !ranged {
		return nil, errors.New("it has other signs than letters, digits, '.', '_' and '-', or more than 253")
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

// hostName is NAME, NAME:PORT, ADDRESS or [ADDRESS]:PORT without the port.
func hostName(text string) (name string, ok bool) {
	if _, ok := yamlnode.Addr(text); ok {
		return text, true
	}
	if m := portRule.FindStringSubmatch(text); m != nil {
		text = m[1]
	}
	if inner, found := strings.CutPrefix(text, "["); found {
		inner, _ = strings.CutSuffix(inner, "]")
		_, ok := yamlnode.Addr(inner)
		return inner, ok
	}
	return text, hostRule.MatchString(text)
}

// alphabet is the order of letters, Python's ascii_letters.
const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// between are the numbers, or letters, from one to another. Nothing is from 0.
func between(from, to string, step int) (all []string, err error) {
	if from == "" {
		from = "0"
	}
	a, z := strings.Index(alphabet, from), strings.Index(alphabet, to)
	letters := len(from) == 1 && len(to) == 1 && a >= 0 && z >= 0
	first, err1 := strconv.ParseUint(from, 10, 20)
	last, err2 := strconv.ParseUint(to, 10, 20)
	switch {
	case letters:
		first, last = uint64(a), uint64(z)
	case err1 != nil || err2 != nil:
		return nil, errors.New("a range goes from a number or letter to another")
	case from[0] == '0' && len(from) > 1 && len(from) != len(to):
		return nil, errors.New("the ends of a range with leading zeros are of one length")
	}
	if first > last || last-first >= maxRange*uint64(step) {
		return nil, fmt.Errorf("a range goes upwards, over %d hosts at most", maxRange)
	}
	for n := first; n <= last; n += uint64(step) {
		if letters {
			all = append(all, alphabet[n:n+1])
		} else {
			all = append(all, fmt.Sprintf("%0*d", zeros(from), n))
		}
	}
	return all, nil
}

// zeros is the width to which numbers of a range are filled up.
func zeros(from string) int {
	if from[0] == '0' {
		return len(from)
	}
	return 1
}
