package app

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/discovery"
)

// serviceOf is that of the only listener of a text, with names resolved.
func serviceOf(t *testing.T, log *logged, text string, named map[discovery.Name][]netip.Addr) *service {
	t.Helper()
	cfg, err := config.Parse("kshalb.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Options{Node: "m1"}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := a.front.list()[0]
	s.targets.local = func(a netip.Addr) bool { return a.IsLoopback() || a == netip.MustParseAddr("192.0.2.1") }
	s.retarget(func(t *targets) { t.named = named })
	return s
}

// TestNamesOfOurselves: a name may stand for anything, also for this kshalb.
func TestNamesOfOurselves(t *testing.T) {
	const (
		listed = "backends: {addresses: [192.0.2.2:6443, a.example:6443, b.example:7443]}, check: {type: tcp}}]\n"
		floats = "version: 1\ncluster: {peers: [{name: m1, address: 192.0.2.1}], gossip: {insecure: true}}\n" +
			"vips: [{name: v, address: 192.0.2.10}]\nlisteners: [{name: l, vip: v, port: 6443, "
	)
	addr := func(all ...string) (addrs []netip.Addr) {
		for _, a := range all {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs
	}
	named := map[discovery.Name][]netip.Addr{
		"a.example": addr("127.0.0.1", "192.0.2.1", "192.0.2.2", "192.0.2.10"), "b.example": addr("127.0.0.1", "192.0.2.10"),
	}
	for text, want := range map[string][]string{
		"version: 1\nlisteners: [{name: l, bind: 127.0.0.1, port: 6443, " + listed: {"192.0.2.2:6443", "192.0.2.1:6443", "192.0.2.10:6443", "127.0.0.1:7443", "192.0.2.10:7443"},
		"version: 1\nlisteners: [{name: l, bind: 0.0.0.0, port: 6443, " + listed:   {"192.0.2.2:6443", "192.0.2.10:6443", "127.0.0.1:7443", "192.0.2.10:7443"},
		floats + listed: {"192.0.2.2:6443", "127.0.0.1:6443", "192.0.2.1:6443", "127.0.0.1:7443"},
	} {
		log := newLogged()
		s := serviceOf(t, log, text, named)
		var got []string
		for _, b := range s.targets.list() {
			got = append(got, b.Address.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", strings.SplitN(text, "\n", 2)[1], got, want)
		}
		s.retarget(func(*targets) {})
		if n := log.count("that address is left out"); n != 1 {
			t.Errorf("said %d times:\n%s", n, &log.text)
		}
	}
}
