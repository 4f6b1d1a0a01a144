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
	// NewPerSecond are let in, as many at once after a second without any. One
	// source gets half of it at most, so that whoever floods a listener leaves
	// something to the others.
	NewPerSecond int
}

// Limiter holds clients to Limits. Listeners that have the same one are held to
// them together. It is safe for concurrent use.
type Limiter struct {
	limits  Limits
	start   time.Time
	live    atomic.Int64
	sources sources
	rate    bucket
	rates   []bucket // of sources, by their buckets; nil without NewPerSecond
}

// NewLimiter makes a Limiter of nobody yet.
func NewLimiter(l Limits) *Limiter {
	r := &Limiter{limits: l, start: time.Now()}
	if l.NewPerSecond > 0 {
		r.rates = make([]bucket, buckets)
	}
	return r
}

// Limits returns what clients are held to.
func (l *Limiter) Limits() Limits { return l.limits }

// asksWho reports whether addresses of clients matter.
func (l *Limiter) asksWho() bool { return l.limits.PerSource > 0 || l.limits.NewPerSecond > 0 }

// enter lets a client in, or says why not. Who was let in has to leave with the
// source that is returned.
func (l *Limiter) enter(from netip.Addr) (s *source, why reason, ok bool) {
	if n := l.limits.NewPerSecond; n > 0 {
		now := time.Since(l.start)
		if !l.rates[bucketOf(from)].take(now, max(n/2, 1)) || !l.rate.take(now, n) {
			return nil, overRate, false
		}
	}
	if n := l.live.Add(1); n > int64(l.limits.Connections) && l.limits.Connections > 0 {
		l.live.Add(-1)
		return nil, overLimit, false
	}
	if n := l.limits.PerSource; n > 0 {
		if s = l.sources.enter(from, n); s == nil {
			l.live.Add(-1)
			return nil, overSource, false
		}
	}
	return s, 0, true
}

func (l *Limiter) leave(s *source) {
	l.live.Add(-1)
	if s != nil {
		l.sources.leave(s)
	}
}

// bucket is a token bucket in one word, by the generic cell rate algorithm (ITU-T
// I.371, annex A): the time at which it would be full again. The zero value is full.
type bucket struct{ full atomic.Int64 }

// take takes one of the tokens, of which there are so many, and as many new ones a
// second; false: there is none.
func (b *bucket) take(now time.Duration, perSecond int) bool {
	each := int64(time.Second) / int64(perSecond)
	for {
		was := b.full.Load()
		next := max(was, int64(now)) + each
		if next-int64(now) > int64(time.Second) && next-int64(now) > each {
			return false
		}
		if b.full.CompareAndSwap(was, next) {
			return true
		}
	}
}
