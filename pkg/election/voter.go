package election

import "time"

// Reason says why an input had no effect; "" is none: it had one.
type Reason string

// Why a message was ignored.
const (
	ReasonMalformed Reason = "malformed" // it cannot be decoded
	ReasonVIP       Reason = "vip"       // it is about another VIP
	ReasonSet       Reason = "voters"    // its sender has other voters
	ReasonForeign   Reason = "foreign"   // its sender is not a voter
	ReasonSilent    Reason = "silent"    // this voter is silent after its start
	ReasonReplayed  Reason = "replayed"  // the attempt, or a later one, was asked for or released before
	ReasonStale     Reason = "stale"     // an answer to an attempt that is over
	ReasonUnheld    Reason = "unheld"    // a release of a grant that is not there
	ReasonOverflow  Reason = "overflow"  // more came at once than this node could take in
)

// voter is one node's vote on one VIP: it knows one grant at most.
type voter struct {
	silentUntil time.Time
	term        uint64 // the highest seen
	grant       grant
	reserved    reservation
	// last is, by node, what was last asked for or released, so that a late request
	// costs nobody the vote. A message of an earlier run of the node makes it forget
	// those of the present one; no grant may depend on it.
	last map[string]attempt
}

type grant struct {
	owner   Owner
	attempt uint64
	term    uint64
	until   time.Time
	holding bool // the owner says that it holds
}

type reservation struct {
	node  string
	until time.Time
}

type attempt struct {
	incarnation uint64
	number      uint64
}

// advance notes an attempt of a node's and reports whether it is a new one.
func (v *voter) advance(from Owner, number uint64) bool {
	last := v.last[from.Node]
	if last.incarnation == from.Incarnation && number <= last.number {
		return false
	}
	v.last[from.Node] = attempt{from.Incarnation, number}
	return true
}

func newVoter(now time.Time) voter {
	return voter{silentUntil: now.Add(Silence), last: make(map[string]attempt)}
}

func (v *voter) silent(now time.Time) bool { return now.Before(v.silentUntil) }

// granted returns the grant that lives at now.
func (v *voter) granted(now time.Time) (grant, bool) {
	return v.grant, now.Before(v.grant.until)
}

// request decides on r; a Reason means that no answer is to be sent.
func (v *voter) request(now time.Time, from Owner, r Request) (Response, Reason) {
	if v.silent(now) {
		return Response{}, ReasonSilent
	}
	if fresh := v.advance(from, r.Attempt); !fresh || v.grant.owner == from && r.Attempt <= v.grant.attempt {
		return Response{}, ReasonReplayed
	}
	v.term = max(v.term, r.Term)
	answer := Response{To: from, Attempt: r.Attempt, Term: v.term}
	if g, live := v.granted(now); live && g.owner != from {
		answer.HeldBy, answer.Remaining, answer.Tentative = g.owner.Node, g.until.Sub(now), !g.holding
		return answer, ""
	}
	if v.reserved.node != from.Node && now.Before(v.reserved.until) {
		answer.HeldBy, answer.Remaining = v.reserved.node, v.reserved.until.Sub(now)
		return answer, ""
	}
	v.give(now, from, r)
	answer.Granted = true
	return answer, ""
}

// give grants to from, or renews. A renewal that asks for less, since the fence
// is better now, takes nothing back.
func (v *voter) give(now time.Time, from Owner, r Request) {
	until := now.Add(voterTime(r.Keep))
	if v.grant.owner == from {
		until = later(v.grant.until, until)
	}
	v.reserved = reservation{}
	v.grant = grant{owner: from, attempt: r.Attempt, term: r.Term, until: until, holding: r.Holding}
}

// release frees from's grant if r names it.
func (v *voter) release(now time.Time, from Owner, r Release) Reason {
	v.advance(from, r.Attempt)
	g, live := v.granted(now)
	if !live || g.owner != from || g.attempt > r.Attempt {
		return ReasonUnheld
	}
	v.grant = grant{}
	if r.Successor != "" {
		v.reserved = reservation{r.Successor, now.Add(reserveTime)}
	}
	return ""
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
