package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// pair is two VIPs behind one fence.
func pair(t *testing.T, one, two netip.Addr) (a, b *fenceRig) {
	t.Helper()
	first, second := testConfig(), testConfig()
	first.Address, second.Address, second.Name = one, two, "second"
	rigs := behind(t, newFences(fenceOf(first, second).VIPs), first, second)
	return rigs[0], rigs[1]
}

// answered waits until the peer has had all kinds of answers since a moment.
func (r *fenceRig) answered(what string, since time.Time) {
	r.Helper()
	if !r.wire.until(since, since.Add(10*time.Second), r.kinds...) {
		r.Errorf("%s: answers %v, want all of %v", what, r.wire.between(since, time.Now()), r.kinds)
	}
}

// Two VIPs behind one fence know nothing of each other.
func TestKernelVIPsAreIndependent(t *testing.T) {
	for _, two := range []netip.Addr{netip.MustParseAddr("10.99.0.11"), testVIP6} {
		t.Run(two.String(), func(t *testing.T) {
			a, b := pair(t, testVIP, two)
			b.attempt = 10
			for range 2 {
				start := time.Now()
				before, _ := a.opened(time.Minute)
				a.answered("open", before)
				b.silent("the other is open", start, time.Now())

				// The number that lives for the one is nothing to the other.
				if err := b.open(a.attempt, time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				<-time.After(grace)
				b.silent("open with the attempt of the other", start, time.Now())

				both, _ := b.opened(time.Minute)
				b.answered("both open", both)
				a.answered("both open", both)
				if err := a.shut(); err != nil {
					t.Fatal(err)
				}
				shut := time.Now()
				b.answered("the other is shut", shut)
				a.silent("shut", shut.Add(transit), time.Now())
				if err := b.shut(); err != nil {
					t.Fatal(err)
				}
				<-time.After(transit)
				a, b = b, a
			}
			a.stillThere()
			b.stillThere()
		})
	}
}

// A host that holds one VIP asks for another from it: that is no announcement.
func TestKernelRequestFromAnotherVIP(t *testing.T) {
	a, b := pair(t, testVIP, netip.MustParseAddr("10.99.0.11"))
	hw := a.wire.ifi.HardwareAddr
	b.wire.asking(map[string][]byte{
		"arp": ethernetFrame(hw, broadcastHW, unix.ETH_P_ARP, arpBody(1, hw, a.cfg.Address, make([]byte, 6), b.cfg.Address))})
	start := time.Now()
	<-time.After(grace)
	b.silent("asked by another VIP", start, time.Now())
}

// A fence that is built anew for one VIP stays closed for the other until that
// one is armed and open itself.
func TestKernelRebuildClosesAll(t *testing.T) {
	a, b := pair(t, testVIP, netip.MustParseAddr("10.99.0.11"))
	a.ownerless()
	if err := b.follow(b.on); err != nil {
		t.Fatal(err)
	}
	before, _ := b.opened(time.Minute)
	b.answered("open", before)
	before, _ = a.opened(time.Minute)
	a.answered("open", before)
	a.host.do(t, flushRuleset)
	a.attempt++
	if err := a.arm(a.attempt, time.Minute); err != nil {
		t.Fatal(err)
	}
	mended := time.Now()
	open := func(r *fenceRig) {
		if err := r.open(r.attempt, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	open(a)
	a.answered("mended", mended)
	open(b) // with the attempt from before
	<-time.After(grace)
	b.silent("mended, and not armed", mended.Add(transit), time.Now())
	before, _ = b.opened(time.Minute)
	b.answered("armed anew", before)
}

// guards fails unless announcements of the rig's VIP are stopped on its
// interface while it is closed, and heard while it is open.
func (r *fenceRig) guards(what string, on string) {
	r.Helper()
	hw := r.host.hardwareAddr(r.T, on)
	sender := r.host.wire(r.T, on, testVIP)
	defer sender.stop()
	sender.asking(map[string][]byte{"": ethernetFrame(hw, broadcastHW, unix.ETH_P_ARP, arpBody(2, hw, testVIP, hw, testVIP))})
	if err := r.shut(); err != nil {
		r.Fatal(err)
	}
	closed := time.Now()
	<-time.After(grace)
	if n := r.wire.between(closed.Add(transit), time.Now())["announcement"]; n > 0 {
		r.Errorf("%s: %d announcements of a closed VIP", what, n)
	}
	before, _ := r.opened(time.Minute)
	if !r.wire.until(before, before.Add(10*time.Second), "announcement") {
		r.Errorf("%s: no announcement of an open VIP", what)
	}
}

func (n namespace) egressChains(t *testing.T) (all []string) {
	t.Helper()
	n.do(t, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyNetdev)
		for _, c := range chains {
			if c.Hooknum != nil {
				all = append(all, c.Name)
			}
		}
		return err
	})
	slices.Sort(all)
	return all
}

// An interface that gets another name, or goes and comes again, is guarded when
// it is followed again, and nothing stays behind.
func TestKernelFollowsInterfaces(t *testing.T) {
	a, _ := pair(t, testVIP, netip.MustParseAddr("10.99.0.11"))
	second := oneFence{a.fences, "second"}
	a.wire.asking(nil)
	a.guards("at first", hostIf)
	rename := func(from, to string) {
		a.host.do(t, func() error {
			l, err := netlink.LinkByName(from)
			if err != nil {
				return err
			}
			return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetName(l, to), netlink.LinkSetUp(l))
		})
		a.host.carrier(t, to)
	}
	follow := func(l link) {
		t.Helper()
		a.host.do(t, func() error { return errors.Join(a.follow(l), second.follow(l)) })
		if got, want := a.host.egressChains(t), []string{egressName(l)}; !slices.Equal(got, want) {
			t.Errorf("egress chains %v, want %v", got, want)
		}
	}
	rename(hostIf, "other0")
	follow(link{a.on.index, "other0"})
	a.guards("another name", "other0")
	rename("other0", hostIf)
	follow(a.on)
	a.guards("the old name", hostIf)

	a.wire.stop()
	a.host.do(t, func() error {
		l, err := netlink.LinkByName(hostIf)
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkDel(l), netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: hostIf}, PeerName: peerIf, PeerNamespace: netlink.NsFd(a.peer.fd)}))
	})
	a.host.do(t, func() error { return configure(hostIf, "10.99.0.1/24") })
	a.peer.do(t, func() error { return configure(peerIf, "10.99.0.2/24") })
	a.host.carrier(t, hostIf)
	a.wire = a.peer.wire(t, peerIf, testVIP)
	var l link
	a.host.do(t, func() (err error) { l, err = findLink(hostIf, testVIP); return err })
	follow(l)
	a.guards("made again", hostIf)
}

