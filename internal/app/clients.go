package app

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A message of clients is a mark, by which it is told from one of the election, the
// address at which they connected, and the clients. An address is its length, its
// bytes and its port.
const (
	clientsMark   = 0    // no message of the election begins so
	clientsInOne  = 1200 // bytes: what fits into a datagram with what is around it
	clientsMost   = 4096 // of one address that are told of
	clientsKnown  = 1 << 16
	clientsForget = 10 * time.Second
	clientsEvery  = time.Second
	clientsLook   = 200 * time.Millisecond // between looks whether there are new ones
)

// tellClients returns the messages that tell of clients.
func tellClients(at netip.AddrPort, clients []netip.AddrPort) (messages [][]byte) {
	var m []byte
	for _, c := range clients[:min(len(clients), clientsMost)] {
		if m == nil {
			m = appendAddrPort([]byte{clientsMark}, at)
		}
		if m = appendAddrPort(m, c); len(m) > clientsInOne {
			messages, m = append(messages, m), nil
		}
	}
	if m != nil {
		messages = append(messages, m)
	}
	return messages
}

func appendAddrPort(b []byte, a netip.AddrPort) []byte {
	raw := a.Addr().AsSlice()
	b = append(append(b, byte(len(raw))), raw...)
	return binary.BigEndian.AppendUint16(b, a.Port())
}

// readClients reads a message; false: it is none, or damaged.
func readClients(b []byte) (at netip.AddrPort, clients []netip.AddrPort, ok bool) {
	if len(b) == 0 || b[0] != clientsMark {
		return at, nil, false
	}
	var all []netip.AddrPort
	for b = b[1:]; len(b) > 0; {
		n := int(b[0])
		if len(b) < 1+n+2 {
			return at, nil, false
		}
		addr, ok := netip.AddrFromSlice(b[1 : 1+n])
		if !ok {
			return at, nil, false
		}
		all = append(all, netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[1+n:])))
		b = b[1+n+2:]
	}
	if len(all) < 2 {
		return at, nil, false
	}
	return all[0], all[1:], true
}

// strayed are the clients of other holders, by where they connected. It is safe for
// concurrent use.
type strayed struct {
	mu    sync.Mutex
	known map[netip.AddrPort]map[netip.AddrPort]time.Time // when each was last told of
	count int
}

// note takes what a holder tells.
func (s *strayed) note(at netip.AddrPort, clients []netip.AddrPort, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = make(map[netip.AddrPort]map[netip.AddrPort]time.Time)
	}
	of := s.known[at]
	if of == nil {
		of = make(map[netip.AddrPort]time.Time)
		s.known[at] = of
	}
	for _, c := range clients {
		if _, is := of[c]; !is && s.count >= clientsKnown {
			continue
		} else if !is {
			s.count++
		}
		of[c] = now
	}
}

// forget drops those that were not told of for some time: their connections ended.
func (s *strayed) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, of := range s.known {
		for c, last := range of {
			if now.Sub(last) > clientsForget {
				delete(of, c)
				s.count--
			}
		}
		if len(of) == 0 {
			delete(s.known, at)
		}
	}
}

// of returns the clients that connected at an address, and drops them.
func (s *strayed) of(at netip.AddrPort) (all []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.known[at] {
		all = append(all, c)
	}
	s.count -= len(all)
	delete(s.known, at)
	slices.SortFunc(all, netip.AddrPort.Compare)
	return all
}
