package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// An attempt that has ended, one that was never armed and no attempt at all open
// nothing; local clients are served all the same.
func TestKernelFenceStaysClosed(t *testing.T) {
	r := fenced(t, testVIP)
	r.host.serve(t, "10.99.0.10:8", "local")
	lease := 50 * time.Millisecond
	_, after := r.opened(lease)
	<-time.After(time.Until(after.Add(lease + transit)))
	closed := time.Now()
	for what, change := range map[string]func() error{
		"ended":       func() error { return r.open(r.attempt, time.Now().Add(time.Minute)) },
		"never armed": func() error { return r.open(r.attempt+1, time.Now().Add(time.Minute)) },
		"shut":        r.shut,
	} {
		if err := change(); err != nil {
			t.Error(what, err)
		}
		start := time.Now()
		<-time.After(grace)
		r.silent(what, closed, time.Now())
		if got := r.host.ask(t, "10.99.0.10:8", 5*time.Second); got != "local" {
			t.Errorf("%s: a local client is told %q", what, got)
		}
		closed = start
	}
	r.stillThere()
}

// Shutting ends an attempt that lives.
func TestKernelFenceShut(t *testing.T) {
	r := fenced(t, testVIP)
	before, _ := r.opened(time.Minute)
	if !r.wire.until(before, time.Now().Add(10*time.Second), r.kinds...) {
		t.Fatalf("answers %v, want %v", r.wire.between(before, time.Now()), r.kinds)
	}
	if err := r.shut(); err != nil {
		t.Fatal(err)
	}
	shut := time.Now()
	<-time.After(grace)
	r.silent("shut", shut.Add(transit), time.Now())
	if err := r.arm(r.attempt, time.Minute); !errors.Is(err, unix.EEXIST) {
		t.Errorf("arming an attempt that lives says %v", err)
	}
}

// What is announced through a packet socket after the end never gets to the wire,
// nor when the interface has another name by then.
func TestKernelFenceAnnouncements(t *testing.T) {
	for _, vip := range []netip.Addr{testVIP, testVIP6} {
		t.Run(vip.String(), func(t *testing.T) { fenced(t, vip).guardsAnnouncements(hostIf) })
		t.Run(vip.String()+" renamed", func(t *testing.T) {
			r := fenced(t, vip)
			const name = "lan0"
			r.host.setLink(t, hostIf, func(l netlink.Link) error { return netlink.LinkSetName(l, name) })
			r.on.name = name
			if err := r.follow(r.on); err != nil {
				t.Fatal(err)
			}
			r.guardsAnnouncements(name)
		})
	}
}

func (r *fenceRig) guardsAnnouncements(ifname string) {
	t, vip := r.T, r.cfg.Address
	r.wire.asking(nil)
	sender := r.host.wire(t, ifname, vip)
	hw := r.host.hardwareAddr(t, ifname)
	sender.asking(map[string][]byte{
		"":  ethernetFrame(hw, broadcastHW, unix.ETH_P_ARP, arpBody(2, hw, testVIP, hw, testVIP)),
		"6": unsolicited(hw, netip.MustParseAddr("fd00:99::1"), testVIP6),
	})
	lease := 200 * time.Millisecond
	start := time.Now()
	<-time.After(grace)
	for tries := 1; ; tries++ {
		before, after := r.opened(lease)
		end := after.Add(lease)
		r.silent("before arming", start, before)
		heard := r.wire.until(before, end, "announcement")
		<-time.After(time.Until(end.Add(grace)))
		start = end.Add(transit)
		r.silent("after the end", start, time.Now())
		r.host.do(t, func() error {
			if sent, _ := r.announce(r.on, time.Now().Add(time.Minute)); sent != 0 {
				return fmt.Errorf("%d announcements sent", sent)
			}
			return nil
		})
		if heard {
			break
		}
		if tries == 5 {
			t.Fatal("no announcement got through while the fence was open")
		}
	}
}

// Linux answers for an address on each of its interfaces; the fence is on all.
func TestKernelFenceOtherInterface(t *testing.T) {
	r := fenced(t, testVIP)
	r.wire.asking(nil)
	r.host.do(t, func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "vip1"},
			PeerName: "peer1", PeerNamespace: netlink.NsFd(r.peer.fd)})
	})
	r.host.do(t, func() error { return configure("vip1", "10.98.0.1/24") })
	r.peer.do(t, func() error { return configure("peer1", "10.98.0.2/24") })
	r.host.carrier(t, "vip1")
	other := r.peer.wire(t, "peer1", testVIP)
	asks := questions(other.ifi.HardwareAddr, r.host.hardwareAddr(t, "vip1"), netip.MustParseAddr("10.98.0.2"), testVIP, echoPort)
	other.asking(asks)
	start := time.Now()
	<-time.After(grace)
	if got := other.between(start, time.Now()); len(got) > 0 {
		t.Errorf("closed, and on another interface it answers %v", got)
	}
	before, _ := r.opened(time.Minute)
	if !other.until(before, time.Now().Add(10*time.Second), r.kinds...) {
		t.Errorf("open, and on another interface it answers only %v", other.between(before, time.Now()))
	}
}

// A closed fence, even one that its process has left behind, is no obstacle to
// clients on this host: they reach the VIP on another, and hear where it moves.
func TestKernelFenceOfStandby(t *testing.T) {
	for _, vip := range []netip.Addr{testVIP, testVIP6} {
		t.Run(vip.String(), func(t *testing.T) {
			r := fenced(t, vip)
			r.wire.asking(nil)
			r.host.do(t, func() error {
				l, err := netlink.LinkByName(hostIf)
				if err != nil {
					return err
				}
				ip := net.IP(vip.AsSlice())
				return netlink.AddrDel(l, &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(vip.BitLen(), vip.BitLen())}})
			})
			r.oneFence.hangUp() // as if its process had been killed
			r.peer.do(t, func() error {
				return addPrefix(peerIf, fmt.Sprintf("%s/%d", vip, vip.BitLen()), func(*netlink.Addr) {})
			})
			at := netip.AddrPortFrom(vip, 8).String()
			r.peer.serve(t, at, "elsewhere")
			if got := r.host.ask(t, at, 5*time.Second); got != "elsewhere" {
				t.Fatalf("the VIP on another host answers %q", got)
			}
			r.moves(vip)
		})
	}
}

// moves announces the VIP at a new hardware address, and waits until the host has
// heard it.
func (r *fenceRig) moves(vip netip.Addr) {
	r.Helper()
	updates, done := make(chan netlink.NeighUpdate, 1000), make(chan struct{})
	defer close(done)
	err := netlink.NeighSubscribeWithOptions(updates, done, netlink.NeighSubscribeOptions{Namespace: &r.host.fd, ListExisting: true})
	if err != nil {
		r.Fatal(err)
	}
	hw := net.HardwareAddr{2, 0, 0, 0, 0, 0x6b}
	frame := ethernetFrame(hw, broadcastHW, unix.ETH_P_ARP, arpBody(1, hw, testVIP, make([]byte, 6), testVIP))
	if vip.Is6() {
		frame = unsolicited(hw, vip, vip)
	}
	r.wire.asking(map[string][]byte{"": frame})
	for timeout := time.After(10 * time.Second); ; {
		select {
		case u := <-updates:
			if u.IP.Equal(vip.AsSlice()) && u.HardwareAddr.String() == hw.String() {
				return
			}
		case <-timeout:
			r.Fatal("the host has not heard where the VIP is now")
		}
	}
}
