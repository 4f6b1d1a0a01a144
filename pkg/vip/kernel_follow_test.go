package vip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// following is a manager that holds the VIP all the time, and hears of changes.
func following(t *testing.T, cfg Config, prepare ...func(host namespace)) *kernelRig {
	t.Helper()
	k := running(t, cfg)
	for _, p := range prepare {
		p(k.host)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := k.host.start(func() error { return Watch(ctx, k.Recheck) })
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(k.keep())
	return k
}

// on waits until the VIP is on the named interface, and nowhere else, as the
// kernel tells.
func (k *kernelRig) on(ifname string) {
	k.Helper()
	changes := k.host.watch(k.T)
	vip := k.cfg.Address
	for {
		var at []address
		var index int
		k.host.do(k.T, func() error {
			l, err := netlink.LinkByName(ifname)
			if errors.As(err, &netlink.LinkNotFoundError{}) {
				return nil
			}
			if err == nil {
				index = l.Attrs().Index
			}
			return err
		})
		at = k.host.addressesOf(k.T, vip)
		if len(at) == 1 && at[0].index == index && at[0].ours() {
			return
		}
		changes.wait(unix.RTM_NEWADDR, vip)
	}
}

// answersTo waits until a question about the VIP is answered over the peer's cable.
func (k *kernelRig) answersTo(peer namespace, ifname string) {
	k.Helper()
	asker := netip.MustParseAddr("10.99.0.2")
	if k.cfg.Address.Is6() {
		asker = testPeer6
	}
	w := peer.wire(k.T, ifname, k.cfg.Address)
	defer w.stop()
	asks := questions(w.ifi.HardwareAddr, broadcastHW, asker, k.cfg.Address, 9)
	name := "arp"
	if k.cfg.Address.Is6() {
		name = "nd"
	}
	w.asking(map[string][]byte{name: asks[name]})
	if !w.until(time.Now(), time.Now().Add(10*time.Second), name) {
		k.Errorf("no answer to %s", name)
	}
}

func TestKernelAddressTakenAway(t *testing.T) { kinds(t, takenAway) }

func takenAway(t *testing.T, cfg Config) {
	k := following(t, cfg)
	for range 3 {
		changes := k.host.watch(t)
		k.host.do(t, func() error {
			l, err := netlink.LinkByName(hostIf)
			if err != nil {
				return err
			}
			prefix := netip.PrefixFrom(cfg.Address, cfg.Address.BitLen()).String()
			a, err := netlink.ParseAddr(prefix)
			if err != nil {
				return err
			}
			return netlink.AddrDel(l, a)
		})
		gone := changes.wait(unix.RTM_DELADDR, cfg.Address)
		back := changes.wait(unix.RTM_NEWADDR, cfg.Address)
		t.Logf("back after %v", back.Sub(gone))
		k.answersTo(k.peer, peerIf)
	}
}

// An interface that is renamed keeps the VIP, whether it was chosen by its route
// or named.
func TestKernelInterfaceRenamed(t *testing.T) {
	for _, named := range []string{"", hostIf} {
		kinds(t, func(t *testing.T, cfg Config) {
			cfg.Interface = named
			k := following(t, cfg)
			k.rename(hostIf, "lan0")
			k.on("lan0")
			k.waitInterface("lan0")
			k.answersTo(k.peer, peerIf)
			k.announced(k.peer, peerIf)
			if err := k.Status().FenceErr; err != nil {
				t.Error(err)
			}
		})
	}
}

func (k *kernelRig) rename(from, to string) {
	k.Helper()
	k.host.setLink(k.T, from, func(l netlink.Link) error { return netlink.LinkSetName(l, to) })
}

// waitInterface waits until the manager says where the VIP is.
func (k *kernelRig) waitInterface(name string) {
	k.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.After(10 * time.Second); k.Status().Interface != name; {
		select {
		case <-tick.C:
		case <-end:
			k.Fatalf("status %+v, want interface %s", k.Status(), name)
		}
	}
}

// announced waits until the peer hears an announcement, made now.
func (k *kernelRig) announced(peer namespace, ifname string) {
	k.Helper()
	w := peer.wire(k.T, ifname, k.cfg.Address)
	defer w.stop()
	begin := time.Now()
	k.Announce()
	if !w.until(begin, time.Now().Add(10*time.Second), "announcement") {
		k.Error("no announcement")
	}
}

// An interface that is made anew gets the VIP again.
func TestKernelInterfaceMadeAnew(t *testing.T) {
	for _, named := range []string{"", hostIf} {
		kinds(t, func(t *testing.T, cfg Config) {
			cfg.Interface = named
			k := following(t, cfg)
			k.host.setLink(t, hostIf, netlink.LinkDel)
			connect(t, k.host, k.peer)
			k.on(hostIf)
			k.answersTo(k.peer, peerIf)
			k.announced(k.peer, peerIf)
		})
	}
}

// The VIP moves with the route that holds it.
func TestKernelRouteMoves(t *testing.T) {
	kinds(t, func(t *testing.T, cfg Config) {
		k := following(t, cfg)
		other := newNamespace(t)
		k.host.do(t, func() error {
			return netlink.LinkAdd(&netlink.Veth{
				LinkAttrs: netlink.LinkAttrs{Name: "second"}, PeerName: peerIf, PeerNamespace: netlink.NsFd(other.fd),
			})
		})
		k.host.do(t, func() error { return configure("second", "10.99.0.9/28", "fd00:99::9/120") })
		other.do(t, func() error { return configure(peerIf, "10.99.0.2/28", "fd00:99::2/120") })
		k.on("second")
		k.answersTo(other, peerIf)
	})
}

// Any interface can be named: a VLAN, a bridge, even loopback.
func TestKernelNamedInterface(t *testing.T) {
	for name, add := range map[string]func(parent netlink.Link) netlink.Link{
		"lan.5": func(p netlink.Link) netlink.Link {
			return &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "lan.5", ParentIndex: p.Attrs().Index}, VlanId: 5}
		},
		"br0": func(netlink.Link) netlink.Link {
			return &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
		},
		"lo": nil,
	} {
		t.Run(name, func(t *testing.T) {
			kinds(t, func(t *testing.T, cfg Config) {
				cfg.Interface = name
				k := following(t, cfg, func(host namespace) { host.named(t, name, add) })
				k.on(name)
			})
		})
	}
}

// errNoKind says that this kernel can't make an interface of some kind.
var errNoKind = errors.New("this kernel makes no such interface")

// tryLink changes an interface, or skips the test where the kernel can't.
func (n namespace) tryLink(t *testing.T, name string, change func(netlink.Link) error) {
	t.Helper()
	err := <-n.start(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return change(l)
	})
	if errors.Is(err, errNoKind) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// named makes an interface on top of the cable, up and with carrier.
func (n namespace) named(t *testing.T, name string, add func(parent netlink.Link) netlink.Link) {
	t.Helper()
	if add != nil {
		n.tryLink(t, hostIf, func(parent netlink.Link) error {
			err := netlink.LinkAdd(add(parent))
			if errors.Is(err, unix.EOPNOTSUPP) {
				return fmt.Errorf("%w: %w", errNoKind, err)
			}
			if err != nil {
				return err
			}
			l, err := netlink.LinkByName(name)
			if err == nil && l.Type() == "bridge" {
				err = netlink.LinkSetMaster(parent, l)
			}
			return err
		})
	}
	n.setLink(t, name, netlink.LinkSetUp)
	n.carrier(t, name)
}
