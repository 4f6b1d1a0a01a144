package vip

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var errBroken = errors.New("broken by the test")

// fakeHost is a kernel that remembers what it was asked for. Its address has a
// lifetime like the real one.
type fakeHost struct {
	mu       sync.Mutex
	calls    []string
	fail     map[string]error         // by call
	slow     map[string]time.Duration // by call: how long it takes, before it looks at the deadline
	expires  time.Time                // of the address; zero: not there
	rules    bool
	lifetime time.Duration
	armed    map[uint64]time.Time // attempts, and when they end
	on       uint64               // the attempt that counts; 0: none
	others   chan hardware        // who says that they have the VIP; nil: nobody can
}

func newFakeHost() *fakeHost {
	return &fakeHost{fail: map[string]error{}, slow: map[string]time.Duration{},
		lifetime: time.Second, armed: map[uint64]time.Time{}}
}

// call notes a call, takes its time and returns its error.
func (f *fakeHost) call(name string, deadline ...time.Time) error {
	f.mu.Lock()
	wait, err := f.slow[name], f.fail[name]
	f.mu.Unlock()
	if wait > 0 {
		<-time.After(wait)
	}
	if slices.ContainsFunc(deadline, past) {
		return errPast
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, name)
	return err
}

func (f *fakeHost) able() (link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return link{index: 7, name: "fake0"}, f.fail["able"]
}

func (f *fakeHost) assign(_ link, deadline time.Time) (bool, error) {
	if err := f.call("assign", deadline); err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	added := past(f.expires)
	f.expires = time.Now().Add(f.lifetime)
	return added, nil
}

func (f *fakeHost) remove() error {
	if err := f.call("remove"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expires = time.Time{}
	return nil
}

func (f *fakeHost) redirectAnew(to []Redirect, _ time.Time) error {
	return f.call(fmt.Sprint("redirect anew ", to))
}

func (f *fakeHost) setRedirects(to []Redirect) { _ = f.call(fmt.Sprint("redirects ", to)) }

func (f *fakeHost) redirect(deadline time.Time) error {
	if err := f.call("redirect", deadline); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = true
	return nil
}

func (f *fakeHost) unredirect() error {
	if err := f.call("unredirect"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = false
	return nil
}

func (f *fakeHost) announce(_ link, deadline time.Time) (int, int) {
	if err := f.call("announce", deadline); err != nil {
		return 0, 2
	}
	return 2, 0
}

// There is nobody to hear or ask, unless a test says so.
func (f *fakeHost) listen(link) (bool, error) { return f.others != nil, nil }

func (f *fakeHost) claims() <-chan hardware { return f.others }

func (f *fakeHost) ask() error { return f.call("ask") }

func (f *fakeHost) deafen() {}

func (f *fakeHost) own() (map[hardware]bool, error) { return map[hardware]bool{{9}: true}, nil }

func (f *fakeHost) withdraw() {}

func (f *fakeHost) close() { _ = f.call("close") }

func (f *fakeHost) prepare() error { return f.call("prepare") }

func (f *fakeHost) arm(attempts map[string]uint64, lease time.Duration) error {
	until := time.Now().Add(lease)
	if err := f.call("arm"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed[attempts["test"]] = until
	return nil
}

func (f *fakeHost) follow(string, link) error { return f.call("follow") }

func (f *fakeHost) open(_ string, attempt uint64, deadline time.Time) error {
	if err := f.call("open", deadline); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = attempt
	return nil
}

func (f *fakeHost) shut(string) error {
	if err := f.call("shut"); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = 0
	return nil
}

func (f *fakeHost) unfence() error { return f.call("unfence") }

func (f *fakeHost) hangUp() {}

// background are calls that most tests do not look at.
var background = []string{"prepare", "arm", "follow", "unfence"}

// take returns the calls since the last take, but for the background.
func (f *fakeHost) take() (calls []string) {
	for _, c := range f.takeAll() {
		if !slices.Contains(background, c) {
			calls = append(calls, c)
		}
	}
	return calls
}

func (f *fakeHost) takeAll() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fakeHost) breaks(name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[name] = err
}

func (f *fakeHost) slows(name string, by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.slow[name] = by
}

// holds reports what would answer for the VIP.
func (f *fakeHost) holds() (address, rules, open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !past(f.expires), f.rules, f.on != 0 && !past(f.armed[f.on])
}

func testConfig() Config {
	return Config{Name: "test", Address: netip.MustParseAddr("10.99.0.10"), Lifetime: time.Second, Refresh: 30 * time.Second,
		Redirects: []Redirect{{Port: 6443, To: 16443}}}
}

// testConfig6 is the same with the other kind of address.
func testConfig6() Config {
	cfg := testConfig()
	cfg.Address = netip.MustParseAddr("fd00:99::10")
	return cfg
}

// kinds runs a test with an address of each kind.
func kinds(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Run("IPv4", func(t *testing.T) { test(t, testConfig()) })
	t.Run("IPv6", func(t *testing.T) { test(t, testConfig6()) })
}

// fenceOf is the fence of some VIPs.
func fenceOf(all ...Config) FenceConfig {
	cfg := FenceConfig{VIPs: map[string]netip.Addr{}}
	for _, c := range all {
		cfg.VIPs[c.Name] = c.Address
		cfg.Lifetime = max(cfg.Lifetime, c.Lifetime)
	}
	return cfg
}

// newTestManager is a manager with a fence of its own.
func newTestManager(cfg Config, log *slog.Logger) (*Manager, error) {
	f, err := NewFence(fenceOf(cfg), log)
	if err != nil {
		return nil, err
	}
	return New(cfg, f, log, NewMetrics(prometheus.NewRegistry()))
}

// testLog discards, but formats first.
func testLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func fakeManager(f *fakeHost) (*Manager, *prometheus.Registry) {
	reg := prometheus.NewRegistry()
	return fakeManagerOf(testConfig(), f, reg), reg
}

func fakeManagerOf(cfg Config, f *fakeHost, reg *prometheus.Registry) *Manager {
	p, err := newFence(fenceOf(cfg), f, testLog()).of(cfg)
	if err != nil {
		panic(err)
	}
	return newManager(cfg, f, p, testLog(), NewMetrics(reg))
}

// gauges returns all samples of a registry as "name{label values}" to value.
func gauges(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, fam := range families {
		for _, m := range fam.Metric {
			var values []string
			for _, l := range m.Label {
				values = append(values, l.GetValue())
			}
			all[fmt.Sprint(fam.GetName(), values)] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}
