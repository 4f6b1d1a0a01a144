package keepalived

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxRange is how many addresses of a range become listeners.
const maxRange = 64

// place is where a virtual server is.
type place struct {
	addr netip.Addr
	port int
	at   plan.Source
}

func (p place) String() string { return netip.AddrPortFrom(p.addr, uint16(p.port)).String() }

// serverGroup keeps a virtual_server_group for those that name it.
func (h *host) serverGroup(b *node) { h.groups[b.arg(0)] = b }

// places are those of a virtual_server.
func (h *host) places(b *node) []place {
	switch b.arg(0) {
	case "fwmark":
		h.mark(b.at)
		return nil
	case "group":
		group := h.groups[b.arg(1)]
		if group == nil {
			h.notes.add(plan.Fault, b.at, "virtual_server group "+label(b.arg(1)), "no virtual_server_group of that name is in the files given; give the one that has it")
			return nil
		}
		var all []place
		for _, n := range group.kids {
			if n.key == "fwmark" {
				h.mark(n.at)
				continue
			}
			all = append(all, h.placed(n.at, group.key, n.key, n.arg(0))...)
		}
		return all
	}
	return h.placed(b.at, b.key, b.arg(0), b.arg(1))
}

func (h *host) mark(at plan.Source) {
	h.notes.add(plan.Lost, at, "fwmark", "kshalb listens on an address and a port, not for marked packets; write the address and the port that the mark stands for")
}

// placed is an address or a range of them, with a port.
func (h *host) placed(at plan.Source, key, text, portText string) []place {
	port, ok := number(portText, 0, 65535)
	if portText == "" || ok && port == 0 {
		h.notes.add(plan.Lost, at, key+" without a port", "kshalb has no listener for all ports; write one virtual_server for each port that is used")
		return nil
	}
	if !ok {
		h.notes.bad(at, key, portText, "an address and a port from 1 to 65535")
		return nil
	}
	addrs := span(text)
	if len(addrs) == 0 {
		h.notes.bad(at, key, text, "an address, or a range of up to 64 of them")
		return nil
	}
	all := make([]place, 0, len(addrs))
	for _, a := range addrs {
		all = append(all, place{a, port, at})
	}
	return all
}

// span is one address; A.B.C.D-E or A-B with both ends; or those of a prefix.
func span(text string) []netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return []netip.Addr{a}
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		first := p.Masked().Addr()
		return until(first, func(a netip.Addr) bool { return !p.Contains(a) })
	}
	from, to, ranged := strings.Cut(text, "-")
	first, err := netip.ParseAddr(from)
	if !ranged || err != nil || first.Zone() != "" {
		return nil
	}
	last, err := lastOf(first, from, to)
	if err != nil || last.Less(first) {
		return nil
	}
	return until(first, func(a netip.Addr) bool { return last.Less(a) })
}

// lastOf is the end of a range, whose last part alone may stand there: the IPv6
// one is hexadecimal.
func lastOf(first netip.Addr, from, to string) (netip.Addr, error) {
	if strings.ContainsAny(to, ".:") {
		return netip.ParseAddr(to)
	}
	sep, base := ".", 10
	if first.Is6() {
		sep, base = ":", 16
	}
	if _, err := strconv.ParseUint(to, base, 16); err != nil {
		return netip.Addr{}, fmt.Errorf("read the end of a range: %w", err)
	}
	return netip.ParseAddr(from[:strings.LastIndex(from, sep)+1] + to)
}

// until lists addresses up to where done says so; too many are none.
func until(a netip.Addr, done func(netip.Addr) bool) []netip.Addr {
	var all []netip.Addr
	for ; a.IsValid() && !done(a); a = a.Next() {
		if len(all) == maxRange {
			return nil
		}
		all = append(all, a)
	}
	return all
}
