package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netSwitch is a bridge in a namespace of its own. The port of host n is an
// interface named portN; the host's end of the cable is its eth0.
type netSwitch struct {
	ns     *namespace
	bridge int
	wall   *wall
}

// forgets is when the switch forgets behind which port a host is: much sooner than
// real ones (300 s), so that no test relies on what it has learnt.
const forgets = 2 * time.Second

func newSwitch() (*netSwitch, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	snooping, ageing := false, uint32(forgets/(10*time.Millisecond)) // USER_HZ
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "switch"
	br := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping, AgeingTime: &ageing}
	if err := ns.nl.LinkAdd(br); err != nil {
		ns.close()
		return nil, fmt.Errorf("make a bridge: %w", err)
	}
	if err := ns.nl.LinkSetUp(br); err != nil {
		ns.close()
		return nil, fmt.Errorf("set a bridge up: %w", err)
	}
	return &netSwitch{ns: ns, bridge: br.Index, wall: &wall{ns: ns}}, nil
}

func (s *netSwitch) close() { s.ns.close() }

// plug lays a cable from a new port to eth0 of the namespace.
func (s *netSwitch) plug(port string, mac net.HardwareAddr, to *namespace) (*netlink.Veth, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = port
	attrs.MasterIndex = s.bridge
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0", PeerHardwareAddr: mac, PeerNamespace: netlink.NsFd(to.fd),
	}
	if err := s.ns.nl.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("lay a cable from %s: %w", port, err)
	}
	if err := s.ns.nl.LinkSetUp(veth); err != nil {
		return nil, fmt.Errorf("set %s of the switch up: %w", port, err)
	}
	return veth, nil
}

// address sets eth0 up with the addresses.
func (n *namespace) address(addrs []netip.Prefix) error {
	eth0, err := n.nl.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	if err := n.nl.LinkSetUp(eth0); err != nil {
		return fmt.Errorf("set eth0 up: %w", err)
	}
	for _, p := range addrs {
		a := &netlink.Addr{IPNet: &net.IPNet{
			IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		if err := n.nl.AddrAdd(eth0, a); err != nil {
			return fmt.Errorf("add address %s to eth0: %w", p, err)
		}
	}
	return nil
}

// has reports whether the address is on an interface of the namespace.
func (n *namespace) has(ip netip.Addr) (bool, error) {
	found, err := n.find(ip)
	return len(found) > 0, err
}

// lose deletes the address from all interfaces of the namespace.
func (n *namespace) lose(ip netip.Addr) error {
	found, err := n.find(ip)
	for _, a := range found {
		link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: a.LinkIndex}} // the index is all that counts
		err = errors.Join(err, n.nl.AddrDel(link, &a))
	}
	return err
}

// find returns the address as it is on the interfaces of the namespace.
func (n *namespace) find(ip netip.Addr) ([]netlink.Addr, error) {
	family := netlink.FAMILY_V4
	if ip.Is6() {
		family = netlink.FAMILY_V6
	}
	addrs, err := n.nl.AddrList(nil, family)
	return slices.DeleteFunc(addrs, func(a netlink.Addr) bool {
		got, ok := netip.AddrFromSlice(a.IP)
		return !ok || got.Unmap() != ip
	}), err
}

// Fault is a way in which a host loses the network.
type Fault int

const (
	// LinkDown is a pulled cable: the host's eth0 loses its carrier.
	LinkDown Fault = iota
	// Isolate is a switch that forwards nothing from or to the host, which
	// can't tell: its eth0 keeps its carrier.
	Isolate
)

func (s *netSwitch) cut(port netlink.Link, f Fault) error {
	if f == LinkDown {
		return s.ns.nl.LinkSetDown(port)
	}
	return s.ns.nl.LinkSetNoMaster(port)
}

func (s *netSwitch) heal(port netlink.Link) error {
	if err := s.ns.nl.LinkSetMasterByIndex(port, s.bridge); err != nil {
		return err
	}
	return s.ns.nl.LinkSetUp(port)
}
