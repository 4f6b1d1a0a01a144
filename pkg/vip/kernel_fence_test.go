package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const echoPort = 7

// fenceRig is a host with the VIP on its interface and a fence before it, and a
// peer that asks for it without end.
type fenceRig struct {
	*testing.T
	*linuxHost
	on         link
	host, peer namespace
	wire       *wire
	kinds      []string
	attempt    uint64
}

var (
	testVIP6  = netip.MustParseAddr("fd00:99::10")
	testPeer6 = netip.MustParseAddr("fd00:99::2")
)

// fenced puts the VIP on the host for as long as the test may take, behind a
// fence that is closed, and lets the peer ask.
func fenced(t *testing.T, vip netip.Addr) *fenceRig {
	t.Helper()
	r := &fenceRig{T: t}
	r.host, r.peer = cable(t)
	asker := netip.MustParseAddr("10.99.0.2")
	if vip.Is6() {
		asker = testPeer6
		r.host.do(t, func() error { return addPrefix(hostIf, "fd00:99::1/64", nodad) })
		r.peer.do(t, func() error { return addPrefix(peerIf, asker.String()+"/64", nodad) })
	}
	cfg := testConfig()
	cfg.Address, cfg.Interface, cfg.Lifetime = vip, hostIf, time.Minute
	r.linuxHost = newHost(cfg)
	r.host.do(t, r.setUp)
	t.Cleanup(r.linuxHost.close)
	r.host.echo(t, netip.AddrPortFrom(vip, echoPort))
	r.wire = r.peer.wire(t, peerIf, vip)
	asks := questions(r.wire.ifi.HardwareAddr, r.hardwareAddr(hostIf), asker, vip, echoPort)
	for kind := range asks {
		r.kinds = append(r.kinds, kind)
	}
	r.wire.asking(asks)
	return r
}

func nodad(a *netlink.Addr) { a.Flags |= unix.IFA_F_NODAD }

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
	if r.cfg.Address.Is6() {
		return addPrefix(hostIf, r.cfg.Address.String()+"/128", nodad)
	}
	_, err = r.assign(r.on, time.Now().Add(time.Minute))
	return err
}

func (r *fenceRig) hardwareAddr(name string) (hw net.HardwareAddr) {
	r.Helper()
	r.host.do(r.T, func() error {
		ifi, err := net.InterfaceByName(name)
		if err == nil {
			hw = ifi.HardwareAddr
		}
		return err
	})
	return hw
}

// opened arms the next attempt and switches to it. The attempt ends no later than
// the lease after the second time, and lets nothing pass before the first one.
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
					silentUntil = end
					r.silent(fmt.Sprintf("after %v", lease), end, time.Now())
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
