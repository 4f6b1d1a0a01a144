package haproxy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxExpect is how many statuses are written out.
const maxExpect = 20

// maxPattern is how long a pattern of statuses may be, in bytes.
const maxPattern = 1000

// expect is http-check expect [OPTION...] [!] KIND PATTERN.
func (c *checker) expect(l line) {
	words := l.from(2)
	for len(words) > 1 && (words[0] == "comment" || words[0] == "min-recv" || strings.Contains(words[0], "-status") || strings.HasPrefix(words[0], "on-")) {
		words = words[2:]
	}
	not := len(words) > 0 && words[0] == "!"
	if not {
		words = words[1:]
	}
	if len(words) < 2 || words[0] != "status" && words[0] != "rstatus" {
		c.r.notes.add(plan.Lost, l, quote("http-check expect", strings.Join(words[:min(1, len(words))], "")), "kshalb looks at the status alone, and expects 200; write check.expect for others")
		return
	}
	matches, err := statusPattern(words[0] == "rstatus", words[1])
	if err != nil {
		c.r.notes.add(plan.Fault, l, quote("http-check expect", words[0]), "its pattern can't be read; kshalb expects 200, write check.expect for others")
		return
	}
	var all []int
	for status := 200; status <= 599; status++ {
		if matches(status) != not {
			all = append(all, status)
		}
	}
	switch {
	case len(all) == 0 || len(all) > maxExpect:
		c.r.notes.add(plan.Changed, l, quote("http-check expect", words[0]), "kshalb takes 200 alone instead of so many statuses; write check.expect for others")
	case len(all) == 1 && words[0] == "status":
		c.out.Expect = plan.Of(all, l.at)
	default:
		c.out.Expect = plan.Because(all, l.at, "the statuses that "+words[0]+" takes")
	}
}

// statusPattern reads 200, 200-299,301, or a regular expression.
func statusPattern(expression bool, text string) (func(int) bool, error) {
	if len(text) > maxPattern {
		return nil, errLong
	}
	if expression {
		re, err := regexp.Compile(text)
		return func(n int) bool { return re.MatchString(strconv.Itoa(n)) }, err
	}
	type span struct{ low, high int }
	var spans []span
	for part := range strings.SplitSeq(text, ",") {
		low, high, ranged := strings.Cut(part, "-")
		if !ranged {
			high = low
		}
		a, err := parseCount(low)
		if err != nil {
			return nil, err
		}
		b, err := parseCount(high)
		if err != nil {
			return nil, err
		}
		spans = append(spans, span{a, b})
	}
	return func(n int) bool {
		return slices.ContainsFunc(spans, func(s span) bool { return n >= s.low && n <= s.high })
	}, nil
}
