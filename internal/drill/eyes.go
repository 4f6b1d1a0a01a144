package drill

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/whohas"
)

// eyes see who answers for the address on the wire.
type eyes interface {
	Run(ctx context.Context) error
	// Seen is what was seen between two moments. name says whose a hardware address
	// is; "" is not known.
	Seen(from, to time.Time) Wire
}

// Wire is what was seen of who answers for the address.
type Wire struct {
	Questions int      `json:"questions"`
	Owners    []string `json:"owners"`  // hardware addresses, in the order in which they began to answer
	Doubles   int      `json:"doubles"` // questions that two answered
}

// wireEvery is between two questions.
const wireEvery = 20 * time.Millisecond

// window is the time after one question, until the next.
type window struct {
	asked time.Time
	macs  []string // that answered
}

// wire is eyes on a real interface. Each answer belongs to the question before it,
// since all answers that are there are taken in before the next question is asked.
// So two answers to one question are two owners at the same time, whatever holds
// this process up.
type wire struct {
	asker *whohas.Asker

	mu      sync.Mutex
	windows []window
}

func openEyes(link string, vip netip.Addr) (eyes, error) {
	asker, err := whohas.Open(link, vip, own(link, vip))
	if err != nil {
		return nil, err
	}
	return &wire{asker: asker}, nil
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
		err := w.asker.Hear(at.asked.Add(wireEvery), func(c whohas.Claim) {
			if mac := c.MAC.String(); c.Answer && !slices.Contains(at.macs, mac) {
				at.macs = append(at.macs, mac)
			}
		})
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.windows = append(w.windows, at)
		w.mu.Unlock()
	}
	return nil
}

// Seen implements eyes.
func (w *wire) Seen(from, to time.Time) Wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	return seen(w.windows, from, to)
}

func seen(windows []window, from, to time.Time) (s Wire) {
	s.Owners = []string{}
	for _, w := range windows {
		if w.asked.Before(from) || w.asked.After(to) {
			continue
		}
		s.Questions++
		if len(w.macs) > 1 {
			s.Doubles++
		}
		for _, mac := range w.macs {
			if len(s.Owners) == 0 || s.Owners[len(s.Owners)-1] != mac {
				s.Owners = append(s.Owners, mac)
			}
		}
	}
	return s
}
