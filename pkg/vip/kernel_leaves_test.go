package vip

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// plant adds what looks like ours and is not.
func plant(host namespace, t *testing.T) {
	t.Helper()
	label := func(a *netlink.Addr) { a.Label = hostIf + labelSuffix }
	fleeting := func(a *netlink.Addr) { a.ValidLft = 3600 }
	host.do(t, func() error {
		return errors.Join(
			addPrefix(hostIf, "10.99.0.21/32", label),
			addPrefix(hostIf, "10.99.0.22/24", func(a *netlink.Addr) { label(a); fleeting(a) }),
			addPrefix(hostIf, "10.99.0.23/32", fleeting),
			addPrefix(hostIf, "fd00:99::21/128", fleeting),
			addPrefix(hostIf, "fd00:99::22/64", fleeting),
			addPlain("lo", "10.99.0.24/32"),
			makeTables("kshalb", "kshalbx", "not-kshalb_test"),
		)
	})
}

// left is all that a manager could leave behind in a namespace, as lines. Times
// that run are left out.
func (n namespace) left(t *testing.T) (lines []string) {
	t.Helper()
	n.do(t, func() error {
		all, err := listAddresses(0)
		if err != nil {
			return err
		}
		for _, a := range all {
			lines = append(lines, fmt.Sprintf("address %s/%d %q proto %d on %d", a.local, a.prefix, a.label, a.proto, a.index))
		}
		routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
		for _, r := range routes {
			lines = append(lines, fmt.Sprintf("route %s on %d", r.Dst, r.LinkIndex))
		}
		return err
	})
	for _, table := range allTables(t, n) {
		lines = append(lines, fmt.Sprint("table ", table))
	}
	slices.Sort(lines)
	return lines
}

// What looks like ours lives through a start, a time of holding, a stop and a
// clean-up, and nothing else is left.
func TestKernelLeavesLookAlikes(t *testing.T) {
	host, _ := cable(t)
	plant(host, t)
	before := host.left(t)
	for _, cfg := range []Config{testConfig(), testConfig6()} {
		host.do(t, func() error { return vipWasHere(cfg) })
		host.do(t, func() error { return Cleanup(testLog()) })
		if diff := cmp.Diff(before, host.left(t)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", cfg.Address, diff)
		}
	}
	// A daemon that was killed leaves an address of each kind.
	host.do(t, func() error {
		for _, cfg := range []Config{testConfig(), testConfig6()} {
			h := newHost(cfg)
			l, err := h.able()
			if err == nil {
				_, err = h.assign(l, time.Now().Add(time.Minute))
			}
			if err != nil {
				return err
			}
		}
		return Cleanup(testLog())
	})
	if diff := cmp.Diff(before, host.left(t)); diff != "" {
		t.Errorf("after a crash and Cleanup (-before +after):\n%s", diff)
	}
}

// vipWasHere takes the VIP and lets it go, step by step.
func vipWasHere(cfg Config) error {
	h, f := newHost(cfg), newFences(fenceOf(cfg).VIPs)
	defer h.close()
	defer f.hangUp()
	l, err := h.able()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(time.Minute)
	if err := errors.Join(f.prepare(), f.follow(cfg.Name, l)); err != nil {
		return err
	}
	if err := h.redirect(deadline); err != nil {
		return err
	}
	if _, err := h.assign(l, deadline); err != nil {
		return err
	}
	return errors.Join(h.remove(), h.unredirect(), f.unfence())
}

// usage is what a process holds on to.
type usage struct{ files, goroutines int }

func used(t *testing.T) usage {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{len(fds), runtime.NumGoroutine()}
}

// A thousand times taken and let go leave everything as it was.
func TestKernelCycles(t *testing.T) { kinds(t, cycles) }

func cycles(t *testing.T, cfg Config) {
	k := running(t, cfg)
	plant(k.host, t)
	cycle := func() {
		k.hold(time.Minute)
		k.withdraw()
	}
	cycle() // what is kept open for the next taking is open now
	before, held := k.host.left(t), used(t)
	for range 1000 {
		cycle()
	}
	if diff := cmp.Diff(before, k.host.left(t)); diff != "" {
		t.Errorf("left in the kernel (-before +after):\n%s", diff)
	}
	for end := time.Now().Add(10 * time.Second); used(t) != held && time.Now().Before(end); {
		runtime.Gosched() // threads of goroutines that have ended take a moment
	}
	if now := used(t); now.files > held.files || now.goroutines > held.goroutines {
		t.Errorf("%+v are in use, were %+v", now, held)
	}
}
