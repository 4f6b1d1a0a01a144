package vip

import (
	"slices"
	"time"
)

// insists is for how long a peer must go on to say that it has the VIP, which this
// node holds all the while, until that is a conflict: something else on its host
// has the address, too. Frames of its kshalb, which held before, are late by less: the
// fence closes with the lease, and without one this node has waited for the address to
// go ([Linger]).
const insists = 3 * time.Second

// insistence is a peer that says so again and again.
type insistence struct {
	stranger
	proven Conflict // the last one that lasted; zero: none
}

// note takes one more frame, and reports whether it makes a conflict, and whether that
// is a new one. held is since when this node holds.
func (p *insistence) note(now time.Time, hw hardware, peer string, held time.Time) (conflict, fresh bool) {
	if p.hw != hw || now.Sub(p.last) > goneAfter || p.since.Before(held) {
		p.stranger = stranger{hw: hw, since: now}
	}
	p.last = now
	if now.Sub(p.since) < insists {
		return false, false
	}
	fresh = !p.proven.Since.Equal(p.since)
	p.proven.MAC = append(p.proven.MAC[:0], hw[:]...)
	p.proven.Peer, p.proven.Since, p.proven.Last = peer, p.since, now
	return true, fresh
}

// conflict is what Status tells, or nil.
func (p *insistence) conflict(now time.Time) *Conflict {
	if p.proven.MAC == nil || now.Sub(p.proven.Last) >= shown {
		return nil
	}
	c := p.proven
	c.MAC = slices.Clone(c.MAC) // this one is written again
	return &c
}

// insisted takes a frame of a peer while this node holds.
func (j *judge) insisted(now time.Time, hw hardware, peer string, held time.Time) {
	conflict, fresh := j.peer.note(now, hw, peer, held)
	if !conflict {
		return
	}
	j.count()
	if fresh || j.tells(now, hw) {
		j.log.Warn("a peer goes on to say that it has the VIP, which is here: stop what has it there beside kshalb",
			"who", j.peer.proven.String())
	}
}
