package vip

import (
	"context"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// watching runs WatchLinks in the host and returns its calls.
func watching(t *testing.T, host namespace) (calls chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	calls = make(chan struct{})
	quit := make(chan struct{})
	done := host.start(func() error {
		return WatchLinks(ctx, func() {
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
	return calls
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

func TestKernelWatchLinks(t *testing.T) {
	host, peer := cable(t)
	calls := watching(t, host)
	next := func(what string) {
		t.Helper()
		select {
		case <-calls:
		case <-time.After(10 * time.Second):
			t.Fatalf("no call for %s", what)
		}
	}
	// The subscription begins at some moment: something has to change until it has.
	for subscribed := false; !subscribed; {
		host.setLink(t, "lo", netlink.LinkSetDown)
		host.setLink(t, "lo", netlink.LinkSetUp)
		select {
		case <-calls:
			subscribed = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	quiet := func() {
		for {
			select {
			case <-calls:
			case <-time.After(grace):
				return
			}
		}
	}
	quiet()
	peer.setLink(t, peerIf, netlink.LinkSetDown)
	next("a lost carrier")
	quiet()
	peer.setLink(t, peerIf, netlink.LinkSetUp)
	next("a carrier")
	quiet()
	host.setLink(t, hostIf, func(l netlink.Link) error { return netlink.LinkSetAlias(l, "something else") })
	select {
	case <-calls:
		t.Error("called for what does not matter")
	case <-time.After(grace):
	}
	host.setLink(t, hostIf, netlink.LinkDel)
	next("an interface that is gone")
}

// A subscription that breaks, because too much is told while nobody reads, is
// made again, and what it missed is made up for.
func TestKernelWatchLinksAgain(t *testing.T) {
	host, _ := cable(t)
	calls := watching(t, host)
	for range 1500 { // changed is stuck in its first call meanwhile
		host.setLink(t, "lo", netlink.LinkSetDown)
		host.setLink(t, "lo", netlink.LinkSetUp)
	}
	for quiet := false; !quiet; {
		select {
		case <-calls:
		case <-time.After(grace):
			quiet = true
		}
	}
	host.setLink(t, hostIf, netlink.LinkDel)
	select {
	case <-calls:
	case <-time.After(10 * time.Second):
		t.Fatal("no call after the subscription broke")
	}
}

func linkMessage(family uint8, index int32, flags uint32, name string) []byte {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, 0)
	msg := nl.NewIfInfomsg(int(family))
	msg.Index, msg.Flags = index, flags
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	return req.Serialize()[unix.SizeofNlMsghdr:]
}

func TestLinkStates(t *testing.T) {
	known := make(linkStates)
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
		{"address", unix.RTM_NEWADDR, linkMessage(unix.AF_UNSPEC, 9, 3, "eth9"), false},
	} {
		if got := known.update(step.kind, step.m); got != step.want {
			t.Errorf("%s: changed is %v", step.what, got)
		}
	}
}

func FuzzLinkStates(f *testing.F) {
	f.Add(linkMessage(unix.AF_UNSPEC, 2, 1, "eth0"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, m []byte) {
		known := make(linkStates)
		known.update(unix.RTM_NEWLINK, m)
		if known.update(unix.RTM_NEWLINK, m) {
			t.Errorf("%x twice is two changes", m)
		}
	})
}
