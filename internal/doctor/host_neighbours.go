package doctor

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// entry is one of a neighbour table.
type entry struct {
	ip netip.Addr
	Neighbour
}

// neighbours is the neighbour table of an interface, for one family: entries that
// have a hardware address. What cannot be read is not known.
func neighbours(link string, of netip.Addr) (all []entry) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return nil
	}
	family := unix.AF_INET
	if of.Is6() {
		family = unix.AF_INET6
	}
	table, err := netlink.NeighList(i.Index, family)
	if err != nil {
		return nil
	}
	for _, n := range table {
		ip, ok := netip.AddrFromSlice(n.IP)
		if !ok || len(n.HardwareAddr) != macLength || n.State&(unix.NUD_NOARP|unix.NUD_FAILED|unix.NUD_INCOMPLETE) != 0 {
			continue
		}
		state := cmp.Or(neighbourStates[n.State], fmt.Sprintf("state %#x", n.State))
		all = append(all, entry{ip.Unmap(), Neighbour{MAC: n.HardwareAddr.String(), State: state}})
	}
	return all
}

// neighbourStates are those of entries that have a hardware address.
var neighbourStates = map[int]string{
	unix.NUD_REACHABLE: "reachable", unix.NUD_STALE: "stale", unix.NUD_DELAY: "delay", unix.NUD_PROBE: "probe", unix.NUD_PERMANENT: "permanent",
}

// carrier reports whether an interface has a carrier. IFF_RUNNING, which package net
// knows, follows it up to a second later (net/core/link_watch.c of Linux).
func carrier(link string) bool {
	l, err := netlink.LinkByName(link)
	return err == nil && l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
}
