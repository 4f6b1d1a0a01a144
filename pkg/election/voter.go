package election

import "time"

// Reason says why an input had no effect; "" is none: it had one.
type Reason string

// Why a message was ignored.
const (
	ReasonSilent   Reason = "voter is silent after its start"
	ReasonForeign  Reason = "sender is not a voter"
	ReasonVIP      Reason = "another VIP"
	ReasonReleased Reason = "attempt was released before"
	ReasonStale    Reason = "answer to an attempt that is over"
	ReasonUnheld   Reason = "release of a grant that is not there"
)

// voter is one node's vote on one VIP: it knows one grant at most.
type voter struct {
	silentUntil time.Time
	term        uint64 // the highest seen
	grant       grant
	reserved    reservation
	released    map[string]released // by node: the last release of each, so a late request is known
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

type released struct {
	incarnation uint64
	attempt     uint64
}

func newVoter(now time.Time) voter {
	return voter{silentUntil: now.Add(Silence), released: make(map[string]released)}
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
	if last := v.released[from.Node]; last.incarnation == from.Incarnation && r.Attempt <= last.attempt {
		return Response{}, ReasonReleased
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

// give grants to from, or renews. An older request that comes late never
// shortens the grant or takes back what a newer one said.
func (v *voter) give(now time.Time, from Owner, r Request) {
	until := now.Add(voterTime(r.Keep))
	if g := v.grant; g.owner == from && g.attempt > r.Attempt {
		v.grant.until = later(g.until, until)
		return
	}
	if v.grant.owner == from {
		until = later(v.grant.until, until)
	}
	v.reserved = reservation{}
	v.grant = grant{owner: from, attempt: r.Attempt, term: r.Term, until: until, holding: r.Holding}
}

// release frees from's grant if r names it.
func (v *voter) release(now time.Time, from Owner, r Release) Reason {
	last := v.released[from.Node]
	if last.incarnation != from.Incarnation || last.attempt < r.Attempt {
		v.released[from.Node] = released{from.Incarnation, r.Attempt}
	}
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
