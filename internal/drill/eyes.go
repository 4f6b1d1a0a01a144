package drill

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/whohas"
)

// eyes see who answers for the address on the wire.
type eyes interface {
	Run(ctx context.Context) error
	// Seen is what was seen between two moments, by a host that held the address itself
	// at some times.
	Seen(from, to time.Time, ours *tenure) Wire
}

// Wire is what was seen of who answers for the address.
type Wire struct {
	Questions int      `json:"questions"`
	Owners    []string `json:"owners"`  // hardware addresses, in the order in which they began to answer
	Doubles   int      `json:"doubles"` // questions that two answered, or one while this host held the address
}

// wireEvery is between two questions.
const wireEvery = 20 * time.Millisecond

// window is the time after one question, until the next.
type window struct {
	asked, over time.Time
	macs        []string // that answered, in the order of their first answers
}

// wire is eyes on a real interface.
//
// In IPv4 a question is asked in nobody's name, so that an answer is to it and to no
// question of this host's kernel, and it belongs to the last one, since all answers
// that are there are taken in before the next is asked. So two that answer one
// question have the address at the same time, whatever holds this process up. In
// IPv6 answers to nobody look like announcements. There this host asks in its own
// name, as its kernel does, and two owners are seen only when the first one answers
// again after the second: within a lease the address cannot go back.
//
// Whoever answers while this host holds the address is a second owner, too.
type wire struct {
	asker *whohas.Asker
	vip   netip.Addr
	lease time.Duration
	cards []string // hardware addresses of this host

	mu      sync.Mutex
	windows []window
}

// openEyes looks on a link, or where the routes lead when it is "": that is no use on
// the host which has the address, for it leads to itself.
func openEyes(link string, vip netip.Addr, lease time.Duration) (eyes, error) {
	if link == "" {
		links, err := fault.Toward(vip)
		if err != nil {
			return nil, err
		}
		if len(links) == 0 {
			return nil, errors.New("this host has no route to it")
		}
		link = links[0]
	}
	self := netip.Addr{}
	if vip.Is6() {
		self = own(link, vip)
	}
	asker, err := whohas.Open(link, vip, self)
	if err != nil {
		return nil, err
	}
	return &wire{asker: asker, vip: vip, lease: lease, cards: cards()}, nil
}

// cards are this host's hardware addresses: with two of them in one network, either
// answers for what the other one has.
func cards() (macs []string) {
	links, _ := net.Interfaces() // none of its own are known then
	for _, l := range links {
		macs = append(macs, l.HardwareAddr.String())
	}
	return macs
}

// own is this host's address on a link by which to ask for another one, so that
// answers come to this host alone; the invalid one asks in nobody's name.
func own(link string, vip netip.Addr) netip.Addr {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return netip.Addr{}
	}
	nets, err := i.Addrs()
	if err != nil {
		return netip.Addr{}
	}
	for _, n := range nets {
		p, err := netip.ParsePrefix(n.String())
		if err == nil && p.Addr() != vip && p.Bits() < p.Addr().BitLen() && p.Contains(vip) {
			return p.Addr()
		}
	}
	return netip.Addr{}
}

// Run asks until ctx ends.
func (w *wire) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, w.asker.Close()) }()
	for ctx.Err() == nil {
		if err := w.asker.Ask(); err != nil {
			return err
		}
		at := window{asked: time.Now()}
		err := w.asker.Hear(at.asked.Add(wireEvery), func(c whohas.Claim) { w.hear(&at, c) })
		if err != nil {
			return err
		}
		at.over = time.Now()
		w.mu.Lock()
		w.windows = append(w.windows, at)
		w.mu.Unlock()
	}
	return nil
}

// hear takes in what another host says.
func (w *wire) hear(at *window, c whohas.Claim) {
	if mac := c.MAC.String(); c.Answer && !slices.Contains(at.macs, mac) && !slices.Contains(w.cards, mac) {
		at.macs = append(at.macs, mac)
	}
}

// Seen implements eyes.
func (w *wire) Seen(from, to time.Time, ours *tenure) Wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.vip.Is6() {
		return seen(w.windows, from, to, w.lease, ours.holds)
	}
	return seen(w.windows, from, to, 0, ours.holds)
}

// seen is what the windows between two moments say. back is 0 when two answers to
// one question are two owners; else that is so when an owner answers again so soon. ours
// says whether this host held the address from one moment to another.
func seen(windows []window, from, to time.Time, back time.Duration, ours func(from, to time.Time) bool) (s Wire) {
	s.Owners = []string{}
	last := make(map[string]time.Time) // that a hardware address answered
	for _, w := range windows {
		if w.asked.Before(from) || w.asked.After(to) {
			continue
		}
		s.Questions++
		double := back == 0 && len(w.macs) > 1 || len(w.macs) > 0 && ours(w.asked, w.over)
		for _, mac := range w.macs {
			if len(s.Owners) == 0 || s.Owners[len(s.Owners)-1] != mac {
				s.Owners = append(s.Owners, mac)
				before, known := last[mac]
				double = double || known && w.asked.Sub(before) < back
			}
			last[mac] = w.asked
		}
		if double {
			s.Doubles++
		}
	}
	return s
}
