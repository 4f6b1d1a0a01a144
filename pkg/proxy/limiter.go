package proxy

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Limits bound what clients may have; 0 is no bound.
type Limits struct {
	Connections int // at a time, connecting ones too
	PerSource   int // of those, from one address; of IPv6, from one /64
	// NewPerSecond are let in, as many at once after a second without any. A
	// source is let in while more are left than it had within about the last
	// second. So one that floods leaves half of a burst, ten that do leave an
	// eleventh, and who comes more seldom than they do is let in; one that is alone
	// has nearly all. Sources are told apart by 4096 groups: those of one group
	// count as one.
	NewPerSecond int
}

// Limiter holds clients to Limits. Listeners that have the same one are held to
// them together. It is safe for concurrent use.
type Limiter struct {
	rules   atomic.Pointer[rules]
	clock   func() time.Duration
	live    atomic.Int64
	sources sources
	rate    bucket
}

// rules are Limits, and what they need.
type rules struct {
	Limits
	lately []usage // of sources, by their buckets; nil without NewPerSecond
}

// NewLimiter makes a Limiter of nobody yet.
func NewLimiter(l Limits) *Limiter {
	start := time.Now()
	r := &Limiter{clock: func() time.Duration { return time.Since(start) }}
	r.SetLimits(l)
	return r
}

// SetLimits holds clients that come from now on to others. Those that are there stay
// and are counted, of one source as far as they came while that was bounded. Calls
// must not overlap.
func (l *Limiter) SetLimits(to Limits) {
	next := &rules{Limits: to}
	if was := l.rules.Load(); was != nil {
		next.lately = was.lately
	}
	if to.NewPerSecond > 0 && next.lately == nil {
		next.lately = make([]usage, buckets)
	}
	l.rules.Store(next)
}

// Limits returns what clients are held to.
func (l *Limiter) Limits() Limits { return l.rules.Load().Limits }

// asksWho reports whether addresses of clients matter.
func (l *Limiter) asksWho() bool {
	r := l.rules.Load()
	return r.PerSource > 0 || r.NewPerSecond > 0
}

// enter lets a client in, or says why not. Who was let in has to leave with the
// source that is returned. The rate comes last: it is of those who are let in, and
// one that has all it may have takes nothing of it, however often it tries.
func (l *Limiter) enter(from netip.Addr) (s *source, why reason, ok bool) {
	r := l.rules.Load()
	if n := l.live.Add(1); n > int64(r.Connections) && r.Connections > 0 {
		l.live.Add(-1)
		return nil, overLimit, false
	}
	if n := r.PerSource; n > 0 {
		if s = l.sources.enter(from, n); s == nil {
			l.live.Add(-1)
			return nil, overSource, false
		}
	}
	if r.NewPerSecond > 0 && !l.inTurn(r, from) {
		l.leave(s)
		return nil, overRate, false
	}
	return s, 0, true
}

func (l *Limiter) leave(s *source) {
	l.live.Add(-1)
	if s != nil {
		l.sources.leave(s)
	}
}

// inTurn reports whether one more of a source may come now, and counts it. That
// nobody may have more than is left is how switches share buffers among queues
// (Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet
// Switches", 1998).
func (l *Limiter) inTurn(r *rules, from netip.Addr) bool {
	now := l.clock()
	its := &r.lately[bucketOf(from)]
	if !l.rate.take(now, r.NewPerSecond, int(its.at(now))) {
		return false
	}
	its.add(now)
	return true
}
