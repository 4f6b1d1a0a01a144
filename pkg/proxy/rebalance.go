package proxy

import (
	"context"
	"math"
	"time"
)

// Rebalance ends idle connections of backends that have more than their share, so
// that their clients come back elsewhere: after a backend was away, all the long
// ones are with the others. It looks at those that new connections go to now, if
// these are up and no backups, and is content when each has its share but for one
// connection or 5 %, whichever is more. It suits LeastConn and Random2; RoundRobin
// has clients come back to where they were, too, and ends more until it is done.
// Of Source only those are ended that would come back elsewhere.
type Rebalance struct {
	// Within is how long it may take, as far as there are idle connections and
	// MaxPerSecond allows it; 0 is never to begin.
	Within time.Duration
	// Idle is for how long no byte has moved, in either direction, on a connection
	// that may be ended. Should be less than the interval of the clients' own
	// keepalives, as of HTTP/2.
	Idle time.Duration
	// MaxPerSecond bounds how many are ended, at least 1.
	MaxPerSecond int
}

// rebalanceTick is how often the loads are looked at.
const rebalanceTick = time.Second

// keepEven rebalances, where that is asked for, until ctx or the loops end.
func (l *Listener) keepEven(ctx context.Context) {
	r := &rebalancer{pool: l.pool, end: l.sendAway}
	tick := time.NewTicker(rebalanceTick)
	defer tick.Stop()
	for {
		r.cfg = l.now.Load().Rebalance
		due := tick.C
		if r.cfg.Within <= 0 {
			r.pace, due = pace{}, nil
		}
		select {
		case <-due:
			r.step()
		case <-l.retuned:
		case <-ctx.Done():
			return
		case <-l.loops.ended:
			return
		}
	}
}

// sendAway ends up to n idle connections to a backend and returns how many.
func (l *Listener) sendAway(m *member, n int) (did int) {
	for _, lp := range l.loops.loops {
		if did < n {
			did += <-lp.mail.send(message{order: shed, on: l, backend: m, n: n - did, idle: l.now.Load().Rebalance.Idle})
		}
	}
	if did > 0 {
		l.log.Info("idle clients were sent away: their backend has more than its share", "backend", m.address, "connections", did)
	}
	return did
}

// rebalancer ends what is too much, a little at each step.
type rebalancer struct {
	cfg  Rebalance
	pool *Pool
	end  func(m *member, n int) int
	pace pace
}

// step does what is due for one tick.
func (r *rebalancer) step() {
	entries, loads, shares := r.pool.shares()
	p := newPlan(loads, shares)
	left := r.pace.next(r.cfg, p.tooMany())
	for again := left > 0; again; {
		again = false
		for i, n := range p.deal(left) {
			if n == 0 {
				continue
			}
			did := r.end(entries[i].member, n)
			left -= did
			p.ended(i, did)
			if did < n {
				p.busy[i], again = true, true // others may have some
			}
		}
	}
}

// shares returns those that picks go to now, how many connections they have, and in
// which proportion they should. Nobody, when they are not up, or backups.
func (p *Pool) shares() (entries []entry, loads, shares []int64) {
	v := p.view.Load()
	if len(v.tiers) == 0 || !v.tiers[0].regular {
		return nil, nil, nil
	}
	t := &v.tiers[0]
	now := p.clock()
	for i := range t.entries {
		e := &t.entries[i]
		loads = append(loads, e.load.Load())
		shares = append(shares, t.share(e, now))
	}
	return t.entries, loads, shares
}

// wouldMove says that a client may come back elsewhere.
func (p *Pool) wouldMove(c *conn) bool {
	return !p.view.Load().source || p.pick(c.bucket, nil) != c.target
}

// pace is how fast connections are ended: the rate that the worst moment asked for,
// until all is even.
type pace struct {
	rate float64 // per second
	due  float64 // less than one
}

// next returns how many are to end in this tick, of so many that are too many.
func (p *pace) next(cfg Rebalance, tooMany int) int {
	if tooMany == 0 {
		*p = pace{}
		return 0
	}
	p.rate = max(p.rate, float64(tooMany)/cfg.Within.Seconds(), 1)
	p.rate = min(p.rate, float64(max(cfg.MaxPerSecond, 1)))
	n := math.Floor(p.due + p.rate*rebalanceTick.Seconds())
	p.due += p.rate*rebalanceTick.Seconds() - n
	return min(int(n), tooMany)
}
