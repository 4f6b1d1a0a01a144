package vip

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// watching runs Watch in the host and returns its calls, one of which is
// certain to have come.
func watching(t *testing.T, host namespace) (calls chan struct{}) {
	t.Helper()
	host.do(t, func() error { // whose link-local addresses come a second or two after a carrier
		return os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0)
	})
	ctx, cancel := context.WithCancel(context.Background())
	calls = make(chan struct{})
	quit := make(chan struct{})
	done := host.start(func() error {
		return Watch(ctx, func() {
			select {
			case calls <- struct{}{}:
			case <-quit:
			}
		})
	})
	t.Cleanup(func() {
		cancel()
		close(quit)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	// The subscription begins at some moment: something has to change until it has.
	for subscribed := false; !subscribed; {
		host.toggle(t)
		select {
		case <-calls:
			subscribed = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	quiet(calls)
	return calls
}

// quiet returns when no call has come for a while.
func quiet(calls chan struct{}) {
	for {
		select {
		case <-calls:
		case <-time.After(grace):
			return
		}
	}
}

// called fails when no call comes.
func called(t *testing.T, calls chan struct{}, what string) {
	t.Helper()
	select {
	case <-calls:
	case <-time.After(10 * time.Second):
		t.Fatalf("no call for %s", what)
	}
}

// toggle changes the flags of an interface.
func (n namespace) toggle(t *testing.T) {
	t.Helper()
	n.setLink(t, "lo", netlink.LinkSetDown)
	n.setLink(t, "lo", netlink.LinkSetUp)
}

func (n namespace) setLink(t *testing.T, name string, change func(netlink.Link) error) {
	t.Helper()
	n.do(t, func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return change(l)
	})
}

// What changed between a first look and the subscription is not missed.
func TestKernelWatchBegins(t *testing.T) {
	host := newNamespace(t) // where nothing happens
	ctx, cancel := context.WithCancel(t.Context())
	done := host.start(func() error { return Watch(ctx, cancel) })
	select {
	case err := <-done:
		if err != nil || ctx.Err() == nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing is told at the beginning")
		cancel()
	}
}

func TestKernelWatch(t *testing.T) {
	host, peer := cable(t)
	calls := watching(t, host)
	peer.setLink(t, peerIf, netlink.LinkSetDown)
	called(t, calls, "a lost carrier")
	quiet(calls)
	peer.setLink(t, peerIf, netlink.LinkSetUp)
	called(t, calls, "a carrier")
	quiet(calls)
	host.setLink(t, hostIf, func(l netlink.Link) error { return netlink.LinkSetAlias(l, "something else") })
	select {
	case <-calls:
		t.Error("called for what does not matter")
	case <-time.After(grace):
	}
	host.setLink(t, hostIf, netlink.LinkDel)
	called(t, calls, "an interface that is gone")
}

// A subscription breaks when too much is told while nobody reads. It is made
// again, and what it missed is made up for.
func TestKernelWatchAgain(t *testing.T) {
	host, _ := cable(t)
	calls := watching(t, host)
	host.toggle(t) // Watch waits in this call
	for range 1500 {
		host.toggle(t)
	}
	called(t, calls, "the first change")
	called(t, calls, "what was missed")
	quiet(calls)
	host.setLink(t, hostIf, netlink.LinkDel)
	called(t, calls, "a change after that")
}

func linkMessage(family uint8, index int32, flags uint32, name string) []byte {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, 0)
	msg := nl.NewIfInfomsg(int(family))
	msg.Index, msg.Flags = index, flags
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	return req.Serialize()[unix.SizeofNlMsghdr:]
}

func nothingSeen() seen {
	return seen{links: make(map[int32]linkState), addresses: make(map[addressKey]bool)}
}

func addressMessage(index int, prefix string, valid uint32) []byte {
	p := netip.MustParsePrefix(prefix)
	req := nl.NewNetlinkRequest(unix.RTM_NEWADDR, 0)
	addAddress(req, index, p.Addr(), "").Prefixlen = uint8(p.Bits())
	life := nl.IfaCacheInfo{IfaCacheinfo: unix.IfaCacheinfo{Valid: valid}}
	req.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, life.Serialize()))
	return req.Serialize()[unix.SizeofNlMsghdr:]
}

