package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// outcome is what clients saw of one fault.
type outcome struct {
	requests   int           // on new connections, that began after the fault
	failed     int           // of them
	dropped    int           // of these, that had reached an API server: it went before it answered, or answered 503
	first      [kinds]mishap // of these, of each kind
	lastFailed time.Duration // after the fault, when the last of these began
	longest    time.Duration // that one of the requests took
	cut        int           // requests that were under way at the fault, and failed
	kept       time.Duration // the longest time without answer or error on the kept connection
	watch      time.Duration // without an event for the informer
	late       bool          // not all was well at the end
}

// kind is how far a request came that failed.
type kind int

const (
	unconnected kind = iota // no API server has greeted it
	refused                 // one has answered, with an error
	brokenOff               // one has greeted it, and has not answered to the end
	kinds
)

func (k kind) String() string {
	return [kinds]string{"not connected", "answered with an error", "broken off"}[k]
}

// mishap is one request that failed; the zero value is none.
type mishap struct {
	began time.Duration // after the fault
	took  time.Duration
	err   error
}

// warm waits until all clients have been served for a second or two.
func (c *clients) warm(ctx context.Context) error {
	return c.wait(ctx, func() bool { return len(c.requests) > 75 && len(c.kept) > 10 && len(c.events) > 20 })
}

// wait waits until is, called with mu held, is true.
func (c *clients) wait(ctx context.Context, is func() bool) error {
	for range ticks(ctx, 20*time.Millisecond) {
		done, failure := false, error(nil)
		c.note(func() { done, failure = is(), c.failure })
		if failure != nil {
			return failure
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("wait for the clients: %w", context.Cause(ctx))
}

// calm is how long nothing may have failed or waited when a fault is over.
const calm = 2 * time.Second

// recovered waits until all clients are served as before a moment, for some time
// at least.
func (c *clients) recovered(ctx context.Context, at time.Time, least time.Duration) error {
	return c.wait(ctx, func() bool {
		now := time.Now()
		return now.Sub(at) >= least && c.pending() < 25 && c.well(now.Add(-calm)) &&
			within(c.kept, now, 500*time.Millisecond) && within(c.events, now, 500*time.Millisecond)
	})
}

// pending is how many requests are under way.
func (c *clients) pending() int { return c.begun - len(c.requests) }

// well reports whether requests that ended after a moment did so well, and without
// having waited.
func (c *clients) well(after time.Time) bool {
	ended := 0
	for _, r := range c.requests {
		if r.ended.After(after) {
			ended++
			if r.err != nil || r.ended.Sub(r.began) > calm/2 {
				return false
			}
		}
	}
	return ended > 25
}

// within reports whether the last of times is no longer ago.
func within(times []time.Time, now time.Time, ago time.Duration) bool {
	return len(times) > 0 && now.Sub(times[len(times)-1]) < ago
}

// outcome is what the clients, which have stopped, saw between two moments.
func (c *clients) outcome(at, end time.Time) (o outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortFunc(c.requests, func(a, b request) int { return a.began.Compare(b.began) })
	for _, r := range c.requests {
		switch {
		case r.ended.After(end) && end.Sub(r.began) < giveUp/2: // ended by us
		case r.began.Before(at):
			if r.err != nil && r.ended.After(at) {
				o.cut++
			}
		default:
			o.requests++
			o.longest = max(o.longest, r.ended.Sub(r.began))
			o.fail(r, at)
		}
	}
	o.kept, o.watch = gap(c.kept, at, end), gap(c.events, at, end)
	return o
}

func (o *outcome) fail(r request, at time.Time) {
	if r.err == nil {
		return
	}
	o.failed++
	if r.connected {
		o.dropped++
	}
	o.lastFailed = r.began.Sub(at)
	if first := &o.first[r.kind()]; first.err == nil {
		*first = mishap{began: o.lastFailed, took: r.ended.Sub(r.began), err: r.err}
	}
}

// kind is that of a request that failed.
func (r request) kind() kind {
	var status statusError
	switch {
	case !r.connected:
		return unconnected
	case errors.As(r.err, &status):
		return refused
	}
	return brokenOff
}

// firsts tells the first failure of each of some kinds, by line.
func (o outcome) firsts(of ...kind) string {
	var text strings.Builder
	for _, k := range of {
		if m := o.first[k]; m.err != nil {
			fmt.Fprintf(&text, "\nthe first that was %s began after %v and failed after %v: %v", k, round(m.began), round(m.took), m.err)
		}
	}
	return text.String()
}

// gap is the longest time between two of times within a time, and its ends.
func gap(times []time.Time, from, to time.Time) (longest time.Duration) {
	last := from
	for _, t := range append(slices.Clone(times), to) {
		if t.After(from) && !t.After(to) {
			longest = max(longest, t.Sub(last))
			last = t
		}
	}
	return longest
}

func (o outcome) String() string {
	text := fmt.Sprintf("%d of %d new requests failed, the last of them began after %v, the longest took %v; kept connection silent for %v, watch for %v; %d under way failed",
		o.failed, o.requests, round(o.lastFailed), round(o.longest), round(o.kept), round(o.watch), o.cut)
	if o.dropped > 0 {
		text += fmt.Sprintf("; %d of the failed ones had reached an API server", o.dropped)
	}
	if o.late {
		text += "; not all was well at the end"
	}
	return text + o.firsts(unconnected, refused, brokenOff)
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
