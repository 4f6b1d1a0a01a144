package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/kshalb/kshalb/bench/internal/stats"
)

// bar is what kshalb has set itself for a row. That two owners are never seen is
// asked of each.
type bar struct {
	median, most time.Duration // of the service gap; 0 is nothing asked
	stay         bool          // no takeover
}

func failed(lease time.Duration) bar { return bar{median: lease, most: lease * 13 / 10} }

func planned(time.Duration) bar {
	return bar{median: 20 * time.Millisecond, most: 50 * time.Millisecond}
}

func healed(time.Duration) bar { return bar{stay: true} }

func alone(time.Duration) bar { return bar{} }

func reunited(time.Duration) bar { return bar{} }

func noHole(lease time.Duration) bar { return bar{most: hole(lease)} }

// hole is the gap that is called a black hole.
func hole(nominal time.Duration) time.Duration { return nominal * 3 / 2 }

func stale(time.Duration) bar { return bar{most: 200 * time.Millisecond} }

// damping is for how long a holder without backends keeps the address.
const damping = time.Second

func damped(lease time.Duration) bar { return bar{most: damping + lease} }

func (b bar) String() string {
	var parts []string
	if b.median > 0 {
		parts = append(parts, fmt.Sprintf("median ≤ %s", millis(b.median)))
	}
	if b.most > 0 {
		parts = append(parts, fmt.Sprintf("max ≤ %s", millis(b.most)))
	}
	if b.stay {
		parts = append(parts, "no takeover")
	}
	return strings.Join(append(parts, "never two"), ", ")
}

// met judges a row; what could not be measured does not meet it.
func (b bar) met(r row) bool {
	gap := stats.Summarize(r.gaps())
	return gap.N > 0 && r.failed == 0 && r.doubles() == 0 &&
		(b.median == 0 || gap.Median <= inMillis(b.median)) &&
		(b.most == 0 || gap.Most <= inMillis(b.most)) &&
		(!b.stay || r.takeovers().Most == 0)
}
