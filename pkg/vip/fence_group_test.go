package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// gate is a kernel that does each transaction when it is let, and remembers what
// the maps say after it.
type gate struct {
	entered, let chan struct{} // nil: at once
	says         func() error
	commits      atomic.Int64
	closed       bool
}

func (g *gate) commit(*transaction) error {
	g.commits.Add(1)
	if g.entered != nil {
		g.entered <- struct{}{}
		<-g.let
	}
	if g.says != nil {
		return g.says()
	}
	return nil
}

func (g *gate) hangUp() { g.closed = true }

// manyVIPs are n VIPs: v0 is 10.99.1.0, and so on.
func manyVIPs(n int) map[string]netip.Addr {
	all := make(map[string]netip.Addr, n)
	for i := range n {
		all[fmt.Sprint("v", i)] = netip.AddrFrom4([4]byte{10, 99, 1, byte(i)})
	}
	return all
}

// gated is a fence of n VIPs that stands.
func gated(t *testing.T, n int) (*fences, *gate) {
	t.Helper()
	f, g := newFences(manyVIPs(n)), &gate{}
	f.dial = func() (filter, error) { return g, nil }
	if err := f.prepare(); err != nil {
		t.Fatal(err)
	}
	g.commits.Store(0)
	return f, g
}

// waits returns when n wishes wait.
func (w *waiting) waits(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(time.Millisecond) {
		w.mu.Lock()
		got := len(w.wishes)
		w.mu.Unlock()
		if got == n {
			return
		}
	}
	t.Fatalf("not %d wishes wait", n)
}

// What comes during a transaction is carried by the next one, all together; what
// has passed meanwhile is left out.
func TestSwitchesAreCarriedTogether(t *testing.T) {
	f, g := gated(t, 64)
	g.entered, g.let = make(chan struct{}), make(chan struct{})
	var tasks sync.WaitGroup
	late := time.Now().Add(200 * time.Millisecond)
	errs := make([]error, 64)
	open := func(i int, deadline time.Time) {
		tasks.Go(func() { errs[i] = f.open(fmt.Sprint("v", i), 1, deadline) })
	}
	open(0, time.Now().Add(time.Minute))
	<-g.entered
	for i := 1; i < 64; i++ {
		deadline := time.Now().Add(time.Minute)
		if i%2 == 0 {
			deadline = late
		}
		open(i, deadline)
	}
	f.waiting.waits(t, 63)
	<-time.After(time.Until(late))
	g.let <- struct{}{}
	<-g.entered
	g.let <- struct{}{}
	tasks.Wait()
	if n := g.commits.Load(); n != 2 {
		t.Errorf("%d transactions, want 2", n)
	}
	for i, err := range errs {
		want := error(nil)
		if i%2 == 0 && i > 0 {
			want = errPast
		}
		if !errors.Is(err, want) {
			t.Errorf("v%d is told %v, want %v", i, err, want)
		}
		if attempt := f.on[f.index[fmt.Sprint("v", i)]]; (attempt == 1) != (want == nil) {
			t.Errorf("v%d is on %d", i, attempt)
		}
	}
}

// What is past is not even asked for; what failed is off afterwards, and so is all
// when the fence is built anew.
func TestFailedSwitchIsOff(t *testing.T) {
	f, g := gated(t, 3)
	deadline := time.Now().Add(time.Minute)
	if err := errors.Join(f.open("v0", 1, deadline), f.open("v1", 1, deadline)); err != nil {
		t.Fatal(err)
	}
	n := g.commits.Load()
	if err := f.open("v1", 2, time.Now()); !errors.Is(err, errPast) || g.commits.Load() != n {
		t.Errorf("open says %v after %d transactions", err, g.commits.Load()-n)
	}
	g.says = func() error { return unix.ENOMEM }
	if err := f.open("v1", 2, deadline); !errors.Is(err, unix.ENOMEM) {
		t.Errorf("open says %v", err)
	}
	if len(f.on) != 1 || f.on[f.index["v0"]] != 1 {
		t.Errorf("on are %v, want v0 alone", f.on)
	}
	once := true
	g.says = func() error {
		if once {
			once = false
			return unix.ENOENT
		}
		return nil
	}
	if err := f.shut("v2"); err != nil {
		t.Errorf("shut says %v", err)
	}
	if len(f.on) != 0 || f.families == nil {
		t.Errorf("built anew, on are %v, families %v", f.on, f.families)
	}
}

