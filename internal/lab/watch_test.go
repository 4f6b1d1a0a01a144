package lab_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/vishvananda/netlink"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

var vip = netip.MustParseAddr("192.168.0.10")

func assign(t *testing.T, h *lab.Host, change func(netlink.Link, *netlink.Addr) error) {
	t.Helper()
	must(t, h.Do(func() error {
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return change(eth0, &netlink.Addr{IPNet: &net.IPNet{IP: vip.AsSlice(), Mask: net.CIDRMask(32, 32)}})
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

func TestWatchSeesOwnersComeAndGo(t *testing.T) {
	l, a, b, _ := pair(t)
	w, err := l.Watch(vip)
	must(t, err)
	ctx := labtest.Context(t, 10*time.Second)
	for _, h := range []*lab.Host{a, b, a} {
		assign(t, h, netlink.AddrAdd)
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
func TestWatchSeesTwoOwners(t *testing.T) {
	l, a, b, _ := pair(t)
	w, err := l.Watch(vip)
	must(t, err)
	ctx := labtest.Context(t, 10*time.Second)
	must(t, b.Cut(lab.Isolate))
	both := time.Now()
	assign(t, a, netlink.AddrAdd)
	assign(t, b, netlink.AddrAdd)
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

func TestWatchLivesThroughLinkDown(t *testing.T) {
	l, a, _, _ := pair(t)
	w, err := l.Watch(vip)
	must(t, err)
	ctx := labtest.Context(t, 10*time.Second)
	assign(t, a, netlink.AddrAdd)
	_, err = w.WaitOwner(ctx, time.Now())
	must(t, err)
	must(t, a.Cut(lab.LinkDown))
	must(t, a.Heal())
	_, err = w.WaitOwner(ctx, time.Now())
	must(t, err)
	labtest.OneOwner(t, w)
}
