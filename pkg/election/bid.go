package election

import "time"

// bid is what a node that wants or holds the VIP remembers of its asking.
type bid struct {
	attempt   uint64               // the last one; never reset within an incarnation
	starts    map[uint64]time.Time // when each open attempt began, read before it was sent
	granted   map[string]time.Time // by voter: the newest start that it granted
	refused   map[string]bool      // voters that refused the last attempt
	term      uint64
	deadline  time.Time
	successor string
	renewed   time.Duration // how long the last majority took
}

func newBid() bid {
	return bid{starts: make(map[uint64]time.Time), granted: make(map[string]time.Time), refused: make(map[string]bool)}
}

// forget drops every open attempt and grant; the count of attempts goes on.
func (b *bid) forget() {
	clear(b.starts)
	clear(b.granted)
	clear(b.refused)
	b.deadline, b.successor = time.Time{}, ""
}

// prune drops attempts too old to prove anything.
func (b *bid) prune(now time.Time, lease time.Duration) {
	for a, start := range b.starts {
		if now.Sub(start) >= lease {
			delete(b.starts, a)
		}
	}
}

func (m *Machine) tickStandby(now time.Time) {
	if m.fitness == Unable || now.Before(m.notBefore) {
		return
	}
	m.phase = Campaigning
	m.bid.term = m.voter.term + 1
	m.ask(now)
}

func (m *Machine) tickHolding(now time.Time) {
	if !now.Before(m.bid.deadline) {
		m.resign("", "the lease ran out: no majority renewed it in time")
		return
	}
	if !now.Before(m.nextAsk) {
		m.ask(now)
	}
}

// ask begins an attempt: the start is counted from before anybody is asked
// (rule 2). This node's own vote is asked like every other.
func (m *Machine) ask(now time.Time) {
	b := &m.bid
	b.prune(now, m.cfg.Timing.Lease)
	clear(b.refused)
	b.attempt++
	b.starts[b.attempt] = now
	m.nextAsk = now.Add(m.cfg.Timing.Renew)
	r := Request{Attempt: b.attempt, Term: b.term, Keep: m.cfg.Timing.keep(), Holding: m.phase == Holding}
	m.broadcast(Message{Request: &r})
	if !m.votes() {
		return
	}
	if answer, why := m.voter.request(now, m.cfg.Self, r); why == "" {
		m.stepResponse(now, m.cfg.Self.Node, answer)
	}
}

func (m *Machine) stepResponse(now time.Time, voter string, r Response) Reason {
	b := &m.bid
	m.voter.term = max(m.voter.term, r.Term)
	start, open := b.starts[r.Attempt]
	if r.To != m.cfg.Self || !open {
		return ReasonStale
	}
	if !r.Granted {
		if r.Attempt == b.attempt {
			m.refusedBy(now, voter, r)
		}
		return ""
	}
	b.granted[voter] = later(b.granted[voter], start)
	m.count(now)
	return ""
}

// count moves the deadline to what a majority has granted, and takes the VIP
// when that lies ahead.
func (m *Machine) count(now time.Time) {
	b := &m.bid
	start, ok := provenStart(b.granted, m.cfg.Voters)
	if !ok {
		return
	}
	deadline := start.Add(m.cfg.Timing.Lease)
	if !deadline.After(b.deadline) || !now.Before(deadline) {
		return
	}
	b.deadline, b.renewed = deadline, now.Sub(start)
	if m.phase == Campaigning {
		m.phase, m.why = Holding, ""
		m.nextAsk = start.Add(m.cfg.Timing.Renew)
	}
}

// refusedBy counts a refusal of the current attempt. When a majority can no
// longer be had, a candidate gives up and a holder lets go at once. Until then
// a candidate waits a little for the rest, but not for voters that may be
// dead: meanwhile its own vote stands in another candidate's way.
func (m *Machine) refusedBy(now time.Time, voter string, r Response) {
	m.bid.refused[voter] = true
	why := "held by " + r.HeldBy
	if len(m.cfg.Voters)-len(m.bid.refused) >= majority(len(m.cfg.Voters)) {
		if m.phase == Campaigning {
			m.nextAsk = earlier(m.nextAsk, now.Add(contestGrace))
		}
		return
	}
	if m.phase == Holding {
		m.resign("", "a majority says: "+why)
		return
	}
	m.giveUp(now, why)
	if !r.Tentative {
		m.notBefore = m.notBefore.Add(min(r.Remaining, m.cfg.Timing.Renew))
	}
}

// giveUp ends a campaign that did not win: what was granted is released, so
// that a split vote costs a retry and not a lease.
func (m *Machine) giveUp(now time.Time, why string) {
	m.phase, m.why = Standby, why
	m.notBefore = now.Add(m.delay() + m.jitter())
	m.release(now, "")
}

// resign stops holding. Nobody is told before the address is gone (rule 7).
func (m *Machine) resign(successor, why string) {
	m.phase, m.why = Resigning, why
	m.bid.forget()
	m.bid.successor = successor
}

// release gives back every attempt so far, and forgets them first: no late
// grant for them can count any more.
func (m *Machine) release(now time.Time, successor string) {
	m.bid.forget()
	r := Release{Attempt: m.bid.attempt, Successor: successor}
	if m.votes() {
		m.voter.release(now, m.cfg.Self, r)
	}
	m.broadcast(Message{Release: &r})
}

// yield gives way when this node should not hold: at once when it cannot carry
// the address, and to a node with a ready backend when it has none.
func (m *Machine) yield(now time.Time) {
	switch {
	case m.fitness == Fit || m.phase == Standby || m.phase == Resigning:
	case m.fitness == Unable:
		m.Resign(now, m.fittest(now), "this node cannot carry the VIP")
	case m.phase == Holding:
		if peer := m.fittest(now); peer != "" && m.peers[peer].fitness == Fit {
			m.Resign(now, peer, "no ready backend here, and "+peer+" has one")
		}
	}
}

// fittest returns the other voter that is best able to hold, of those heard
// within a lease; "" if there is none.
func (m *Machine) fittest(now time.Time) string {
	best, fitness := "", Unable
	for _, v := range m.cfg.Voters {
		if p := m.peers[v]; p.fitness > fitness && now.Sub(p.at) < m.cfg.Timing.Lease {
			best, fitness = v, p.fitness
		}
	}
	return best
}

// Successor returns the other node best able to hold now; "" if there is none.
func (m *Machine) Successor(now time.Time) string { return m.fittest(now) }

func (m *Machine) jitter() time.Duration {
	return time.Duration(m.cfg.Rand.Int64N(int64(retryJitter)))
}
