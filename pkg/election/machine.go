package election

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Config describes one VIP's election as one node sees it. It must be the
// same on all nodes but for Self, Remembered and Rand.
type Config struct {
	VIP        string
	Self       Owner          // this run of this node; the incarnation must never be used twice
	Voters     []Voter        // all of them, this node among them or not
	Priorities map[string]int // by node, 0 where it has none; the highest asks first when the VIP is free
	Preempt    bool           // a holder gives way to a fit node of higher priority
	Bootstrap  string         // the node that may hold alone until a majority has been seen once; "" is none
	Remembered Memory         // of this node's earlier runs
	Timing     Timing
	Epoch      time.Time  // renewals are at whole multiples of Timing.Renew after it, so that those of several VIPs are at the same moments; zero is the start
	Rand       *rand.Rand // staggers retries; not safe for others' use meanwhile
}

// Lease is the right to answer for a VIP until the deadline.
type Lease struct {
	Term     uint64 // grows with every new owner; a gap is a campaign that failed
	Attempt  uint64 // the one that a majority stands behind; its fence is to be open, and no other
	Deadline time.Time
}

// Phase is what a machine is doing.
type Phase uint8

// The phases. A machine begins in Standby.
const (
	Standby     Phase = iota // not asking
	Campaigning              // asking for a free VIP
	Holding                  // owning it, and renewing
	Resigning                // no longer owning it; waits for Withdrawn
)

// String returns the word for p in logs and in the status.
func (p Phase) String() string {
	return [...]string{"standby", "campaigning", "holding", "resigning"}[min(p, Resigning)]
}

// Outbound is a message to another node.
type Outbound struct {
	To      string
	Message Message
}

// Machine is one node's part in the election of one VIP: it votes, and it may
// hold. It is pure: inputs are its methods, which take the time (never an
// earlier one than before), and everything it wants waits to be taken: messages
// in [Machine.Take], the attempt to arm the fence for in [Machine.Arming], what
// to write down in [Machine.ToRemember]. It is not safe for concurrent use.
type Machine struct {
	cfg   Config
	set   electorate
	phase Phase
	voter voter
	bid   bid
	peers map[string]heard
	out   []Outbound

	fitness      Fitness
	fitnessSince time.Time
	bootstrap    bootstrap
	returned     bool // a voter was heard again after a lease of silence

	established bool   // a holder has been seen under set
	was         uint64 // the set before it, if one was seen under that
	elsewhere   uint64 // another set under which one has been heard

	notBefore time.Time // no campaign before this
	nextAsk   time.Time // Holding: the next renewal; Campaigning: the attempt's end
	why       string    // why it does not hold, for people
}

// New returns a machine that starts now: standby, unable, and silent as a
// voter for [Silence].
func New(cfg Config, now time.Time) (*Machine, error) {
	if err := cfg.Timing.Validate(); err != nil {
		return nil, fmt.Errorf("election of %s: %w", cfg.VIP, err)
	}
	if len(cfg.Voters) == 0 {
		return nil, fmt.Errorf("election of %s: no voters", cfg.VIP)
	}
	if cfg.Epoch.IsZero() {
		cfg.Epoch = now
	}
	over := cfg.Bootstrap == "" || cfg.Remembered.Bootstrapped
	return &Machine{
		cfg:          cfg,
		set:          newElectorate(cfg.Voters),
		voter:        newVoter(now),
		bid:          newBid(),
		peers:        make(map[string]heard),
		fitnessSince: now,
		bootstrap:    bootstrap{seen: over, over: over, told: over},
		why:          "starting",
	}, nil
}

// Tick lets time pass: deadlines end, renewals and campaigns begin. Call it at
// [Machine.Next] or later; more often does no harm.
func (m *Machine) Tick(now time.Time) {
	switch m.phase {
	case Standby:
		m.tickStandby(now)
	case Campaigning:
		if !now.Before(m.nextAsk) {
			m.giveUp(now, "no majority answered")
		}
	case Holding:
		m.tickHolding(now)
	case Resigning: // waits for Withdrawn
	}
}

// Next returns when Tick has something to do; the zero time is never.
func (m *Machine) Next() time.Time {
	switch m.phase {
	case Standby:
		if m.mayNotAsk() != "" {
			return time.Time{}
		}
		return m.notBefore
	case Holding:
		if m.bid.arming != 0 {
			return m.bid.lease.Deadline
		}
		return earlier(m.bid.lease.Deadline, m.nextAsk)
	case Campaigning:
		return m.nextAsk
	case Resigning: // waits for Withdrawn
	}
	return time.Time{}
}

