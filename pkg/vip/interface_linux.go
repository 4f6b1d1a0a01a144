package vip

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// working is set on an interface with carrier. Linux clears IFF_LOWER_UP at once
// when the carrier goes; when it comes, IFF_RUNNING follows a little later, and
// what is sent before that is lost (net/core/link_watch.c).
const working = unix.IFF_LOWER_UP | unix.IFF_RUNNING

// findLink returns the interface with the given name, or, without one, the
// interface whose connected route holds addr. The error says what keeps it from
// carrying an address now.
func findLink(name string, addr netip.Addr) (link, error) {
	l, err := linkFor(name, addr)
	if err != nil {
		return link{}, err
	}
	return usable(l)
}

func linkByIndex(index int) (link, error) {
	l, err := netlink.LinkByIndex(index)
	if err != nil {
		return link{}, fmt.Errorf("look up interface number %d: %w", index, err)
	}
	return usable(l)
}

// usable is what a link is called, if it could carry an address now.
func usable(l netlink.Link) (link, error) {
	at := l.Attrs()
	switch {
	case at.RawFlags&unix.IFF_UP == 0:
		return link{}, fmt.Errorf("interface %s is down; bring it up (ip link set %s up)", at.Name, at.Name)
	case at.RawFlags&working != working:
		return link{}, fmt.Errorf("interface %s has no carrier; see to its cable, switch port or bond", at.Name)
	}
	return link{index: at.Index, name: at.Name}, nil
}

func linkFor(name string, addr netip.Addr) (netlink.Link, error) {
	if name == "" {
		return connected(addr)
	}
	l, err := netlink.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, fmt.Errorf("look up %s: %w; name another one (ip link lists them)", name, ErrNoInterface)
	}
	if err != nil {
		return nil, fmt.Errorf("look up interface %s: %w", name, err)
	}
	return l, nil
}

// connected returns the interface whose connected route holds addr. Routes of
// an interface that is down do not exist.
func connected(addr netip.Addr) (netlink.Link, error) {
	routes, err := dump(func() ([]netlink.Route, error) {
		return netlink.RouteListFiltered(family(addr),
			&netlink.Route{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST},
			netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	links, err := dump(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	candidates := make(map[int]netlink.Link)
	for _, l := range links {
		if l.Attrs().RawFlags&unix.IFF_LOOPBACK == 0 {
			candidates[l.Attrs().Index] = l
		}
	}
	if l, ok := nearest(routes, candidates, addr); ok {
		return l, nil
	}
	return nil, fmt.Errorf("no interface has a connected route that holds %s; is its interface down, or the address wrong? "+
		"(ip route shows them; an interface can be named in the configuration)", addr)
}

// nearest picks the interface among candidates whose route is the narrowest that
// holds addr, then the one with the lowest metric. A default route does not
// count: it holds everything.
func nearest(routes []netlink.Route, candidates map[int]netlink.Link, addr netip.Addr) (netlink.Link, bool) {
	var best netlink.Link
	bits, metric := 0, 0
	for _, r := range routes {
		l, ok := candidates[r.LinkIndex]
		if !ok || r.Dst == nil || r.Gw != nil || r.Via != nil || len(r.MultiPath) > 0 || !r.Dst.Contains(addr.AsSlice()) {
			continue
		}
		n, _ := r.Dst.Mask.Size()
		if n > bits || n > 0 && n == bits && r.Priority < metric {
			best, bits, metric = l, n, r.Priority
		}
	}
	return best, best != nil
}

// dumps is how often a dump is tried that the kernel interrupted because what it
// lists was changing.
const dumps = 5

func dump[T any](list func() ([]T, error)) (all []T, err error) {
	for range dumps {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}
