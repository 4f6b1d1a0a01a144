package haproxy

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var errTime = errors.New("is no time of HAProxy; write one like 5s or 500ms (us, ms, s, m, h or d; ms without a unit)")

var timeUnits = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond, "": time.Millisecond, "s": time.Second,
	"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

// parseTime reads a time (section 2.5): whole numbers of one unit. kshalb's are
// whole milliseconds, so parts of one are rounded up. One that is too long for
// HAProxy, too, is the longest that there is.
func parseTime(text string) (time.Duration, error) {
	digits := strings.TrimRight(text, "usmhd")
	unit, known := timeUnits[text[len(digits):]]
	if !known || !isNumber(digits) {
		return 0, errTime
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) {
		return time.Duration(math.MaxInt64).Truncate(time.Millisecond), nil
	}
	d := time.Duration(n) * unit
	if rest := d % time.Millisecond; rest != 0 {
		d += time.Millisecond - rest
	}
	return d, nil
}

// clip puts a value between the bounds that kshalb.yaml has for it.
func clip[T cmp.Ordered](v plan.Value[T], low, high T) plan.Value[T] {
	switch bounded := min(max(v.V, low), high); bounded {
	case v.V:
		return v
	case low:
		v.Why = reason(v.Why, fmt.Sprintf("the least that kshalb has; there %v", v.V))
		v.V = low
	default:
		v.Why = reason(v.Why, fmt.Sprintf("the most that kshalb has; there %v", v.V))
		v.V = high
	}
	return v
}

// reason joins what there is to say of a value.
func reason(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}

// parseCount reads a number that HAProxy counts with. One that is too large is the
// largest that there is.
func parseCount(text string) (int, error) {
	if !isNumber(text) {
		return 0, errors.New("is no number")
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return math.MaxInt, nil
	}
	return n, nil
}
