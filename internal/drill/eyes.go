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
	Doubles   int      `json:"doubles"` // questions whose answers prove that two had the address
}

// wireEvery is between two questions.
const wireEvery = 20 * time.Millisecond

// window is the time after one question, until the next.
type window struct {
	asked, over time.Time
	macs        []string // that answered, in the order of their first answers
}

// wire is eyes on a real interface. All answers that are there are taken in before the
// next question is asked, so whoever answers a window's question had the address after
// it was asked, whatever holds this process up.
//
// Two answers to one question prove nothing: a busy host hears it late, when it has
// taken over. But who answers again, to a question that was asked after another's
// answer, had the address before the other one and after it; and within a lease it cannot
// have gone there and back. Whoever answers while this host holds the address is a
// second owner, too.
//
// In IPv4 a question is asked in nobody's name, so that no answer is one to this host's
// kernel. In IPv6 answers to nobody look like announcements: there this host asks in
// its own name.
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
	return seen(w.windows, from, to, w.lease, ours.holds)
}

// seen is what the windows between two moments say. An owner that answers again within
// lease, though another one answered meanwhile, proves two. ours says whether this
// host held the address from one moment to another.
func seen(windows []window, from, to time.Time, lease time.Duration, ours func(from, to time.Time) bool) (s Wire) {
	s.Owners = []string{}
	answered := make(map[string]time.Time)  // when a hardware address was asked last, and answered
	overtaken := make(map[string]time.Time) // the same, before another one answered a later question
	for _, w := range windows {
		if w.asked.Before(from) || w.asked.After(to) {
			continue
		}
		s.Questions++
		double := len(w.macs) > 0 && ours(w.asked, w.over)
		for _, mac := range w.macs {
			before, was := overtaken[mac]
			double = double || was && w.asked.Sub(before) < lease
			if len(s.Owners) == 0 || s.Owners[len(s.Owners)-1] != mac {
				s.Owners = append(s.Owners, mac)
			}
		}
		if double {
			s.Doubles++
		}
		for _, mac := range w.macs {
			for other, at := range answered {
				if other != mac && at.Before(w.asked) {
					overtaken[other] = at
				}
			}
		}
		for _, mac := range w.macs {
			answered[mac] = w.asked
		}
	}
	return s
}