// Lease returns what this node may act on; ok is false when it holds nothing.
func (m *Machine) Lease(now time.Time) (lease Lease, ok bool) {
	if m.phase != Holding || !now.Before(m.bid.lease.Deadline) {
		return Lease{}, false
	}
	return m.bid.lease, true
}

// Phase returns what the machine is doing.
func (m *Machine) Phase() Phase { return m.phase }

// Silent reports whether this node's vote is still silent after its start.
func (m *Machine) Silent(now time.Time) bool { return m.voter.silent(now) }

// Holder returns who holds the VIP and since which term, as far as this node
// knows: itself, or whom its own vote backs. "" is nobody.
func (m *Machine) Holder(now time.Time) (node string, term uint64) {
	if l, ok := m.Lease(now); ok {
		return m.cfg.Self.Node, l.Term
	}
	if g, live := m.voter.granted(now); live && g.holding && g.owner != m.cfg.Self {
		return g.owner.Node, g.term
	}
	return "", m.voter.term
}

// Why returns why this node does not hold the VIP; "" when it does.
func (m *Machine) Why(now time.Time) string {
	if m.phase != Standby {
		return m.why
	}
	if why := m.mayNotAsk(); why != "" {
		return why
	}
	if holder, _ := m.Holder(now); holder != "" {
		return "held by " + holder
	}
	return m.why
}

// Take returns the messages to send since the last call, in order.
func (m *Machine) Take() []Outbound {
	out := m.out
	m.out = nil
	return out
}

// Renewed returns how long the last majority took, from asking to its last
// grant.
func (m *Machine) Renewed() time.Duration { return m.bid.renewed }

// Resign gives the VIP up. successor, if not "", is the node that asks next;
// the machine itself does not campaign again for a while. Standing by, it does
// nothing.
func (m *Machine) Resign(now time.Time, successor, why string) {
	switch m.phase {
	case Campaigning:
		m.giveUp(now, why)
	case Holding:
		m.resign(successor, why)
	case Standby, Resigning:
	}
}

// Withdrawn says that this node certainly no longer answers for the VIP. Only
// now are the voters told (rule 7).
func (m *Machine) Withdrawn(now time.Time) {
	if m.phase != Resigning {
		return
	}
	m.phase = Standby
	m.bootstrap.told = m.bootstrap.over
	m.notBefore = now.Add(reserveTime + m.cfg.Timing.Lease + m.delay())
	m.release(now, m.bid.successor)
}

// Step takes one message from another node. A Reason says that and why it was
// ignored.
func (m *Machine) Step(now time.Time, msg Message) Reason {
	switch {
	case msg.VIP != m.cfg.VIP:
		return ReasonVIP
	case msg.Set != m.set.id:
		m.hearOther(msg)
		return ReasonSet
	case !m.set.has(msg.From.Node) || msg.From.Node == m.cfg.Self.Node:
		return ReasonForeign
	}
	m.hear(now, msg)
	if msg.Bootstrapped {
		m.hearBootstrapped()
	}
	var why Reason
	switch {
	case msg.Request != nil:
		why = m.stepRequest(now, msg.From, *msg.Request)
	case msg.Response != nil:
		why = m.stepResponse(now, msg.From.Node, *msg.Response)
	case msg.Release != nil:
		why = m.stepRelease(now, msg.From, *msg.Release)
	}
	m.yield(now)
	return why
}

func (m *Machine) stepRequest(now time.Time, from Owner, r Request) Reason {
	if r.Proven {
		m.establish()
	}
	answer, why := m.voter.request(now, from, r)
	if why != "" {
		return why
	}
	m.send(from.Node, Message{Response: &answer})
	if answer.Granted {
		m.notBefore = later(m.notBefore, m.voter.grant.until.Add(m.delay()))
	}
	return ""
}

func (m *Machine) stepRelease(now time.Time, from Owner, r Release) Reason {
	why := m.voter.release(now, from, r)
	_, taken := m.voter.granted(now)
	switch {
	case m.phase != Standby || taken:
	case r.Successor == m.cfg.Self.Node: // also when its own vote was for nobody
		m.notBefore = now
	case why == "" && r.Successor != "":
		m.notBefore = now.Add(reserveTime + m.delay())
	case why == "":
		m.notBefore = now.Add(m.delay())
	}
	return why
}

func (m *Machine) send(to string, msg Message) {
	msg.VIP, msg.From, msg.Fitness = m.cfg.VIP, m.cfg.Self, m.fitness
	msg.Set, msg.Was, msg.Bootstrapped = m.set.id, m.was, m.bootstrap.told
	m.out = append(m.out, Outbound{to, msg})
}

// broadcast sends msg to every other voter.
func (m *Machine) broadcast(msg Message) {
	for _, v := range m.set.voters {
		if v.Name != m.cfg.Self.Node {
			m.send(v.Name, msg)
		}
	}
}
