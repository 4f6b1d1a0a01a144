package main

import (
	"cmp"
	"slices"
	"time"
)

// attempt is one connection of the client.
type attempt struct {
	begin, end time.Time
	by         string // the master that replied; "" when it failed
}

// since returns the attempts that began at a moment or later.
func since(all []attempt, at time.Time) []attempt {
	return slices.DeleteFunc(slices.Clone(all), func(a attempt) bool { return a.begin.Before(at) })
}

// served returns the attempts that worked, in the order of the replies.
func served(all []attempt) []attempt {
	worked := slices.DeleteFunc(slices.Clone(all), func(a attempt) bool { return a.by == "" })
	slices.SortStableFunc(worked, func(a, b attempt) int { return a.end.Compare(b.end) })
	return worked
}

// longestGap is the longest time from the beginning of an attempt that worked to
// the reply of the next one, of those gaps that end between two moments. The
// first begins at from, and the last ends at to, when no attempt says more.
func longestGap(all []attempt, from, to time.Time) time.Duration {
	var longest time.Duration
	var last time.Time // beginning of the latest attempt that has worked
	for _, a := range append(served(all), attempt{begin: to, end: to}) {
		if a.end.After(from) && !a.end.After(to) {
			began := last
			if began.IsZero() {
				began = from
			}
			longest = max(longest, a.end.Sub(began))
		}
		if a.begin.After(last) {
			last = a.begin
		}
	}
	return longest
}

// elsewhere is when the first reply came of a master other than the one named,
// to an attempt that began at a moment or later; ok is false when none came.
func elsewhere(all []attempt, from time.Time, than string) (at time.Time, ok bool) {
	for _, a := range served(since(all, from)) {
		if a.by != than {
			return a.end, true
		}
	}
	return at, false
}

// changes counts how often another master replied than before, where first is
// the one before all. Attempts count in the order in which they began.
func changes(all []attempt, first string) int {
	worked := served(all)
	slices.SortStableFunc(worked, func(a, b attempt) int { return cmp.Compare(a.begin.UnixNano(), b.begin.UnixNano()) })
	n := 0
	for _, a := range worked {
		if a.by != first {
			n, first = n+1, a.by
		}
	}
	return n
}

// shortGap is what a gap may last without being a break in the service.
const shortGap = 100 * time.Millisecond

// steady reports whether masters for which ok holds have served the client
// without a break for some time, up to its latest reply.
func steady(all []attempt, after time.Time, need time.Duration, ok func(by string) bool) bool {
	if len(all) == 0 {
		return false
	}
	last := all[len(all)-1].end
	next := last
	for i := len(all) - 1; i >= 0 && next.Sub(all[i].end) <= shortGap && !all[i].begin.Before(after); i-- {
		switch a := all[i]; {
		case a.by == "":
			continue
		case !ok(a.by):
			return false
		case last.Sub(a.end) >= need:
			return true
		default:
			next = a.end
		}
	}
	return false
}