// Each VIP has its own numbers; one that is wrong leaves none to be asked for.
func TestArmOfSeveral(t *testing.T) {
	kernel, g := gated(t, 3)
	f := newFence(FenceConfig{VIPs: manyVIPs(3), Lifetime: time.Second}, kernel, testLog())
	arm := func(attempts map[string]uint64) error {
		_, err := f.Arm(attempts, time.Second)
		return err
	}
	for _, good := range []map[string]uint64{{"v0": 1, "v1": 1, "v2": 1}, {"v0": 2, "v1": 100}, {"v2": 2}} {
		if err := arm(good); err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	if n := g.commits.Load(); n != 3 {
		t.Errorf("%d transactions, want 3", n)
	}
	if err := arm(nil); err != nil {
		t.Error(err)
	}
	for _, bad := range []map[string]uint64{{"v0": 3, "v1": 100}, {"v0": 3}, {"v1": 36}, {"v3": 1}} {
		if err := arm(bad); err == nil {
			t.Errorf("%v is armed", bad)
		}
	}
	if n := g.commits.Load(); n != 3 {
		t.Errorf("%d transactions, want 3", n)
	}
}

// The fence stands from the first manager to the last, and stays with an address.
func TestFenceStandsForAll(t *testing.T) {
	for _, gone := range []bool{true, false} {
		kernel, g := gated(t, 2)
		kernel.hangUp()
		f := newFence(FenceConfig{VIPs: manyVIPs(2), Lifetime: time.Second}, kernel, testLog())
		able := func() (link, error) { return link{7, "eth0"}, nil }
		first, second := f.parts["v0"], f.parts["v1"]
		g.closed = false
		first.enter(able)
		built := g.commits.Load()
		second.enter(able)
		if n := g.commits.Load(); n != built+1 { // its egress chain
			t.Errorf("entering second made %d transactions", n-built)
		}
		before := g.commits.Load()
		if err := first.leave(gone); err != nil || g.commits.Load() != before || g.closed {
			t.Errorf("leaving first: %v, socket closed %v", err, g.closed)
		}
		if err := second.leave(true); err != nil || !g.closed {
			t.Errorf("leaving last: %v, socket closed %v", err, g.closed)
		}
		if removed := g.commits.Load() > before; removed != gone {
			t.Errorf("removed: %v, addresses gone: %v", removed, gone)
		}
	}
}

func TestFenceConfig(t *testing.T) {
	one := netip.MustParseAddr("192.0.2.1")
	for want, cfg := range map[string]FenceConfig{
		"have one address":  {map[string]netip.Addr{"a": one, "b": one}, time.Second},
		"whole seconds":     {map[string]netip.Addr{"a": one}, time.Millisecond},
		"not a unicast":     {map[string]netip.Addr{"a": netip.MustParseAddr("::ffff:192.0.2.1")}, time.Second},
		"must be up to 63":  {map[string]netip.Addr{"": one}, time.Second},
		"are more than 256": {map[string]netip.Addr{}, time.Second},
	} {
		for i := range 257 {
			if want == "are more than 256" {
				cfg.VIPs[fmt.Sprint(i)] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
			}
		}
		if _, err := NewFence(cfg, testLog()); !contains(err, want) {
			t.Errorf("NewFence says %v, want %q", err, want)
		}
	}
	f, err := NewFence(FenceConfig{map[string]netip.Addr{"test": testVIP}, time.Second}, testLog())
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"does not stand":  func(c *Config) { c.Name = "other" },
		"before 10.9.9.9": func(c *Config) { c.Address = netip.MustParseAddr("10.9.9.9") },
		"longer than":     func(c *Config) { c.Lifetime = 2 * time.Second },
	} {
		cfg := testConfig()
		change(&cfg)
		if _, err := f.of(cfg); !contains(err, want) {
			t.Errorf("the fence says %v, want %q", err, want)
		}
	}
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
