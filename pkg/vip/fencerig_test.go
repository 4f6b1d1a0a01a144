package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

const echoPort = 7

// fenceRig is a host with the VIP on its interface and a fence before it, and a
// peer that asks for it without end.
type fenceRig struct {
	*testing.T
	*linuxHost
	oneFence
	on         link
	host, peer namespace
	wire       *wire
	kinds      []string
	attempt    uint64
}

// oneFence is the fence of one VIP.
type oneFence struct {
	*fences
	vip string
}

func fenceOfOne(cfg Config) oneFence {
	return oneFence{newFences(fenceOf(cfg).VIPs), cfg.Name}
}

func (f oneFence) arm(attempt uint64, lease time.Duration) error {
	return f.fences.arm(map[string]uint64{f.vip: attempt}, lease)
}

func (f oneFence) open(attempt uint64, deadline time.Time) error {
	return f.fences.open(f.vip, attempt, deadline)
}

func (f oneFence) shut() error { return f.fences.shut(f.vip) }

func (f oneFence) follow(l link) error { return f.fences.follow(f.vip, l) }

var testPeer6 = netip.MustParseAddr("fd00:99::2")

// fenced puts the VIP on the host for as long as the test may take, behind a
// fence that is closed, and lets the peer ask.
func fenced(t *testing.T, vip netip.Addr) *fenceRig {
	t.Helper()
	cfg := testConfig()
	cfg.Address = vip
	return behind(t, newFences(fenceOf(cfg).VIPs), cfg)[0]
}

// behind puts several VIPs on one host, behind one fence.
func behind(t *testing.T, f *fences, all ...Config) (rigs []*fenceRig) {
	t.Helper()
	host, peer := cable(t)
	t.Cleanup(f.hangUp)
	for _, cfg := range all {
		cfg.Interface, cfg.Lifetime = hostIf, time.Minute
		r := &fenceRig{T: t, host: host, peer: peer, linuxHost: newHost(cfg), oneFence: oneFence{f, cfg.Name}}
		t.Cleanup(r.close)
		host.do(t, r.setUp)
		r.asked()
		rigs = append(rigs, r)
	}
	return rigs
}

// asked lets the peer ask for the VIP.
func (r *fenceRig) asked() {
	r.Helper()
	asker, vip := netip.MustParseAddr("10.99.0.2"), r.cfg.Address
	if vip.Is6() {
		asker = testPeer6
	}
	r.host.echo(r.T, netip.AddrPortFrom(vip, echoPort))
	r.wire = r.peer.wire(r.T, peerIf, vip)
	asks := questions(r.wire.ifi.HardwareAddr, r.host.hardwareAddr(r.T, hostIf), asker, vip, echoPort)
	for kind := range asks {
		r.kinds = append(r.kinds, kind)
	}
	r.wire.asking(asks)
}

func (r *fenceRig) setUp() (err error) {
	if r.on, err = findLink(hostIf, r.cfg.Address); err != nil {
		return err
	}
	if err := r.prepare(); err != nil {
		return err
	}
	if err := r.follow(r.on); err != nil {
		return err
	}
	_, err = r.assign(r.on, time.Now().Add(time.Minute))
	return err
}

// transit is what an answer may take from the fence to the wire when its process
// or its machine is stopped just there: as much as the voters add to a lease.
const transit = 20 * time.Millisecond

// opened arms the next attempt and switches to it. It lets nothing pass before
// the first time, and ends no later than the lease after the second.
func (r *fenceRig) opened(lease time.Duration) (before, after time.Time) {
	r.Helper()
	r.attempt++
	before = time.Now()
	if err := r.arm(r.attempt, lease); err != nil {
		r.Fatal(err)
	}
	after = time.Now()
	if err := r.open(r.attempt, time.Now().Add(time.Minute)); err != nil {
		r.Fatal(err)
	}
	return before, after
}

// silent fails when the peer has seen anything in a time.
func (r *fenceRig) silent(what string, after, upTo time.Time) {
	r.Helper()
	if got := r.wire.between(after, upTo); len(got) > 0 {
		r.Errorf("%s: answers %v", what, got)
	}
}

// grace is how long tests go on asking when nothing must answer.
const grace = 100 * time.Millisecond

func TestKernelFenceEnds(t *testing.T) {
	for _, vip := range []netip.Addr{testVIP, testVIP6} {
		t.Run(vip.String(), func(t *testing.T) {
			r := fenced(t, vip)
			start := time.Now()
			<-time.After(grace)
			silentUntil := start
			for _, lease := range []time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond} {
				for tries := 1; ; tries++ {
					before, after := r.opened(lease)
					end := after.Add(lease)
					r.silent("before arming", silentUntil, before)
					answered := r.wire.until(before, end, r.kinds...)
					<-time.After(time.Until(end.Add(grace)))
					silentUntil = end.Add(transit)
					r.silent(fmt.Sprintf("after %v", lease), end.Add(transit), time.Now())
					if answered {
						t.Logf("lease %v: last answer %v before its end", lease, end.Round(0).Sub(r.wire.last()))
						break
					}
					if tries == 5 { // a lease is short on a busy machine
						t.Fatalf("lease %v: answers %v, want all of %v", lease, r.wire.between(before, end), r.kinds)
					}
				}
			}
			r.stillThere()
		})
	}
}

// stillThere fails when the VIP has gone: then it was not the fence that kept
// silent.
func (r *fenceRig) stillThere() {
	r.Helper()
	r.host.do(r.T, func() error {
		l, err := netlink.LinkByName(hostIf)
		if err != nil {
			return err
		}
		all, err := netlink.AddrList(l, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(a netlink.Addr) bool { return a.IP.Equal(r.cfg.Address.AsSlice()) }) {
			return errors.New("the VIP is not on the host any more")
		}
		return nil
	})
}
