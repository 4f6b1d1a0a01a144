package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"time"
)

// Address conflicts, after RFC 5227. A starting voter is silent for 5.5 s, so
// asking for less than that costs nothing: the probes are closer together than in
// section 1.1 of the RFC (3 in up to 7 s, and 2 s more), which has whole networks
// in mind that come up at once.
const (
	probeWait  = 500 * time.Millisecond // PROBE_WAIT: the first comes at a random time before this
	probeMin   = 700 * time.Millisecond // PROBE_MIN, PROBE_MAX: between two
	probeMax   = time.Second
	probeCount = 3           // PROBE_NUM
	probeEnd   = time.Second // ANNOUNCE_WAIT: for answers to the last one

	// While somebody has the address: between two probes, and after so long
	// without an answer, to two probes at least, they do not have it any more.
	lookAgain = 3 * time.Second
	goneAfter = 7 * time.Second

	defendInterval = 10 * time.Second       // DEFEND_INTERVAL
	repairInterval = 100 * time.Millisecond // between two answers to frames of peers
	tellInterval   = time.Minute            // between two log lines about the same sender

	// shown is for how long Status tells of a conflict that does not go on.
	shown = 5 * time.Minute
)

// Conflict is somebody who says that the VIP is theirs: who is not of the cluster, or a
// peer's host while this node holds.
type Conflict struct {
	MAC         net.HardwareAddr
	Peer        string    // whose host it is; "" for a stranger
	Since, Last time.Time // when that was first and last heard, without a long pause between
}

// Who says what kind of sender MAC belongs to, or "".
func (c Conflict) Who() string {
	if c.Peer != "" {
		return "the host of " + c.Peer + ", where something beside kshalb has the address, a keepalived perhaps"
	}
	// RFC 9568, section 7.3: 00-00-5E-00-01-{VRID} for IPv4, ...-02-... for IPv6.
	if len(c.MAC) == 6 && c.MAC[0] == 0 && c.MAC[1] == 0 && c.MAC[2] == 0x5e && c.MAC[3] == 0 && (c.MAC[4] == 1 || c.MAC[4] == 2) {
		return fmt.Sprintf("a VRRP router with VRID %d, a keepalived perhaps", c.MAC[5])
	}
	return ""
}

// String says who it is in few words.
func (c Conflict) String() string {
	if who := c.Who(); who != "" {
		return fmt.Sprintf("%s (%s)", c.MAC, who)
	}
	return c.MAC.String()
}

// hardware is a hardware address of Ethernet.
type hardware [6]byte

func (h hardware) String() string { return net.HardwareAddr(h[:]).String() }

// stranger is a sender that is neither a peer nor this host.
type stranger struct {
	hw          hardware
	since, last time.Time // last is zero for nobody
}

func (s stranger) conflict() Conflict { return Conflict{MAC: s.hw[:], Since: s.since, Last: s.last} }

// ErrAsking says that the VIP is not known to be free yet: for some 3 s after the
// start the network is asked whether somebody else has it, unless a peer is known
// to hold it.
var ErrAsking = errors.New("asking the network whether somebody else has the address")

// judge decides whether the address is free to be taken for the first time, and
// what to do about others who speak for it. It is pure: it has no clock and no
// socket.
type judge struct {
	kin   func(hardware) (peer string, own bool) // whose an address is; neither: a stranger's
	log   *slog.Logger
	count func() // one more conflict

	link     link // where it asks; zero: nowhere
	asked    int  // probes since it has been there
	askAt    time.Time
	answered bool // the first probes have had the time to be
	freed    bool // nobody has answered
	lifted   bool // the cluster has held the address, or need not ask: from now on conflicts are told, not obeyed

	other    stranger // the last one
	peer     insistence
	repaired time.Time // when a peer was last answered
	defended time.Time // when a stranger was
	told     map[hardware]time.Time
}

func newJudge(force bool, log *slog.Logger, count func(), kin func(hardware) (string, bool)) *judge {
	return &judge{kin: kin, log: log, count: count, lifted: force, told: make(map[hardware]time.Time)}
}

// follow begins to ask on another link, and on a zero one stops. A link without
// Ethernet has nobody to ask.
func (j *judge) follow(now time.Time, l link, ethernet bool) {
	j.link, j.asked, j.answered, j.freed = l, 0, !ethernet, !ethernet
	j.askAt = time.Time{}
	if l != (link{}) && ethernet && !j.lifted {
		j.askAt = now.Add(rand.N(probeWait))
	}
}

