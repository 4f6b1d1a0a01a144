package doctor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/config"
)

// tryInside connects to the VIPs that are here from a network namespace, which
// hangs on a cable of its own beside this host, as a pod does.
func (l *Looker) tryInside(ctx context.Context, ports []Port) {
	var wanted []int
	for i, listener := range l.Config.Listeners {
		if listener.VIP != "" && ports[i].Holds {
			wanted = append(wanted, i)
		}
	}
	if len(wanted) == 0 {
		return
	}
	err := beside(ctx, func(dial func(netip.AddrPort) (net.Conn, error)) {
		for _, i := range wanted {
			to := l.Config.Listeners[i]
			conn, err := dial(to.Address)
			outside(func() { ports[i].Inside = trial(ctx, conn, err, to) })
		}
	})
	for _, i := range wanted {
		if err != nil && ports[i].Inside == nil {
			ports[i].Hidden = err.Error()
		}
	}
}

// outside runs f in the network namespace of this process, on another thread.
func outside(f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	<-done
}

// beside lays a cable into a new namespace and takes it away when f has returned.
func beside(ctx context.Context, f func(dial func(netip.AddrPort) (net.Conn, error))) error {
	return apart(func(leave func() error) (err error) {
		host, err := netlink.NewHandle(unix.NETLINK_ROUTE) // its socket stays in the host's
		if err != nil {
			return err
		}
		defer host.Close()
		nets, err := unusedNetworks()
		if err != nil {
			return err
		}
		if err := leave(); err != nil {
			return err
		}
		cable, err := layCable(host, nets)
		if err != nil {
			return fmt.Errorf("lay a cable into a network namespace: %w", err)
		}
		defer func() { err = errors.Join(err, host.LinkDel(cable)) }()
		f(func(to netip.AddrPort) (net.Conn, error) { return dial(ctx, "tcp", netip.Addr{}, to) })
		return nil
	})
}

// layCable makes a veth pair, one end of it in this thread's namespace, with an
// address of each network, and routes from there to everywhere.
func layCable(host *netlink.Handle, nets []netip.Prefix) (cable netlink.Link, err error) {
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = cableName()
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(ns.Fd()))}
	if err := host.LinkAdd(veth); err != nil {
		return nil, err
	}
	inside, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, errors.Join(err, host.LinkDel(veth))
	}
	defer inside.Close()
	if err := connect(host, inside, veth, nets); err != nil {
		return nil, errors.Join(err, host.LinkDel(veth))
	}
	return veth, nil
}

// connect gives both ends addresses, and the inner one a way out.
func connect(host, inside *netlink.Handle, outer netlink.Link, nets []netip.Prefix) error {
	inner, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := errors.Join(host.LinkSetUp(outer), inside.LinkSetUp(inner)); err != nil {
		return err
	}
	for _, n := range nets {
		first := n.Addr().Next()
		for _, end := range []struct {
			at   *netlink.Handle
			link netlink.Link
			ip   netip.Addr
		}{{host, outer, first}, {inside, inner, first.Next()}} {
			a := &netlink.Addr{IPNet: &net.IPNet{IP: end.ip.AsSlice(), Mask: net.CIDRMask(n.Bits(), end.ip.BitLen())}}
			if end.ip.Is6() {
				a.Flags = unix.IFA_F_NODAD
			}
			if err := end.at.AddrAdd(end.link, a); err != nil {
				return fmt.Errorf("add %s: %w", a, err)
			}
		}
		out := &netlink.Route{LinkIndex: inner.Attrs().Index, Gw: first.AsSlice(),
			Dst: &net.IPNet{IP: make(net.IP, first.BitLen()/8), Mask: make(net.IPMask, first.BitLen()/8)}}
		if err := inside.RouteAdd(out); err != nil {
			return fmt.Errorf("route through %s: %w", first, err)
		}
	}
	return nil
}

// cableName is one of 15 characters at most.
func cableName() string {
	b := make([]byte, 2)
	_, _ = rand.Read(b) // it never fails (crypto/rand)
	return "kshalb-dr" + hex.EncodeToString(b)
}

// unusedNetworks are two small ones that no interface of this host has: of the
// link-local addresses of IPv4 (RFC 3927), but for those of clouds' metadata, and of
// IPv6's unique local ones (RFC 4193).
func unusedNetworks() ([]netip.Prefix, error) {
	used, err := hostAddresses()
	if err != nil {
		return nil, err
	}
	for range 50 {
		n, err := rand.Int(rand.Reader, big.NewInt(160*64))
		if err != nil {
			return nil, err
		}
		four := netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, byte(1 + n.Int64()/64), byte(n.Int64() % 64 * 4)}), 30)
		local := [16]byte{0: 0xfd}
		_, _ = rand.Read(local[1:8])
		six := netip.PrefixFrom(netip.AddrFrom16(local), 126)
		if !slices.ContainsFunc(used, func(a hostAddress) bool { return four.Contains(a.prefix.Addr()) || six.Contains(a.prefix.Addr()) }) {
			if !hasIPv6() {
				return []netip.Prefix{four}, nil
			}
			return []netip.Prefix{four, six}, nil
		}
	}
	return nil, errors.New("find an unused link-local network: there is none")
}

func hasIPv6() bool {
	_, err := os.Stat("/proc/sys/net/ipv6")
	return err == nil
}

// served reports whether a trial ended up at kshalb, by the socket that took it.
func (p Port) served(t Trial, l config.Listener) bool {
	return l.Bind != l.Address && t.By.Port() == l.Bind.Port() ||
		t.By == l.Address && slices.ContainsFunc(p.Owners, func(o Owner) bool { return o.Ours && o.At == l.Address })
}
