package manifest

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer/plan"
)

// made is a worker's configuration, as kshalb reads it.
func made(t *testing.T, w Worker) config.Listener {
	t.Helper()
	text, err := w.Config()
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("kshalb.yaml", text)
	if err != nil || len(cfg.Warnings) > 0 || len(cfg.VIPs)+len(cfg.Cluster.Peers) > 0 || len(cfg.Listeners) != 1 {
		t.Fatalf("%v, %v:\n%s", err, cfg, text)
	}
	return cfg.Listeners[0]
}

func workerOf(t *testing.T, changes ...string) Worker {
	t.Helper()
	w, err := WorkerOf(parsed(t, masters, changes...), "")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func backend(at string, weight int, backup bool) config.Backend {
	return config.Backend{Address: netip.MustParseAddrPort(at), Weight: weight, Backup: backup}
}

var addresses = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

func TestWorkerOf(t *testing.T) {
	w := workerOf(t)
	w.Names = Names([]string{"api.example.org"}, w.Port())
	l := made(t, w)
	want := usualListener()
	want.Name, want.Address, want.Bind = "apiserver", DefaultListen, DefaultListen
	want.Backends = []config.Backend{
		backend("192.168.0.1:6443", 1, false), backend("192.168.0.2:6443", 1, false), backend("192.168.0.10:6443", 1, true),
	}
	want.Names = []config.NamedBackend{{Name: "api.example.org", Port: 6443, Weight: 1}}
	want.Check.Interval, want.Check.StandbyInterval, want.Check.DownInterval = workerInterval, workerInterval, workerDownInterval
	if diff := cmp.Diff(want, l, addresses); diff != "" {
		t.Error(diff)
	}
}

// TestCarriedOver: what is set for backends, and what is not the default.
func TestCarriedOver(t *testing.T) {
	const set = `balance: leastconn, slowStart: 20s, panic: refuse, onDown: keep, timeouts: {connect: 3s, idle: 1h, halfClosed: 7s, drain: 9s, user: 11s},
  check: {path: /livez, expect: [200, 204], host: a.example, serverName: b.example, interval: 30s, fastInterval: 200ms, downInterval: 40s, timeout: 2s, rise: 3, fall: 4,
    caFile: /etc/kshalb/ca.crt, certFile: /etc/kshalb/c.crt, keyFile: /etc/kshalb/c.key, passive: false}, limits: {connections: 7}, allow: [192.168.0.0/16]}`
	changes := []string{"backends: {peers: true, port: 6443}}", "backends: {peers: true, port: 6443}, " + set}
	cfg := parsed(t, masters, changes...)
	l := made(t, workerOf(t, changes...))
	want := cfg.Listeners[0]
	same := cmpopts.IgnoreFields(config.Listener{}, "Name", "VIP", "Address", "Bind", "PortConflict", "Backends", "PeerPort", "Limits", "Allow")
	if diff := cmp.Diff(want, l, addresses, same); diff != "" {
		t.Error(diff)
	}
	if len(l.Allow) > 0 || l.Limits != usualListener().Limits {
		t.Errorf("%+v %v: these are for the VIP's clients", l.Limits, l.Allow)
	}
	l = made(t, workerOf(t, "port: 6443}", "port: 6443}, proxyProtocol: v2, check: {type: tcp}"))
	if l.ProxyProtocol != 2 || len(l.Backends) != 2 {
		t.Errorf("%+v: kshalb itself does not take that header", l)
	}
	l = made(t, workerOf(t, "port: 6443}", "port: 6443}, check: {caFile: /etc/kubernetes/pki/ca.crt}"))
	if l.Check.CAFile != "" {
		t.Errorf("%q: the cluster's CA may come late", l.Check.CAFile)
	}
	l = made(t, workerOf(t, "{peers: true, port: 6443}", "{addresses: [{address: 192.168.0.7:7443, weight: 3}, {address: 192.168.0.8:7443, backup: true}, {dns: a.example, port: 7443, weight: 2}]}"))
	if diff := cmp.Diff([]config.Backend{backend("192.168.0.7:7443", 3, false), backend("192.168.0.8:7443", 1, true), backend("192.168.0.10:6443", 1, true)}, l.Backends, addresses); diff != "" {
		t.Error(diff)
	}
	if len(l.Names) != 1 || l.Names[0] != (config.NamedBackend{Name: "a.example", Port: 7443, Weight: 2}) {
		t.Errorf("%+v", l.Names)
	}
}

func TestWorkerChooses(t *testing.T) {
	const more = "listeners:\n- {name: web, vip: apiserver, port: 443, backends: {addresses: [192.168.0.7:443]}, check: {type: tcp}}\n"
	cfg := parsed(t, masters, "listeners:\n", more)
	for name, want := range map[string]string{"": "192.168.0.1:6443", "apiserver": "192.168.0.1:6443", "web": "192.168.0.7:443"} {
		w, err := WorkerOf(cfg, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := made(t, w).Backends[0].Address.String(); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	if _, err := WorkerOf(cfg, "wbe"); err == nil || !strings.Contains(err.Error(), `["web" "apiserver"]`) {
		t.Error(err)
	}
	if _, err := WorkerOf(parsed(t, worker), ""); !errors.Is(err, ErrNoWorker) {
		t.Error(err)
	}
}

func TestWorkerFrom(t *testing.T) {
	at := plan.Source{File: "--masters"}
	p := plan.Plan{Peers: []plan.Peer{{Address: plan.Of(netip.MustParseAddr("2001:db8::1"), at)}}}
	w := WorkerFrom(p, 7443)
	w.Listen = netip.MustParseAddrPort("[::1]:443")
	l := made(t, w)
	if l.Bind != w.Listen || len(l.Backends) != 1 || l.Backends[0].Address != netip.MustParseAddrPort("[2001:db8::1]:7443") {
		t.Errorf("%+v", l)
	}
	if l.Check.Interval != 5*time.Second {
		t.Errorf("it asks every %s", l.Check.Interval)
	}
	w.Listen = netip.MustParseAddrPort("[2001:db8::1]:7443")
	if _, err := w.Config(); err == nil || !strings.Contains(err.Error(), "serve itself") {
		t.Error(err)
	}
}

func TestKit(t *testing.T) {
	names := func(texts []Text) (all []string) {
		for _, text := range texts {
			all = append(all, text.Name)
		}
		return all
	}
	const path = "/etc/kshalb/kshalb.yaml"
	for _, c := range []struct {
		cfg   *config.Config
		image string
		want  []string
	}{
		{parsed(t, masters), "a/b:v1", []string{"static-pod.yaml", "witness/static-pod.yaml", "node/kshalb.yaml", "node/static-pod.yaml"}},
		{parsed(t, masters, ", witness: true", ""), "a/b:v1", []string{"static-pod.yaml", "node/kshalb.yaml", "node/static-pod.yaml"}},
		{parsed(t, masters), "", []string{"node/kshalb.yaml"}},
	} {
		texts, err := Kit(c.cfg, path, c.image)
		if diff := cmp.Diff(c.want, names(texts)); diff != "" || err != nil {
			t.Error(err, diff)
		}
	}
	if texts, err := Kit(parsed(t, worker), path, "a/b:v1"); !errors.Is(err, ErrNoWorker) || len(texts) != 1 {
		t.Error(names(texts), err)
	}
}
