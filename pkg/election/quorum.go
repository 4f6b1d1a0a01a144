package election

import (
	"slices"
	"time"
)

// majority is how many of n voters it takes that any two such sets share one.
func majority(n int) int { return n/2 + 1 }

// provenStart returns the newest start that a majority of voters stands
// behind: each voter has granted an attempt that began then or later. It is
// the k-th newest of the newest starts granted by each distinct voter, the way
// a replicated log finds its commit index. ok is false without a majority.
func provenStart(granted map[string]time.Time, voters []string) (start time.Time, ok bool) {
	starts := make([]time.Time, 0, len(voters))
	for _, v := range voters {
		if s, has := granted[v]; has {
			starts = append(starts, s)
		}
	}
	k := majority(len(voters))
	if len(starts) < k {
		return time.Time{}, false
	}
	slices.SortFunc(starts, func(a, b time.Time) int { return b.Compare(a) })
	return starts[k-1], true
}
