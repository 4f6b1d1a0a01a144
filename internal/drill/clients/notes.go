package clients

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Summary is what became of a client's requests within some time.
type Summary struct {
	Requests int // that ended
	Failed   int // of them
	// Gap is the longest time from one answer to the next, as far as it is within
	// the time; all of it without an answer.
	Gap time.Duration
	// Broken is how many connections ended that were to go on.
	Broken int
	// Errors are what failed requests said, with how often.
	Errors map[string]int
}

// notes are what a client has seen. They are safe for concurrent use.
type notes struct {
	mu      sync.Mutex
	results []result
	broken  []time.Time
}

// result is one request.
type result struct {
	end time.Time
	err error
}

func (n *notes) add(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.results = append(n.results, result{time.Now(), err})
}

func (n *notes) broke() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = append(n.broken, time.Now())
}

// Summary is of what ended between two moments.
func (n *notes) Summary(from, to time.Time) Summary {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := Summary{Errors: make(map[string]int)}
	within := func(at time.Time) bool { return !at.Before(from) && !at.After(to) }
	last := from
	for _, r := range slices.SortedFunc(slices.Values(n.results), func(a, b result) int { return a.end.Compare(b.end) }) {
		if !within(r.end) {
			continue
		}
		s.Requests++
		if r.err != nil {
			s.Failed++
			s.Errors[fmt.Sprint(r.err)]++
			continue
		}
		s.Gap, last = max(s.Gap, r.end.Sub(last)), r.end
	}
	s.Gap = max(s.Gap, to.Sub(last))
	for _, at := range n.broken {
		if within(at) {
			s.Broken++
		}
	}
	return s
}

// Answered reports whether a request that ended after a moment was answered.
func (n *notes) Answered(after time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.results, func(r result) bool { return r.err == nil && r.end.After(after) })
}
