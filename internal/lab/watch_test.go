package lab_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

var (
	vip  = netip.MustParseAddr("192.168.0.10")
	vip6 = netip.MustParseAddr("fd00:6b::10")
)

// families runs a test with an address of each.
func families(t *testing.T, test func(t *testing.T, vip netip.Addr)) {
	t.Run("IPv4", func(t *testing.T) { test(t, vip) })
	t.Run("IPv6", func(t *testing.T) { test(t, vip6) })
}

func assign(t *testing.T, h *lab.Host, vip netip.Addr, change func(netlink.Link, *netlink.Addr) error) {
	t.Helper()
	must(t, h.Do(func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		a := &netlink.Addr{IPNet: &net.IPNet{IP: vip.AsSlice(), Mask: net.CIDRMask(vip.BitLen(), vip.BitLen())}}
		if vip.Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		return change(eth0, a)
	}))
}

func announce(t *testing.T, h *lab.Host) {
	t.Helper()
	must(t, h.Do(func() error {
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		c, err := arp.Dial(ifi)
		if err != nil {
			return err
		}
		defer c.Close()
		p, err := arp.NewPacket(arp.OperationRequest, h.MAC(), vip, ethernet.Broadcast, vip)
		if err != nil {
			return err
		}
		return c.WriteTo(p, ethernet.Broadcast)
	}))
}

func TestWatchSeesAnAnnouncement(t *testing.T) {
	l, a, b, _ := pair(t)
	w, err := l.Watch(vip)
	must(t, err)
	ctx := labtest.Context(t, 10*time.Second)
	before := time.Now()
	for _, h := range []*lab.Host{a, b} {
		announce(t, h)
		c, err := w.WaitGratuitous(ctx, h.Name(), before)
		must(t, err)
		if c.Host != h.Name() || c.MAC.String() != h.MAC().String() || c.Reply {
			t.Errorf("claim %+v, want a request of %s", c, h.Name())
		}
	}
	if n := len(w.Claims()); n != 2 {
		t.Errorf("%d claims, want 2: each frame counts once", n)
	}
	labtest.OneOwner(t, w)
}

// listenND polls: the kernel gives an interface its link-local address a moment after
// its carrier.
func listenND(ctx context.Context, ifi *net.Interface) (*ndp.Conn, error) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		conn, _, err := ndp.Listen(ifi, ndp.LinkLocal)
		if err == nil {
			return conn, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// An advertisement counts, and who sent it; the watch's own questions make none.
func TestWatchSeesAnAdvertisement(t *testing.T) {
	l, a, b, _ := pair(t)
	w, err := l.Watch(vip6)
	must(t, err)
	assign(t, b, vip6, netlink.AddrAdd) // so that questions are answered
	ctx := labtest.Context(t, 10*time.Second)
	before := time.Now()
	must(t, a.Do(func() error {
		ifi, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		conn, err := listenND(ctx, ifi)
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.WriteTo(&ndp.NeighborAdvertisement{
			Override: true, TargetAddress: vip6,
			Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: a.MAC()}},
		}, nil, netip.MustParseAddr("ff02::1"))
	}))
	c, err := w.WaitGratuitous(ctx, "a", before)
	must(t, err)
	if c.MAC.String() != a.MAC().String() || !c.Reply {
		t.Errorf("claim %+v, want an advertisement of a", c)
	}
	_, err = w.WaitOwner(ctx, before, "a")
	must(t, err)
	if n := len(w.Claims()); n != 1 {
		t.Errorf("%d claims, want 1: each frame counts once, and an answer does not", n)
	}
}

func TestWatchSeesOwnersComeAndGo(t *testing.T) { families(t, ownersComeAndGo) }

func ownersComeAndGo(t *testing.T, vip netip.Addr) {
	l, a, b, _ := pair(t)
	w, err := l.Watch(vip)
	must(t, err)
	ctx := labtest.Context(t, 10*time.Second)
	for _, h := range []*lab.Host{a, b, a} {
		assign(t, h, vip, netlink.AddrAdd)
		s, err := w.WaitOwner(ctx, time.Now())
		must(t, err)
		if owners, err := l.Owners(vip); s.Host != h.Name() || err != nil || !slices.Equal(owners, []string{h.Name()}) {
			t.Errorf("%s answers, %v have the address, %v; want %s", s.Host, owners, err, h.Name())
		}
		must(t, h.Lose(vip))
		must(t, h.Lose(vip)) // of nothing
	}
	labtest.OneOwner(t, w)
}

// The watch asks past the bridge: cutting a host off must not hide it.
func TestWatchSeesTwoOwners(t *testing.T) { families(t, twoOwners) }

func twoOwners(t *testing.T, vip netip.Addr) {
	l, a, b, _ := pair(t)
	w, err := l.Watch(vip)
	must(t, err)
	ctx := labtest.Context(t, 10*time.Second)
	must(t, b.Cut(lab.Isolate))
	both := time.Now()
	assign(t, a, vip, netlink.AddrAdd)
	assign(t, b, vip, netlink.AddrAdd)
	for lab.Overlap(w.Answers().Doubles()) < 50*time.Millisecond || lab.Overlap(w.Assigned().Doubles()) < 50*time.Millisecond {
		_, err := w.WaitOwner(ctx, time.Now(), "a")
		must(t, err)
	}
	must(t, w.Close())
	for _, d := range w.Doubles() {
		slices.Sort(d.Hosts[:])
		if d.From.Before(both) || d.To.After(time.Now()) || d.Hosts != [2]string{"a", "b"} {
			t.Errorf("double %+v", d)
		}
	}
}

func TestWatchLivesThroughLinkDown(t *testing.T) { families(t, livesThroughLinkDown) }

func livesThroughLinkDown(t *testing.T, vip netip.Addr) {
	l, a, _, _ := pair(t)
	w, err := l.Watch(vip)
	must(t, err)
	ctx := labtest.Context(t, 10*time.Second)
	assign(t, a, vip, netlink.AddrAdd)
	_, err = w.WaitOwner(ctx, time.Now())
	must(t, err)
	must(t, a.Cut(lab.LinkDown))
	must(t, a.Heal())
	_, err = w.WaitOwner(ctx, time.Now())
	must(t, err)
	labtest.OneOwner(t, w)
}
