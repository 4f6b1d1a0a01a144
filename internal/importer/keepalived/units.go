package keepalived

import (
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// simple is a word that notes may quote and names may be made of.
var simple = regexp.MustCompile(`^[A-Za-z0-9/._:@*+,-]{1,80}$`)

// label is a word as notes quote it: as it is when it looks like a name, a number
// or a path.
func label(word string) string {
	if simple.MatchString(word) && !telltale.MatchString(word) {
		return word
	}
	return "(not quoted)"
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = label(w)
	}
	return strings.Join(quoted, ", ")
}

// seconds is a time of keepalived's, which may have a fraction; whole milliseconds.
func seconds(word string) (time.Duration, bool) {
	f, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e8 {
		return 0, false
	}
	return time.Duration(math.Round(f*1000)) * time.Millisecond, true
}

func number(word string, low, high int) (int, bool) {
	n, err := strconv.Atoi(word)
	return n, err == nil && n >= low && n <= high
}

// on is a switch, which is on when nothing is said behind it.
func on(n *node) bool {
	switch n.arg(0) {
	case "off", "false", "no":
		return false
	}
	return true
}

// address is one with or without a length of prefix.
func address(word string) (netip.Addr, bool) {
	text, bits, prefixed := strings.Cut(word, "/")
	if prefixed {
		if _, ok := number(bits, 0, 128); !ok {
			return netip.Addr{}, false
		}
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil && a.Zone() == ""
}

// clip brings a value into kshalb's range, and says so.
func clip[T int | time.Duration](v, low, high T) (clipped T, why string) {
	switch {
	case v < low:
		return low, "the least that kshalb has"
	case v > high:
		return high, "the most that kshalb has"
	}
	return v, ""
}

// gap is a word that somebody or something was to fill in: ${NAME}, {{ name }},
// <name>, @NAME@.
func gap(word string) bool {
	switch {
	case strings.Contains(word, "${"), strings.Contains(word, "{{"), strings.HasPrefix(word, "$"):
		return true
	case strings.HasPrefix(word, "<") && strings.HasSuffix(word, ">"):
		return true
	}
	return len(word) > 2 && strings.HasPrefix(word, "@") && strings.HasSuffix(word, "@")
}

// bad tells of a word that is not what it should be; want says what that is.
func (n *notebook) bad(at plan.Source, key, word, want string) {
	switch {
	case word == "":
		n.add(plan.Fault, at, key, "nothing stands behind it; write "+want)
	case strings.Contains(word, "{{"):
		template(n, at)
	case gap(word):
		n.add(plan.Fault, at, key, "a placeholder stands behind it, or a variable that no file given here defines; fill it in with "+want)
	default:
		n.add(plan.Fault, at, key, "what stands behind it is not "+want+"; it is left out, mend it")
	}
}

func template(n *notebook, at plan.Source) {
	n.add(plan.Fault, at, "{{ }} or {% %}", "this is a template; give the file that was made of it, as it is on the node")
}
