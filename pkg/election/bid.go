package election

import "time"

// bid is what a node that wants or holds the VIP remembers of its asking.
type bid struct {
	attempt   uint64               // the last one; never reset within an incarnation
	arming    uint64               // the attempt that waits for the fence; 0 is none
	starts    map[uint64]time.Time // when each open attempt began: read after the fence was armed, before it was sent
	granted   map[string]uint64    // by voter: the newest attempt that it granted
	refused   map[string]bool      // voters that refused the last attempt
	term      uint64
	lease     Lease // what is held
	successor string
	renewed   time.Duration // how long the last majority took
}

func newBid() bid {
	return bid{starts: make(map[uint64]time.Time), granted: make(map[string]uint64), refused: make(map[string]bool)}
}

// forgetAttempts drops every open attempt and grant; the count of attempts goes
// on, and so does the lease.
func (b *bid) forgetAttempts() {
	b.arming = 0
	clear(b.starts)
	clear(b.granted)
	clear(b.refused)
}

// forget drops the lease too.
func (b *bid) forget() {
	b.forgetAttempts()
	b.lease, b.successor = Lease{}, ""
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
	if now.Before(m.notBefore) || m.mayNotAsk() != "" {
		return
	}
	m.phase = Campaigning
	m.bid.term = m.voter.term + 1
	m.ask(now)
	m.nextAsk = now.Add(m.cfg.Timing.Lease) // for the fence
}

// mayNotAsk is why this node does not campaign whoever holds; "" if it may.
func (m *Machine) mayNotAsk() string {
	switch {
	case !m.candidate():
		return "this node only votes"
	case m.fitness == Unable:
		return "this node cannot carry the VIP"
	case !m.bootstrap.over && !m.alone():
		return "waits until " + m.cfg.Bootstrap + " has seen a majority (cluster.bootstrap)"
	}
	return ""
}

func (m *Machine) tickHolding(now time.Time) {
	if !now.Before(m.bid.lease.Deadline) {
		m.resign("", "the lease ran out: no majority renewed it in time")
		return
	}
	m.yield(now)
	if m.phase == Holding && m.bid.arming == 0 && !now.Before(m.nextAsk) {
		m.ask(now)
	}
}

// ask begins an attempt. The fence is armed for it first, with the whole lease:
// from then on the kernel counts, however long this process is held up. See
// [Machine.Arming].
func (m *Machine) ask(now time.Time) {
	m.bid.attempt++
	m.bid.arming = m.bid.attempt
	m.nextAsk = m.nextRenewal(now)
}

// nextRenewal is the next moment of all VIPs' renewals, not later than Renew from
// now. To ask early costs a message and nothing else.
func (m *Machine) nextRenewal(now time.Time) time.Time {
	renew := m.cfg.Timing.Renew
	return m.cfg.Epoch.Add((now.Sub(m.cfg.Epoch)/renew + 1) * renew)
}

// Arming returns the attempt for which the fence is to be armed; ok is false
// when there is none. Answer with [Machine.Armed] or [Machine.Unarmed].
func (m *Machine) Arming() (attempt uint64, ok bool) { return m.bid.arming, m.bid.arming != 0 }

// Unarmed says that the fence could not be armed for an attempt. Without a
// fence nothing is held.
func (m *Machine) Unarmed(now time.Time, attempt uint64, err error) {
	if m.bid.arming != attempt {
		return
	}
	m.bid.arming = 0
	m.Resign(now, m.Successor(now), "the fence cannot be armed: "+err.Error())
	m.notBefore = later(m.notBefore, now.Add(unarmedPause))
}

// Armed says that the fence is armed for an attempt, before now: nobody answers
// for the VIP on the strength of this attempt for longer than the lease from
// now, and linger. The attempt starts now (rule 2), and the voters are asked,
// this node's own like every other.
func (m *Machine) Armed(now time.Time, attempt uint64, linger time.Duration) {
	b := &m.bid
	if b.arming != attempt {
		return // it is over
	}
	b.arming = 0
	b.prune(now, m.cfg.Timing.Lease)
	clear(b.refused)
	b.starts[attempt] = now
	if m.phase == Campaigning {
		m.nextAsk = now.Add(m.cfg.Timing.Renew)
	}
	r := Request{Attempt: attempt, Term: b.term, Keep: m.cfg.Timing.Lease + linger, Holding: m.phase == Holding}
	r.Proven = r.Holding && m.established
	m.broadcast(Message{Request: &r})
	if !m.set.has(m.cfg.Self.Node) {
		return
	}
	if answer, why := m.voter.request(now, m.cfg.Self, r); why == "" {
		m.stepResponse(now, m.cfg.Self.Node, answer)
	}
}

func (m *Machine) stepResponse(now time.Time, voter string, r Response) Reason {
	b := &m.bid
	m.voter.term = max(m.voter.term, r.Term)
	_, open := b.starts[r.Attempt]
	if r.To != m.cfg.Self || !open {
		return ReasonStale
	}
	if !r.Granted {
		if r.Attempt == b.attempt {
			m.refusedBy(now, voter, r)
		}
		return ""
	}
	b.granted[voter] = max(b.granted[voter], r.Attempt)
	m.count(now)
	return ""
}

// count moves the deadline to what a majority has granted, and takes the VIP
// when that lies ahead.
func (m *Machine) count(now time.Time) {
	b := &m.bid
	attempt, byMajority := m.set.proven(b.granted)
	if m.alone() {
		m.bootstrap.seen = m.bootstrap.seen || byMajority
		attempt = b.granted[m.cfg.Self.Node]
	} else if !byMajority {
		return
	}
	start, open := b.starts[attempt]
	deadline := start.Add(m.cfg.Timing.Lease)
	if !open || !deadline.After(b.lease.Deadline) || !now.Before(deadline) {
		return
	}
	b.lease, b.renewed = Lease{b.term, attempt, deadline}, now.Sub(start)
	if m.phase == Campaigning {
		m.phase, m.why = Holding, ""
		m.nextAsk = now // the others learn from the first renewal who holds
	}
	if !m.alone() {
		m.bootstrap = bootstrap{true, true, true}
		m.establish()
	}
}

// refusedBy counts a refusal of the current attempt. When a majority can no
// longer be had, a candidate gives up and a holder lets go at once. Until then
// a candidate waits a little for the rest, but not for voters that may be
// dead: meanwhile its own vote stands in another candidate's way.
func (m *Machine) refusedBy(now time.Time, voter string, r Response) {
	if m.alone() {
		return
	}
	m.bid.refused[voter] = true
	why := "held by " + r.HeldBy
	if len(m.set.voters)-len(m.bid.refused) >= majority(len(m.set.voters)) {
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
	if m.set.has(m.cfg.Self.Node) {
		m.voter.release(now, m.cfg.Self, r)
	}
	m.broadcast(Message{Release: &r})
}

func (m *Machine) jitter() time.Duration {
	return time.Duration(m.cfg.Rand.Int64N(int64(retryJitter)))
}
