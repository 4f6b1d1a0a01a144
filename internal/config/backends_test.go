package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// listener is the configuration of one listener at 127.0.0.1 with the given keys.
func listener(t *testing.T, keys string) (Listener, []string) {
	t.Helper()
	if !strings.Contains(keys, "backends:") {
		keys += ", backends: {addresses: [127.0.0.2:80]}"
	}
	if !strings.Contains(keys, "bind:") {
		keys += ", bind: 127.0.0.1"
	}
	c := mustParse(t, "l.yaml", "version: 1\nlisteners:\n- {name: l, port: 8080, "+keys+"}\n")
	var warnings []string
	for _, w := range c.Warnings {
		warnings = append(warnings, w.String())
	}
	return c.Listeners[0], warnings
}

// TestPaces: what is not given follows a longer interval, what is given holds.
func TestPaces(t *testing.T) {
	for keys, want := range map[string][4]time.Duration{
		"":                {500, 100, 500, 2000},
		"interval: 100ms": {100, 100, 500, 2000},
		"interval: 1s":    {1000, 100, 1000, 2000},
		"interval: 5s":    {5000, 100, 5000, 5000},
		"interval: 5s, downInterval: 1s, standbyInterval: 1m": {5000, 100, 1000, 60000},
		"interval: 5s, fastInterval: 5s":                      {5000, 5000, 5000, 5000},
		"fastInterval: 50ms, downInterval: 100ms":             {500, 50, 100, 2000},
	} {
		l, _ := listener(t, "check: {"+keys+"}")
		got := [4]time.Duration{l.Check.Interval, l.Check.FastInterval, l.Check.DownInterval, l.Check.StandbyInterval}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if got != want {
			t.Errorf("{%s}: interval, fast, down, standby are %v, want %v", keys, got, want)
		}
	}
}

func TestRetry(t *testing.T) {
	for keys, want := range map[string]time.Duration{
		"":                          300 * time.Millisecond,
		"connect: 200ms":            200 * time.Millisecond,
		"retry: 0s":                 0,
		"connect: 1ms, retry: 1ms":  time.Millisecond,
		"connect: 10m, retry: 600s": 10 * time.Minute,
	} {
		if l, _ := listener(t, "timeouts: {"+keys+"}"); l.Timeouts.Retry != want {
			t.Errorf("{%s}: retry is %v, want %v", keys, l.Timeouts.Retry, want)
		}
	}
}

// TestAllowedTogether holds what looks like a contradiction and is none.
func TestAllowedTogether(t *testing.T) {
	for _, keys := range []string{
		"balance: source, preferLocal: true",
		"balance: source, slowStart: 0s",
		"rebalance: {within: 0s, idle: 1s, maxPerSecond: 1}",
		"rebalance: {within: 1s}",
		"source: client, proxyProtocol: v1, check: {type: tcp}",
		"source: client, bind: '::', backends: {addresses: ['10.0.0.1:80', '[2001:db8::1]:80', 'db:80']}",
		"source: client, bind: 10.0.0.2, backends: {addresses: ['10.0.0.1:80', 'db:80']}",
		"check: {type: tcp, host: '', caFile: '', certFile: '', keyFile: '', serverName: '', passive: false}",
		"check: {type: https, certFile: /c, keyFile: /k, host: '10.0.0.1:80', serverName: a.b.}",
		"check: {type: http, host: '[2001:db8::1]', expect: [599, 200]}",
		"check: {type: http, host: 10.0.0.1}, proxyProtocol: v2",
		"proxyProtocol: v2, check: {path: /healthz}",
		"backends: {addresses: [{address: '10.0.0.1:80', weight: 0}, {address: 'db:80', backup: true}]}",
		"limits: {connections: 0, perSource: 1000000, newPerSecond: 1000000}",
	} {
		if _, warnings := listener(t, keys); len(warnings) > 0 {
			t.Errorf("{%s} warns: %v", keys, warnings)
		}
	}
}

func TestBackendWarnings(t *testing.T) {
	const drops = " is asked of, does not speak the PROXY protocol and drops every such connection; write none"
	for keys, want := range map[string]string{
		"proxyProtocol: v2": "l.yaml:3: listeners[0].proxyProtocol: a kube-apiserver, which is what /readyz" + drops,
		"proxyProtocol: v1, check: {path: '/livez?verbose'}": "l.yaml:3: listeners[0].proxyProtocol: a kube-apiserver, which is what /livez?verbose" + drops,
		"backends: {addresses: [{address: '10.0.0.1:80', weight: 0}, {address: 'db:80', weight: 0}]}": "l.yaml:3: listeners[0].backends.addresses:" +
			" each of them has weight 0, so that none gets a connection; write a weight of 1 or more for those that are to serve",
	} {
		_, warnings := listener(t, keys)
		if diff := cmp.Diff([]string{want}, warnings); diff != "" {
			t.Errorf("{%s} (-want +got):\n%s", keys, diff)
		}
	}
}