// lift ends the asking for good.
func (j *judge) lift() { j.lifted, j.askAt = true, time.Time{} }

// tick reports whether to send a probe now, and plans the next look.
func (j *judge) tick(now time.Time) (probe bool) {
	if j.askAt.IsZero() || now.Before(j.askAt) {
		return false
	}
	taken := j.taken(now)
	switch {
	case j.asked < probeCount:
		j.asked++
		j.askAt = now.Add(probeMin + rand.N(probeMax-probeMin))
		if j.asked == probeCount {
			j.askAt = now.Add(probeEnd)
		}
		return true
	case taken:
		if j.asking() {
			j.alarm(now, false)
		}
		j.answered, j.askAt = true, now.Add(lookAgain)
		return true
	}
	j.freed, j.answered, j.askAt = true, true, time.Time{}
	return false
}

// next returns when tick has something to do; zero is never.
func (j *judge) next() time.Time { return j.askAt }

// obstacle is why the address must not be taken; nil: it may.
func (j *judge) obstacle(now time.Time) error {
	switch {
	case j.lifted:
		return nil
	case j.taken(now):
		return fmt.Errorf("somebody else has the address since %s: %s; stop it there or choose another VIP (force: true takes it nevertheless)",
			j.other.since.Format(time.TimeOnly), j.other.conflict())
	case !j.freed:
		return ErrAsking
	}
	return nil
}

// reply is what to do about a frame of somebody else.
type reply int

const (
	silence  reply = iota
	defend         // one announcement
	announce       // as after a taking: a peer was late, and the neighbours believe it
)

// heard takes a frame in which hw says that it has the address. This node has it
// since held; zero: it has not.
func (j *judge) heard(now time.Time, hw hardware, held time.Time) reply {
	holding := !held.IsZero()
	peer, own := j.kin(hw)
	if own {
		return silence
	}
	if peer != "" {
		if !holding {
			return silence
		}
		j.insisted(now, hw, peer, held)
		if now.Sub(j.repaired) < repairInterval {
			return silence
		}
		j.repaired = now
		if j.tells(now, hw) {
			j.log.Info("a peer has announced the VIP, which is here: announced anew", "peer", peer, "mac", hw.String())
		}
		return announce
	}
	j.note(now, hw)
	if !j.asking() {
		j.alarm(now, holding)
	}
	if !holding || now.Sub(j.defended) < defendInterval {
		return silence
	}
	j.defended = now
	return defend
}

// asking reports whether the first probes are still under way. Who answers to them
// may turn out to be a peer that has not introduced itself yet.
func (j *judge) asking() bool { return !j.lifted && !j.answered }

// alarm counts and tells a conflict.
func (j *judge) alarm(now time.Time, holding bool) {
	j.count()
	if j.tells(now, j.other.hw) {
		j.log.Warn("somebody else says that they have the VIP: stop them, or choose another address",
			"who", j.other.conflict().String(), "held here", holding)
	}
}

// note remembers a stranger, and looks for when they go.
func (j *judge) note(now time.Time, hw hardware) {
	if j.other.hw != hw || now.Sub(j.other.last) > goneAfter {
		j.other = stranger{hw: hw, since: now}
	}
	j.other.last = now
	if !j.lifted && j.askAt.IsZero() && j.link != (link{}) {
		j.freed, j.askAt = false, now.Add(lookAgain)
	}
}

// tells reports whether a sender is worth a log line now. Many senders at once
// share one.
func (j *judge) tells(now time.Time, hw hardware) bool {
	const most = 16
	if at, ok := j.told[hw]; ok && now.Sub(at) < tellInterval {
		return false
	}
	for other, at := range j.told {
		if now.Sub(at) >= tellInterval {
			delete(j.told, other)
		}
	}
	if len(j.told) == most {
		return false
	}
	j.told[hw] = now
	return true
}

// taken reports whether a stranger has the address, as far as is known.
func (j *judge) taken(now time.Time) bool {
	return j.heardWithin(now, goneAfter)
}

// heardWithin reports whether somebody was heard who still is a stranger: a peer
// may not have been known as such then.
func (j *judge) heardWithin(now time.Time, d time.Duration) bool {
	if j.other.last.IsZero() || now.Sub(j.other.last) >= d {
		return false
	}
	peer, own := j.kin(j.other.hw)
	return peer == "" && !own
}

// conflict is what Status tells, or nil.
func (j *judge) conflict(now time.Time) *Conflict {
	if !j.heardWithin(now, shown) {
		return j.peer.conflict(now)
	}
	c := j.other.conflict()
	return &c
}
