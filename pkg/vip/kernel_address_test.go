package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func TestKernelAddress(t *testing.T) {
	k := running(t, testConfig())
	k.hold(time.Minute)
	got := k.host.addressesOf(t, testVIP)
	if len(got) != 1 {
		t.Fatalf("VIP is there %d times, want once: %+v", len(got), got)
	}
	a := got[0]
	if !a.ours() || a.prefix != 32 || a.preferred != 0 || a.valid > 1 || a.label != hostIf+":kshalb" || a.proto != Proto {
		t.Errorf("address %+v", a)
	}
	if a.proto = 0; !a.ours() {
		t.Error("an older kernel's address would not be known as ours")
	}
	k.host.do(t, func() error { // connected UDP asks for a source address and sends nothing
		c, err := net.Dial("udp", "10.99.0.2:9")
		if err != nil {
			return err
		}
		defer c.Close()
		if got := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); got == testVIP {
			return errors.New("the VIP is picked as a source address")
		}
		return nil
	})
	k.withdraw()
	if got := k.host.addressesOf(t, testVIP); len(got) != 0 {
		t.Errorf("VIP is still there after Withdraw: %+v", got)
	}
	if got := k.host.addressesOf(t, netip.MustParseAddr("10.99.0.1")); len(got) != 1 || got[0].valid != forever {
		t.Errorf("the host's own address has changed: %+v", got)
	}
	if got := tables(t, k.host); len(got) != 0 {
		t.Errorf("tables are left: %v", got)
	}
}

func TestKernelLongInterfaceName(t *testing.T) {
	host, _ := cable(t)
	const long = "enp0s31f6vlan1"
	host.do(t, func() error {
		return errors.Join(
			netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: long}, PeerName: "end0"}),
			configure("end0", "192.0.2.1/32"),
			configure(long, "10.98.0.1/24"))
	})
	host.carrier(t, long)
	host.do(t, func() error {
		cfg := testConfig()
		cfg.Address = netip.MustParseAddr("10.98.0.10")
		h := newHost(cfg)
		l, err := h.able()
		if err != nil || l.name != long {
			return fmt.Errorf("able says %+v, %w", l, err)
		}
		for i, want := range []bool{true, false} {
			if added, err := h.assign(l, time.Now().Add(time.Minute)); err != nil || added != want {
				return fmt.Errorf("assignment %d: added %v, error %w", i, added, err)
			}
		}
		if err := h.remove(); err != nil {
			return err
		}
		own, err := h.find()
		if len(own) != 0 {
			return fmt.Errorf("still there: %+v", own)
		}
		return err
	})
}

// The address goes in time when Run does nothing anymore.
func TestKernelLifetime(t *testing.T) { kinds(t, kernelLifetime) }

func kernelLifetime(t *testing.T, cfg Config) {
	host, _ := cable(t)
	w := host.watch(t)
	keepAwake(t)
	host.do(t, func() error {
		h := newHost(cfg)
		l, err := h.able()
		if err != nil {
			return err
		}
		_, err = h.assign(l, time.Now().Add(time.Minute))
		return err
	})
	start := w.wait(unix.RTM_NEWADDR, cfg.Address)
	checkLinger(t, w.wait(unix.RTM_DELADDR, cfg.Address).Sub(start))
}

// keepAwake wakes each processor every few milliseconds: see Linger on deferrable
// work.
func keepAwake(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for cpu := range runtime.NumCPU() {
		all.Go(func() {
			runtime.LockOSThread() // for good: the thread ends with this
			var on unix.CPUSet
			on.Set(cpu)
			if err := unix.SchedSetaffinity(0, &on); err != nil {
				t.Error(err)
			}
			for ctx.Err() == nil {
				_ = unix.Nanosleep(&unix.Timespec{Nsec: 5e6}, nil)
			}
		})
	}
	t.Cleanup(func() { cancel(); all.Wait() })
}

// checkLinger allows for a test process that is itself late.
func checkLinger(t *testing.T, took time.Duration) {
	t.Helper()
	if took < 800*time.Millisecond || took > Linger(time.Second)+500*time.Millisecond {
		t.Errorf("the address outlived its last renewal by %v", took)
	}
}

func TestKernelNoAddAfterDeadline(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		h := newHost(testConfig())
		l, err := h.able()
		if err != nil {
			return err
		}
		if _, err := h.assign(l, time.Now()); !errors.Is(err, errPast) {
			return fmt.Errorf("assign says %w", err)
		}
		if err := h.redirect(time.Now()); !errors.Is(err, errPast) {
			return fmt.Errorf("redirect says %w", err)
		}
		if sent, unsent := h.announce(l, time.Now()); sent+unsent != 0 {
			return fmt.Errorf("%d announcements sent, %d refused", sent, unsent)
		}
		return nil
	})
	if a, names := host.addressesOf(t, testVIP), tables(t, host); len(a)+len(names) != 0 {
		t.Errorf("addresses %v, tables %v", a, names)
	}
}