func routeMessage(table, protocol uint8, gateway string) []byte {
	req := nl.NewNetlinkRequest(unix.RTM_NEWROUTE, 0)
	msg := nl.NewRtMsg()
	msg.Table, msg.Protocol = table, protocol
	req.AddData(msg)
	if gateway != "" {
		req.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, netip.MustParseAddr(gateway).AsSlice()))
	}
	return req.Serialize()[unix.SizeofNlMsghdr:]
}

func TestSeen(t *testing.T) {
	known := nothingSeen()
	for _, step := range []struct {
		what string
		kind uint16
		m    []byte
		want bool
	}{
		{"new", unix.RTM_NEWLINK, linkMessage(unix.AF_UNSPEC, 2, 1, "eth0"), true},
		{"the same", unix.RTM_NEWLINK, linkMessage(unix.AF_UNSPEC, 2, 1, "eth0"), false},
		{"flags", unix.RTM_NEWLINK, linkMessage(unix.AF_UNSPEC, 2, 3, "eth0"), true},
		{"name", unix.RTM_NEWLINK, linkMessage(unix.AF_UNSPEC, 2, 3, "eth1"), true},
		{"another", unix.RTM_NEWLINK, linkMessage(unix.AF_UNSPEC, 3, 3, "eth2"), true},
		{"bridge port", unix.RTM_DELLINK, linkMessage(unix.AF_BRIDGE, 2, 3, "eth1"), false},
		{"gone", unix.RTM_DELLINK, linkMessage(unix.AF_UNSPEC, 2, 3, "eth1"), true},
		{"back", unix.RTM_NEWLINK, linkMessage(unix.AF_UNSPEC, 2, 3, "eth1"), true},
		{"short", unix.RTM_NEWLINK, []byte{0, 0, 0}, false},
		{"of another kind", unix.RTM_NEWNEIGH, linkMessage(unix.AF_UNSPEC, 9, 3, "eth9"), false},
		{"a new address", unix.RTM_NEWADDR, addressMessage(2, "10.0.0.1/32", 1), true},
		{"renewed", unix.RTM_NEWADDR, addressMessage(2, "10.0.0.1/32", 5), false},
		{"on another interface", unix.RTM_NEWADDR, addressMessage(3, "10.0.0.1/32", 5), true},
		{"of another length", unix.RTM_NEWADDR, addressMessage(2, "10.0.0.1/24", 5), true},
		{"gone", unix.RTM_DELADDR, addressMessage(2, "10.0.0.1/32", 5), true},
		{"back", unix.RTM_NEWADDR, addressMessage(2, "10.0.0.1/32", 5), true},
		{"IPv6", unix.RTM_NEWADDR, addressMessage(2, "fd00::1/128", 5), true},
		{"IPv6 renewed", unix.RTM_NEWADDR, addressMessage(2, "fd00::1/128", 5), false},
		{"no address", unix.RTM_NEWADDR, []byte{1}, false},
		{"a connected route", unix.RTM_NEWROUTE, routeMessage(unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, ""), true},
		{"gone", unix.RTM_DELROUTE, routeMessage(unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, ""), true},
		{"through a gateway", unix.RTM_NEWROUTE, routeMessage(unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, "10.0.0.2"), false},
		{"of another table", unix.RTM_NEWROUTE, routeMessage(unix.RT_TABLE_LOCAL, unix.RTPROT_KERNEL, ""), false},
		{"of ours", unix.RTM_NEWROUTE, routeMessage(unix.RT_TABLE_MAIN, Proto, ""), false},
		{"no route", unix.RTM_NEWROUTE, []byte{1}, false},
	} {
		if got := known.update(step.kind, step.m); got != step.want {
			t.Errorf("%s: changed is %v", step.what, got)
		}
	}
}

func FuzzSeen(f *testing.F) {
	f.Add(linkMessage(unix.AF_UNSPEC, 2, 1, "eth0"))
	f.Add(addressMessage(2, "fd00::1/128", 5))
	f.Add(routeMessage(unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, "10.0.0.2"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, m []byte) {
		known := nothingSeen()
		for _, kind := range []uint16{unix.RTM_NEWLINK, unix.RTM_NEWADDR} {
			known.update(kind, m)
			if known.update(kind, m) {
				t.Errorf("%x twice is two changes", m)
			}
		}
		known.update(unix.RTM_NEWROUTE, m)
	})
}
