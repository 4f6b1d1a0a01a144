package vip

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// socketAnnouncer tells this host's own sockets: those that were connected to an IPv6
// VIP while another host had it keep to the way there. A client that only waits would
// never hear of the end, since its answer to a tickle ([Tickle]) goes to the host that
// is gone. In IPv4 an address that comes makes all sockets look for their ways again;
// in IPv6 a route that comes does, and only those that found theirs in the same table
// (fib6_update_sernum_upto_root, net/ipv6/ip6_fib.c), while an address has its route in
// a table of its own. So there is one more in the main table, for a moment.
type socketAnnouncer struct{ *addresses }

func (a *socketAnnouncer) announce(l link, deadline time.Time) (sent, unsent int) {
	if !a.fresh || a.vip.Is4() {
		return 0, 0
	}
	here, err := a.awaitRoute(deadline)
	if err == nil && (!here || past(deadline)) {
		return 0, 0 // it is announced again soon
	}
	if err == nil {
		err = a.passRoute(l)
	}
	if err != nil {
		return 0, 1
	}
	a.fresh = false
	return 0, 0
}

func (a *socketAnnouncer) withdraw() {}

func (a *socketAnnouncer) hangUp() {}

// routeTimeout is what the kernel may take until the address has its route: it leaves
// that to a worker (addrconf_dad_work, net/ipv6/addrconf.c), which needs a millisecond,
// and 10 on a busy machine. The first tickle comes after 20.
const routeTimeout = 15 * time.Millisecond

// awaitRoute waits for that. It asks again and again: who listens for routes hears of
// all others, too.
func (a *socketAnnouncer) awaitRoute(deadline time.Time) (here bool, err error) {
	for end := time.Now().Add(routeTimeout); ; time.Sleep(time.Millisecond) {
		if here, err = local(a.vip); here || err != nil || past(end) || past(deadline) {
			return here, err
		}
	}
}

// local reports whether what this host sends to an address stays here.
func local(ip netip.Addr) (bool, error) {
	routes, err := netlink.RouteGet(net.IP(ip.AsSlice()))
	if err != nil {
		return false, fmt.Errorf("ask for the route to %s: %w", ip, err)
	}
	return len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL, nil
}

// passRoute adds a route to the VIP and removes it. It leads to where the VIP would be
// without it, and comes after anybody's: one that a killed process leaves changes
// nothing, and ends after a second.
func (a *socketAnnouncer) passRoute(l link) error {
	change := func(kind, flags int) error {
		req := nl.NewNetlinkRequest(kind, flags|unix.NLM_F_ACK)
		msg := nl.NewRtMsg() // to the main table
		msg.Family, msg.Dst_len, msg.Protocol = unix.AF_INET6, uint8(a.vip.BitLen()), Proto
		req.AddData(msg)
		req.AddData(nl.NewRtAttr(unix.RTA_DST, a.vip.AsSlice()))
		req.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(l.index))))
		req.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(math.MaxInt32)))
		req.AddData(nl.NewRtAttr(unix.RTA_EXPIRES, nl.Uint32Attr(1)))
		_, err := req.Execute(unix.NETLINK_ROUTE, 0)
		return err
	}
	return errors.Join(
		change(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL),
		change(unix.RTM_DELROUTE, 0))
}