func TestKernelForeignAddress(t *testing.T) {
	for _, prefix := range []string{"10.99.0.10/32", "10.99.0.10/24"} {
		t.Run(prefix, func(t *testing.T) {
			host, _ := cable(t)
			host.do(t, func() error { return addPrefix(hostIf, prefix, func(*netlink.Addr) {}) })
			before := host.addressesOf(t, testVIP)
			host.do(t, func() error {
				h := newHost(testConfig())
				if _, err := h.able(); !errors.Is(err, ErrForeign) {
					return fmt.Errorf("able says %w", err)
				}
				l, err := findLink(hostIf, testVIP)
				if err != nil {
					return err
				}
				if _, err := h.assign(l, time.Now().Add(time.Minute)); !errors.Is(err, ErrForeign) {
					return fmt.Errorf("assign says %w", err)
				}
				return h.remove()
			})
			if got := host.addressesOf(t, testVIP); len(got) != 1 || got[0] != before[0] {
				t.Errorf("it was %+v and is %+v", before, got)
			}
		})
	}
}

// An operator's address that appears beside ours ends the holding and stays.
func TestKernelForeignAddressWhileHeld(t *testing.T) {
	k := running(t, testConfig())
	k.hold(time.Minute)
	k.host.do(t, func() error { return addPrefix(hostIf, "10.99.0.10/24", func(*netlink.Addr) {}) })
	w := k.host.watch(t)
	k.Hold(1, k.arm(2*time.Minute), time.Now().Add(2*time.Minute))
	w.wait(unix.RTM_DELADDR, testVIP)
	k.withdraw()
	if got := k.host.addressesOf(t, testVIP); len(got) != 1 || got[0].prefix != 24 {
		t.Errorf("left are %+v, want the operator's alone", got)
	}
}

func TestKernelInterface(t *testing.T) {
	host, peer := cable(t)
	try := func(ifname, ip, want string) {
		t.Helper()
		host.do(t, func() error {
			l, err := findLink(ifname, netip.MustParseAddr(ip))
			if err != nil && want != "" && strings.Contains(err.Error(), want) {
				return nil
			}
			if err != nil || l.name != want {
				return fmt.Errorf("findLink(%q, %s) is %+v, %w; want %q", ifname, ip, l, err, want)
			}
			return nil
		})
	}
	set := func(n namespace, name string, change func(netlink.Link) error) {
		t.Helper()
		n.do(t, func() error {
			l, err := netlink.LinkByName(name)
			if err != nil {
				return err
			}
			return change(l)
		})
	}
	try("", "10.99.0.10", hostIf)
	try(hostIf, "192.0.2.1", hostIf)
	try("", "192.0.2.1", "no interface has a connected route")
	try("", "127.0.0.5", "no interface has a connected route")
	try("lo", "10.99.0.10", "lo")
	try("nosuch", "10.99.0.10", "does not exist")
	set(peer, peerIf, netlink.LinkSetDown)
	try("", "10.99.0.10", "no carrier")
	set(host, hostIf, netlink.LinkSetDown)
	try("", "10.99.0.10", "no interface has a connected route")
	try(hostIf, "10.99.0.10", "is down")
}

func TestKernelCleanup(t *testing.T) {
	host, _ := cable(t)
	lookAlikes := []string{"10.99.0.21/32", "10.99.0.22/24", "10.99.0.23/32", "10.99.0.24/32"}
	host.do(t, func() error {
		h := newHost(testConfig())
		l, err := h.able()
		if err != nil {
			return err
		}
		if _, err := h.assign(l, time.Now().Add(time.Minute)); err != nil {
			return err
		}
		label := func(a *netlink.Addr) { a.Label = hostIf + ":kshalb" }
		return errors.Join(
			addPrefix(hostIf, lookAlikes[0], label),
			addPrefix(hostIf, lookAlikes[1], func(a *netlink.Addr) { label(a); a.ValidLft = 3600 }),
			addPrefix(hostIf, lookAlikes[2], func(a *netlink.Addr) { a.ValidLft = 3600 }),
			addPrefix(hostIf, lookAlikes[3], func(a *netlink.Addr) { a.Label = hostIf + ":kshal"; a.ValidLft = 3600 }),
			makeTables("kshalb_old", "kshalb", "notkshalb_old"),
		)
	})
	var log bytes.Buffer
	host.do(t, func() error { return Cleanup(slog.New(slog.NewTextHandler(&log, nil))) })
	if got := host.addressesOf(t, testVIP); len(got) != 0 {
		t.Errorf("ours is left: %+v", got)
	}
	for _, p := range append(lookAlikes, "10.99.0.1/24") {
		if got := host.addressesOf(t, netip.MustParsePrefix(p).Addr()); len(got) != 1 {
			t.Errorf("%s is gone", p)
		}
	}
	if got := fmt.Sprint(tables(t, host)); got != "[kshalb_old kshalb notkshalb_old]" { // the first one is family ip
		t.Errorf("tables left are %s", got)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines logged, want one for the address and one for the table:\n%s", n, log.String())
	}
}
