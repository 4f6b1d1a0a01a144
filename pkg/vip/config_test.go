package vip

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestNewRefuses(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"the name must be":          func(c *Config) { c.Name = "a/b" },
		"up to 63":                  func(c *Config) { c.Name = strings.Repeat("x", 64) },
		`"::ffff:192.0.2.1" is not`: func(c *Config) { c.Address = netip.MustParseAddr("::ffff:192.0.2.1") },
		`"fe80::1" is not`:          func(c *Config) { c.Address = netip.MustParseAddr("fe80::1") },
		`"ff02::1" is not`:          func(c *Config) { c.Address = netip.MustParseAddr("ff02::1") },
		`"fd00::1%eth0" is not`:     func(c *Config) { c.Address = netip.MustParseAddr("fd00::1%eth0") },
		"refresh 0s":                func(c *Config) { c.Refresh = 0 },
		"refresh 11m0s":             func(c *Config) { c.Refresh = 11 * time.Minute },
		`"invalid IP" is not`:       func(c *Config) { c.Address = netip.Addr{} },
		`"224.0.0.18" is not`:       func(c *Config) { c.Address = netip.MustParseAddr("224.0.0.18") },
		`"127.0.0.1" is not`:        func(c *Config) { c.Address = netip.MustParseAddr("127.0.0.1") },
		"longer than the 15 bytes":  func(c *Config) { c.Interface = "sixteen-bytes-xx" },
		"lifetime 0s":               func(c *Config) { c.Lifetime = 0 },
		"lifetime 1h0m1s":           func(c *Config) { c.Lifetime = time.Hour + time.Second },
		"lifetime 1.5s":             func(c *Config) { c.Lifetime = 1500 * time.Millisecond },
		"redirect of port 0 to 1":   func(c *Config) { c.Redirects = []Redirect{{0, 1}} },
		"redirect of port 1 to 0":   func(c *Config) { c.Redirects = []Redirect{{1, 0}} },
		"redirect of port 80 to 80": func(c *Config) { c.Redirects = []Redirect{{80, 80}} },
		"redirect of port 1 to 3":   func(c *Config) { c.Redirects = []Redirect{{1, 2}, {1, 3}} },
	} {
		cfg := testConfig()
		change(&cfg)
		_, err := New(cfg, nil, testLog(), NewMetrics(prometheus.NewRegistry()))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New says %v, want %q", err, want)
		}
	}
}

func TestLinger(t *testing.T) {
	if got := Linger(time.Second); got != 2300*time.Millisecond {
		t.Errorf("a lifetime of one second lingers for %v, want 2.3s", got)
	}
}

func TestAnnounceAfter(t *testing.T) {
	for n, want := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 1100 * time.Millisecond, 6: 1100 * time.Millisecond, 7: 30 * time.Second, 1e6: 30 * time.Second,
	} {
		if got := announceAfter(n, 30*time.Second); got != want {
			t.Errorf("after announcement %d comes the next in %v, want %v", n, got, want)
		}
	}
}
