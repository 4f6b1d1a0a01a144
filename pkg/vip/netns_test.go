package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// hostIf and peerIf are the two ends of the cable of every test.
const (
	hostIf = "vip0"
	peerIf = "peer0"
)

// namespace is an unnamed network namespace; it goes with its last user.
type namespace struct{ fd netns.NsHandle }

// start runs f on a thread of its own inside the namespace. The thread ends
// with f, because it is never unlocked.
func (n namespace) start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(n.fd); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return done
}

// do runs f inside the namespace and waits for it.
func (n namespace) do(t testing.TB, f func() error) {
	t.Helper()
	if err := <-n.start(f); err != nil {
		t.Fatal(err)
	}
}

func newNamespace(t testing.TB) namespace {
	t.Helper()
	var n namespace
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		var err error
		n.fd, err = netns.New()
		made <- err
	}()
	if err := <-made; errors.Is(err, unix.EPERM) {
		t.Skipf("needs root or a user namespace: unshare(CLONE_NEWNET) says %v to uid %d", err, os.Geteuid())
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.fd.Close() })
	return n
}

// cable connects two new namespaces: host has vip0 with 10.99.0.1/24 and
// fd00:99::1/64, peer has peer0 with 10.99.0.2/24 and fd00:99::2/64.
func cable(t testing.TB) (host, peer namespace) {
	t.Helper()
	host, peer = newNamespace(t), newNamespace(t)
	connect(t, host, peer)
	return host, peer
}

// connect lays the cable between two namespaces that have none.
func connect(t testing.TB, host, peer namespace) {
	t.Helper()
	host.do(t, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: hostIf}, PeerName: peerIf, PeerNamespace: netlink.NsFd(peer.fd),
		})
	})
	host.do(t, func() error { return configure(hostIf, "10.99.0.1/24", "fd00:99::1/64") })
	peer.do(t, func() error { return configure(peerIf, "10.99.0.2/24", "fd00:99::2/64") })
	host.carrier(t, hostIf)
	peer.carrier(t, peerIf)
}

// carrier waits until an interface has it.
func (n namespace) carrier(t testing.TB, name string) {
	t.Helper()
	updates, done := make(chan netlink.LinkUpdate, 100), make(chan struct{})
	defer close(done)
	err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{Namespace: &n.fd, ListExisting: true})
	if err != nil {
		t.Fatal(err)
	}
	for timeout := time.After(10 * time.Second); ; {
		select {
		case u := <-updates:
			if u.Attrs().Name == name && u.Attrs().RawFlags&working == working {
				return
			}
		case <-timeout:
			t.Fatalf("%s has no carrier", name)
		}
	}
}

// hardwareAddr returns that of an interface.
func (n namespace) hardwareAddr(t *testing.T, name string) (hw net.HardwareAddr) {
	t.Helper()
	n.do(t, func() error {
		ifi, err := net.InterfaceByName(name)
		if err == nil {
			hw = ifi.HardwareAddr
		}
		return err
	})
	return hw
}

// configure brings up loopback and the interface, with addresses.
func configure(name string, prefixes ...string) error {
	for _, n := range []string{"lo", name} {
		l, err := netlink.LinkByName(n)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return err
		}
	}
	for _, p := range prefixes {
		if err := addPrefix(name, p, func(*netlink.Addr) {}); err != nil {
			return err
		}
	}
	return nil
}

// addPlain puts an address on an interface, as an operator would.
func addPlain(name, prefix string) error { return addPrefix(name, prefix, func(*netlink.Addr) {}) }

func removePlain(name, prefix string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	return netlink.AddrDel(l, a)
}

// addPrefix puts an address on an interface, as an operator would.
func addPrefix(name, prefix string, change func(*netlink.Addr)) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(prefix)
	if err != nil {
		return err
	}
	if a.IP.To4() == nil {
		a.Flags = unix.IFA_F_NODAD
	}
	change(a)
	if err := netlink.AddrAdd(l, a); err != nil {
		return fmt.Errorf("add %s to %s: %w", prefix, name, err)
	}
	return nil
}

// addressesOf returns what the kernel says of ip in the namespace.
func (n namespace) addressesOf(t *testing.T, ip netip.Addr) (found []address) {
	t.Helper()
	n.do(t, func() error {
		all, err := listAddresses(family(ip))
		for _, a := range all {
			if a.local == ip {
				found = append(found, a)
			}
		}
		return err
	})
	return found
}

// changes are the kernel's words about addresses that come and go.
type changes struct {
	*testing.T
	socket *nl.NetlinkSocket
}

func (n namespace) watch(t *testing.T) *changes {
	t.Helper()
	s, err := nl.SubscribeAt(n.fd, netns.None(), unix.NETLINK_ROUTE, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.SetReceiveTimeout(&unix.Timeval{Sec: 10}); err != nil {
		t.Fatal(err)
	}
	return &changes{t, s}
}

// wait returns when the kernel has said RTM_NEWADDR or RTM_DELADDR of ip.
func (c *changes) wait(what uint16, ip netip.Addr) time.Time {
	c.Helper()
	for {
		msgs, _, err := c.socket.Receive()
		if err != nil {
			c.Fatalf("no change of kind %d of %s: %v", what, ip, err)
		}
		now := time.Now()
		for _, m := range msgs {
			if a, err := parseAddress(m.Data); err == nil && m.Header.Type == what && a.local == ip {
				return now
			}
		}
	}
}
