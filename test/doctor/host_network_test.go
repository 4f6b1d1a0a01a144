package doctor

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// set makes a setting of a host, by its file below /proc/sys/net.
func set(t *testing.T, h *lab.Host, name, value string) {
	t.Helper()
	must(t, h.Do(func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) }))
}

// wire gives a host one more interface, eth1, with an address, and a default
// route through it.
func wire(t *testing.T, h *lab.Host, address, gateway string) {
	t.Helper()
	must(t, h.Do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "eth1"
		veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "cable1"}
		if err := netlink.LinkAdd(veth); err != nil {
			return err
		}
		return nil
	}))
	on(t, h, "cable1", netlink.LinkSetUp)
	on(t, h, "eth1", func(l netlink.Link) error {
		addr, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(l, addr); err != nil {
			return err
		}
		return netlink.LinkSetUp(l)
	})
	must(t, h.Do(func() error { return routeVia(net.ParseIP(gateway).To4(), "eth1") }))
}

// TestHostSysctls: of settings that hurt, each is found where it is.
func TestHostSysctls(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	set(t, w.Masters[0].Host, "ipv4/conf/eth0/arp_ignore", "8")
	set(t, w.Masters[1].Host, "ipv4/conf/all/drop_gratuitous_arp", "1")
	wire(t, w.Masters[2].Host, "10.1.0.1/24", "10.1.0.254")
	set(t, w.Masters[2].Host, "ipv4/conf/all/rp_filter", "1")
	w.expect(w.judge(),
		"fault sysctls master1: arp_ignore is 8 for eth0",
		"warning sysctls master2: drop_gratuitous_arp is 1 for eth0",
		"warning sysctls master3: rp_filter is 1 for eth0",
	)
	set(t, w.Masters[0].Host, "ipv4/conf/eth0/arp_ignore", "2")
	set(t, w.Masters[1].Host, "ipv4/conf/all/drop_gratuitous_arp", "0")
	set(t, w.Masters[2].Host, "ipv4/conf/eth0/rp_filter", "2")
	w.expect(w.judge())
}

// TestHostIPv6Off: no VIP can be added where IPv6 is off.
func TestHostIPv6Off(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{IPv6: true, VIPs: "[{name: apiserver, address: 'fd00:6b::a', interface: eth0}]"})
	set(t, w.Masters[1].Host, "ipv6/conf/eth0/disable_ipv6", "1")
	set(t, w.Masters[2].Host, "ipv6/conf/eth0/drop_unsolicited_na", "1")
	w.expect(w.judge(),
		"fault sysctls master2: IPv6 is switched off on eth0",
		"warning sysctls master3: drop_unsolicited_na is 1",
	)
}

// assign puts an address on eth0 of a host that will go by itself, as kshalb does.
func assign(t *testing.T, h *lab.Host, ip netip.Addr) {
	t.Helper()
	on(t, h, "eth0", func(l netlink.Link) error {
		a := &netlink.Addr{IPNet: netlink.NewIPNet(ip.AsSlice()), ValidLft: 600}
		if ip.Is4() {
			a.Label = "eth0:kshalb"
		} else {
			a.Flags = unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE
		}
		return netlink.AddrAdd(l, a)
	})
}

// TestHostAnswers holds what is judged of ARP's settings against what they do: the
// VIP is found by a client that has forgotten it with all of them but one.
func TestHostAnswers(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	m := w.Masters[0].Host
	assign(t, m, w.VIP)
	ln, err := m.Listen("tcp", netip.AddrPortFrom(w.VIP, 80).String())
	must(t, err)
	go func() { _ = accept(ln) }() // until ln is closed
	defer ln.Close()
	for _, tt := range []struct {
		name, value string
		answers     bool
	}{
		{"arp_ignore", "1", true}, {"arp_ignore", "2", true}, {"arp_ignore", "3", true}, {"arp_ignore", "8", false}, {"arp_ignore", "0", true},
		{"arp_announce", "2", true}, {"arp_filter", "1", true}, {"rp_filter", "1", true}, {"accept_local", "1", true}, {"promote_secondaries", "1", true},
	} {
		set(t, m, "ipv4/conf/all/"+tt.name, tt.value)
		forget(t, w.Client, w.VIP)
		if got := greets(t, w.Client, w.VIP); got != tt.answers {
			t.Errorf("%s=%s: the client arrives: %v, want %v", tt.name, tt.value, got, tt.answers)
		}
	}
}

// forget removes what a host knows of a neighbour.
func forget(t *testing.T, h *lab.Host, ip netip.Addr) {
	t.Helper()
	on(t, h, "eth0", func(l netlink.Link) error {
		neighbours, err := netlink.NeighList(l.Attrs().Index, netlink.FAMILY_V4)
		for _, n := range neighbours {
			if err == nil && n.IP.Equal(ip.AsSlice()) {
				err = netlink.NeighDel(&n)
			}
		}
		return err
	})
}

// greets reports whether a client reaches port 80 of an address. Three requests go
// unanswered for three seconds where it does not.
func greets(t *testing.T, from *lab.Host, ip netip.Addr) bool {
	t.Helper()
	ctx := labtest.Context(t, 10*time.Second)
	c, err := from.DialContext(ctx, "tcp", netip.AddrPortFrom(ip, 80).String())
	if err != nil {
		return false
	}
	defer c.Close()
	word, err := io.ReadAll(c)
	return err == nil && string(word) == "here\n"
}

// TestHostInterfaces: interfaces that cannot have the VIP, or differ.
func TestHostInterfaces(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{VIPs: "[{name: apiserver, address: 192.168.0.10, interface: eth0}]"})
	on(t, w.Masters[0].Host, "eth0", netlink.LinkSetDown)
	on(t, w.Masters[1].Host, "eth0", netlink.LinkSetARPOff)
	on(t, w.Masters[1].Host, "eth0", func(l netlink.Link) error { return netlink.LinkSetMTU(l, 1400) })
	on(t, w.Masters[2].Host, "eth0", func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, w.Masters[1].MAC()) })
	w.expect(w.judge(),
		"fault interface master1: interface eth0 is down",
		"fault interface master2: interface eth0 answers no ARP request",
		"fault interface : master2 and master3 have the same hardware address "+w.Masters[1].MAC().String(),
		"warning interface : 1400 on master2; 1500 on master1, master3",
	)
}

// TestHostWrongNetwork: a VIP of no network, an interface that one host has not, and
// a prefix length that is another than its neighbours'.
func TestHostWrongNetwork(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{VIPs: "[{name: a, address: 10.9.9.9}, {name: b, address: 10.1.0.10, interface: eth1}, {name: apiserver, address: 192.168.0.10}]"})
	wire(t, w.Masters[0].Host, "10.1.0.1/24", "10.1.0.254")
	wire(t, w.Masters[1].Host, "10.1.0.2/16", "10.1.0.254")
	var want []string
	for _, m := range w.Masters {
		want = append(want, fmt.Sprintf("fault interface %s: no interface has a connected route that holds VIP 10.9.9.9", m.Name()))
	}
	w.expect(w.judge(), append(want,
		"fault interface master3: there is no interface eth1, which is to have VIP 10.1.0.10",
		"warning interface : networks differ on the interfaces of VIP b: 10.1.0.0/16 on master2; 10.1.0.0/24 on master1")...)
}