// Two VIPs on two links have a chain each, and one of the two goes when nobody
// uses it.
func TestKernelFollowsSeveralLinks(t *testing.T) {
	a, _ := pair(t, testVIP, netip.MustParseAddr("10.99.0.11"))
	second := oneFence{a.fences, "second"}
	a.host.do(t, func() error { return configure("lo", "10.98.0.1/32") })
	lo := link{loopback, "lo"}
	for _, step := range []struct {
		f    oneFence
		on   link
		want []link
	}{
		{second, lo, []link{lo, a.on}}, {a.oneFence, lo, []link{lo}}, {second, a.on, []link{lo, a.on}}, {a.oneFence, a.on, []link{a.on}},
	} {
		if err := step.f.follow(step.on); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, l := range step.want {
			want = append(want, egressName(l))
		}
		slices.Sort(want)
		if got := a.host.egressChains(t); !slices.Equal(got, want) {
			t.Errorf("egress chains %v, want %v", got, want)
		}
	}
	a.wire.asking(nil)
	a.guards("after all that", hostIf)
}

// Everything at once: nothing fails, and what is shut at the end is silent.
func TestKernelFenceAtOnce(t *testing.T) {
	a, b := pair(t, testVIP, netip.MustParseAddr("10.99.0.11"))
	a.ownerless()
	var tasks sync.WaitGroup
	for _, r := range []*fenceRig{a, b} {
		tasks.Go(func() {
			for attempt := uint64(1); attempt <= 100; attempt++ {
				deadline := time.Now().Add(time.Minute)
				// Arming builds the fence again; it may go once more just then, and a
				// switch finds it away.
				if err := r.arm(attempt, time.Minute); err != nil && !errors.Is(err, unix.ENOENT) {
					t.Error(err)
				}
				if err := r.open(attempt, deadline); err != nil && !errors.Is(err, unix.ENOENT) {
					t.Error(err)
				}
				if err := r.follow(r.on); err != nil && !errors.Is(err, unix.ENOENT) {
					t.Error(err)
				}
				if attempt%3 == 0 {
					if err := r.shut(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	tasks.Go(func() {
		for range 20 {
			if err := <-a.host.start(flushRuleset); err != nil {
				t.Error(err)
			}
			<-time.After(2 * time.Millisecond)
		}
	})
	tasks.Wait()
	for _, r := range []*fenceRig{a, b} {
		if err := errors.Join(r.arm(1000, time.Minute), r.open(1000, time.Now().Add(time.Minute)), r.shut()); err != nil {
			t.Error(err)
		}
	}
	shut := time.Now()
	<-time.After(grace)
	a.silent("shut", shut.Add(transit), time.Now())
	b.silent("shut", shut.Add(transit), time.Now())
}

// 64 VIPs are armed by one transaction, and opened by as few as may be.
func BenchmarkKernelFence(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			vips := manyVIPs(n)
			f := newFences(vips)
			<-newNamespace(b).start(f.prepare)
			defer f.hangUp()
			attempt := uint64(0)
			var arming, opening time.Duration
			for b.Loop() {
				attempt++
				attempts := map[string]uint64{}
				for name := range vips {
					attempts[name] = attempt
				}
				start := time.Now()
				if err := f.arm(attempts, 500*time.Millisecond); err != nil {
					b.Fatal(err)
				}
				armed := time.Now()
				var tasks sync.WaitGroup
				for name := range vips {
					tasks.Go(func() {
						if err := f.open(name, attempt, armed.Add(time.Minute)); err != nil {
							b.Error(err)
						}
					})
				}
				tasks.Wait()
				arming, opening = arming+armed.Sub(start), opening+time.Since(armed)
			}
			b.ReportMetric(float64(arming.Microseconds())/float64(b.N), "µs/arm")
			b.ReportMetric(float64(opening.Microseconds())/float64(b.N), "µs/open")
		})
	}
}
