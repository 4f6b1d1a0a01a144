package proxy

import (
	"math/rand/v2"
	"time"
)

// whole is how much of its weight an entry has that is not slow.
const whole = 1 << 10

// grown is how much of its weight an entry has as of now, 1 to whole. Nobody is
// slow beside those that came up at the same time: what counts is the share.
func (t *tier) grown(e *entry, now time.Duration) int64 {
	full := min(now-t.oldest, t.slow)
	age := now - e.upSince
	if now >= t.warm || age >= full {
		return whole
	}
	return max(int64(float64(whole)*float64(age)/float64(full)), 1)
}

// share is an entry's weight as of now.
func (t *tier) share(e *entry, now time.Duration) int64 {
	return e.weight * t.grown(e, now)
}

// passes says that an entry which is still slow gives this turn away.
func (t *tier) passes(e *entry, now time.Duration) bool {
	g := t.grown(e, now)
	return g < whole && rand.Int64N(whole) >= g
}
