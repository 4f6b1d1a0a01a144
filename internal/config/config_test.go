package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var comparers = cmp.Options{
	cmpopts.IgnoreUnexported(Config{}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// small is the least that a VIP needs.
const small = `version: 1
cluster:
  peers:
  - {name: master1, address: 192.168.0.1}
  - {name: master2, address: 192.168.0.2}
  - {name: master3, address: 192.168.0.3}
vips:
- {name: apiserver, address: 192.168.0.10}
listeners:
- {name: apiserver, vip: apiserver, port: 6443, backends: {peers: true, port: 6443}}
`

func TestParse(t *testing.T) {
	addr, addrPort := netip.MustParseAddr, netip.MustParseAddrPort
	want := &Config{
		File: "small.yaml",
		Cluster: Cluster{
			Name: "kshalb",
			Peers: []Peer{
				{Name: "master1", Address: addr("192.168.0.1")}, {Name: "master2", Address: addr("192.168.0.2")},
				{Name: "master3", Address: addr("192.168.0.3")},
			},
			Gossip: Gossip{Port: 7946, KeyFile: "/etc/kshalb/gossip.key"},
		},
		Election: Election{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond},
		VIPs:     []VIP{{Name: "apiserver", Address: addr("192.168.0.10"), Refresh: 30 * time.Second}},
		Listeners: []Listener{{
			Name: "apiserver", VIP: "apiserver",
			Address: addrPort("192.168.0.10:6443"), Bind: addrPort("192.168.0.10:26443"), PortConflict: ConflictAuto,
			Balance: BalanceRoundRobin, Panic: true, ResetOnDown: true,
			Backends: []Backend{
				{addrPort("192.168.0.1:6443"), 1, false}, {addrPort("192.168.0.2:6443"), 1, false}, {addrPort("192.168.0.3:6443"), 1, false},
			},
			PeerPort:  6443,
			Rebalance: Rebalance{Idle: 20 * time.Second, MaxPerSecond: 5},
			Check: Check{
				Type: CheckHTTPS, Path: "/readyz", Expect: []int{200},
				Interval: 500 * time.Millisecond, FastInterval: 100 * time.Millisecond, DownInterval: 500 * time.Millisecond,
				StandbyInterval: 2 * time.Second, Timeout: 400 * time.Millisecond, Rise: 2, Fall: 2, Passive: true,
			},
			Timeouts: Timeouts{
				Connect: 2 * time.Second, Retry: 300 * time.Millisecond, HalfClosed: 30 * time.Second, Drain: 30 * time.Second, User: 15 * time.Second,
			},
			Limits: Limits{Connections: 20000},
		}},
		Admin: Admin{Socket: "/run/kshalb/kshalb.sock", HTTP: addrPort("127.0.0.1:9446")},
		Log:   Log{Level: slog.LevelInfo, Format: LogText},
	}
	if diff := cmp.Diff(want, mustParse(t, "small.yaml", small), comparers); diff != "" {
		t.Errorf("small.yaml (-want +got):\n%s", diff)
	}
}

// TestGiven reads what the small file leaves at its default.
func TestGiven(t *testing.T) {
	c := mustParse(t, "given.yaml", `version: 1
cluster:
  name: blue
  peers: [{name: master1, address: 127.0.0.1}, {name: master2, address: 127.0.0.2}]
  gossip: {port: 7947, insecure: true}
  bootstrap:
election: {lease: 300ms, renew: 60ms}
vips:
- {name: a, address: 192.168.0.10, interface: bond0.7, priorities: {master1: 100}, preempt: false}
- {name: b, address: 192.168.0.11}
listeners:
- {name: a, vip: a, port: 60000, backends: {addresses: ["10.0.0.1:1", {address: "[2001:db8::1]:2", weight: 3, backup: true}, "Api.example.org.:6443", {address: "db:5432", weight: 0}, {dns: DB2.example.org, port: 5432, weight: 2, backup: true}]}}
- {name: a2, vip: a, port: 443, privatePort: 8443, backends: {peers: true, port: 443}, check: {type: tcp}}
- name: local
  bind: 0.0.0.0
  port: 80
  backends: {peers: true, port: 81}
  check: {type: http, path: "/healthz?verbose", expect: [204], host: "web:80", interval: 5s, timeout: 10s, rise: 1, fall: 3, passive: false}
  timeouts: {connect: 200ms, idle: 1h, halfClosed: 0, drain: 0s, user: 20s}
  limits: {connections: 0}
  allow: [10.0.0.0/8, "2001:db8::/32"]
- {name: a3, vip: a, port: 444, portConflict: fail, backends: {peers: true, port: 444}, check: {type: tcp}}
admin: {socket: "", http: ""}
log: {level: debug, format: json}
`)
	addrPort := netip.MustParseAddrPort
	check := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got, comparers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("gossip", Gossip{Port: 7947, Insecure: true}, c.Cluster.Gossip)
	check("election", Election{300 * time.Millisecond, 60 * time.Millisecond}, c.Election)
	check("priorities", map[string]int{"master1": 100}, c.VIPs[0].Priorities)
	check("interface", "bond0.7", c.VIPs[0].Interface)
	check("a high port", addrPort("192.168.0.10:40000"), c.Listeners[0].Bind)
	check("backends", []Backend{{addrPort("10.0.0.1:1"), 1, false}, {addrPort("[2001:db8::1]:2"), 3, true}}, c.Listeners[0].Backends)
	check("names", []NamedBackend{{"api.example.org.", 6443, 1, false}, {"db", 5432, 0, false}, {"db2.example.org", 5432, 2, true}}, c.Listeners[0].Names)
	check("a private port", addrPort("192.168.0.10:8443"), c.Listeners[1].Bind)
	check("what holds by default, and without a VIP", []string{ConflictAuto, ""}, []string{c.Listeners[0].PortConflict, c.Listeners[2].PortConflict})
	check("a port that is taken", addrPort("192.168.0.10:444"), c.Listeners[3].Bind)
	check("a TCP check's path", "", c.Listeners[1].Check.Path)
	check("bind", addrPort("0.0.0.0:80"), c.Listeners[2].Bind)
	check("check", Check{
		Type: CheckHTTP, Path: "/healthz?verbose", Expect: []int{204}, Host: "web:80",
		Interval: 5 * time.Second, FastInterval: 100 * time.Millisecond, DownInterval: 5 * time.Second,
		StandbyInterval: 5 * time.Second, Timeout: 10 * time.Second, Rise: 1, Fall: 3,
	}, c.Listeners[2].Check)
	check("timeouts", Timeouts{200 * time.Millisecond, 200 * time.Millisecond, time.Hour, 0, 0, 20 * time.Second}, c.Listeners[2].Timeouts)
	check("connections", 0, c.Listeners[2].Limits.Connections)
	check("allow", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}, c.Listeners[2].Allow)
	check("admin", Admin{}, c.Admin)
	check("log", Log{slog.LevelDebug, LogJSON}, c.Log)

	var warnings []string
	for _, w := range c.Warnings {
		warnings = append(warnings, w.String())
	}
	check("warnings", []string{
		"given.yaml:4: cluster.peers: of two voters neither can hold the VIP when the other is gone; list a third," +
			" which may be any host that only votes: {name: witness1, address: 192.168.0.4, witness: true}",
		"given.yaml:5: cluster.gossip.insecure: peers talk unencrypted: whoever reaches port 7947 can take the address; write a keyFile",
		"given.yaml:10: vips[1]: no listener serves it; write one with vip: b",
	}, warnings)
}

func TestWitness(t *testing.T) {
	c := mustParse(t, "witness.yaml", `version: 1
cluster:
  peers:
  - {name: master1, address: 192.168.0.1}
  - {name: node1, address: 192.168.0.4, witness: true}
  - {name: master2, address: 192.168.0.2}
  bootstrap: master2
vips:
- {name: apiserver, address: 192.168.0.10, priorities: {master2: 5}, preempt: true}
- {name: other, address: 192.168.0.11, priorities: {master1: 5, master2: 5}, preempt: true}
listeners:
- {name: apiserver, vip: apiserver, port: 6443, backends: {peers: true, port: 6443}}
- {name: listed, vip: other, port: 6443, backends: {addresses: [192.168.0.4:6443]}}
`)
	if got := c.Cluster.Peers; got[0].Witness || !got[1].Witness || got[2].Witness || c.Cluster.Bootstrap != "master2" || !c.VIPs[0].Preempt {
		t.Errorf("%+v", c)
	}
	want := []Backend{{netip.MustParseAddrPort("192.168.0.1:6443"), 1, false}, {netip.MustParseAddrPort("192.168.0.2:6443"), 1, false}}
	if diff := cmp.Diff(want, c.Listeners[0].Backends, comparers); diff != "" || c.Listeners[0].PeerPort == 0 || c.Listeners[1].PeerPort != 0 {
		t.Errorf("backends (-want +got):\n%s", diff)
	}
	if len(c.Warnings) != 1 || c.Warnings[0].String() != "witness.yaml:10: vips[1].preempt: moves nothing:"+
		" all peers have the same priority; write priorities that differ" {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kshalb.yaml")
	_, err := Load(path)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "--config") {
		t.Errorf("Load of no file: %v", err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("Load of a folder: no error")
	}
	for size, want := range map[int]string{maxSize: "", maxSize + 1: path + ":1: is larger than 1 MiB"} {
		text := small + "#" + strings.Repeat("x", size-len(small)-1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		switch {
		case want == "" && (err != nil || c.File != path):
			t.Errorf("Load of %d bytes: %v", size, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("Load of %d bytes: %v, want %q", size, err, want)
		}
	}
}

func TestEmbedded(t *testing.T) {
	c, err := Embedded("[::]:6443", []string{"192.168.0.1:6443", "[2001:db8::1]:6443"})
	if err != nil {
		t.Fatal(err)
	}
	l := c.Listeners[0]
	if l.Bind != netip.MustParseAddrPort("[::]:6443") || l.Bind != l.Address || len(l.Backends) != 2 || l.Check.Type != CheckTCP {
		t.Errorf("listener %+v", l)
	}
	if len(c.VIPs) != 0 || c.Admin.Socket != "" || c.Admin.HTTP != netip.MustParseAddrPort("127.0.0.1:9446") {
		t.Errorf("config %+v", c)
	}

	for _, tt := range []struct {
		listen   string
		backends []string
		want     string
	}{
		{":6443", []string{"192.168.0.1:6443"},
			`command line: --listen: ":6443" is not ADDRESS:PORT; write one like 192.168.0.1:6443 or [2001:db8::1]:6443`},
		{"127.0.0.1:6443", []string{"master1"},
			`command line: --backend: "master1" has no port; write one, as in api.example.org:6443`},
		{"127.0.0.1:6443", nil, `command line: --backend: is missing; write one like 192.168.0.1:6443`},
		{"127.0.0.1:6443", []string{"127.0.0.1:6443"},
			"command line: listeners[0].backends: 127.0.0.1:6443 is this listener itself, so kshalb would serve itself; write another port or address"},
		{"0.0.0.0:9446", []string{"192.168.0.1:6443"},
			"command line: listeners[0].port: 0.0.0.0:9446 is taken by admin.http (by default); write another port"},
		{"127.0.0.1:6443", []string{"10.0.0.1:6443", "10.0.0.1:6443"},
			"command line: listeners[0].backends.addresses[1]: 10.0.0.1:6443 is taken by listeners[0].backends.addresses[0]; write another"},
	} {
		_, err := Embedded(tt.listen, tt.backends)
		if err == nil || err.Error() != tt.want {
			t.Errorf("Embedded(%s, %s): %v\nwant %s", tt.listen, tt.backends, err, tt.want)
		}
	}
}

func TestSelf(t *testing.T) {
	c := mustParse(t, "small.yaml", small)
	for _, tt := range []struct {
		name  string
		local string
		want  string // a name, or the words of the error
	}{
		{"master2", "", "master2"},
		{"", "127.0.0.1 192.168.0.3", "master3"},
		{"", "::ffff:192.168.0.1", "master1"},
		{"master9", "192.168.0.3", `find node "master9" among the peers: small.yaml has master1 (192.168.0.1), master2 (192.168.0.2), master3 (192.168.0.3)`},
		{"", "127.0.0.1 10.0.0.1", "find this node among the peers: its addresses are 127.0.0.1, 10.0.0.1, small.yaml has master1 (192.168.0.1), master2 (192.168.0.2), master3 (192.168.0.3); say it with --node NAME"},
		{"", "", "find this node among the peers: its addresses are none, small.yaml has master1 (192.168.0.1), master2 (192.168.0.2), master3 (192.168.0.3); say it with --node NAME"},
		{"", "192.168.0.1 192.168.0.3", "find this node among the peers: its addresses 192.168.0.1, 192.168.0.3 are those of master1 (192.168.0.1), master3 (192.168.0.3); say it with --node NAME"},
	} {
		var local []netip.Addr
		for word := range strings.FieldsSeq(tt.local) {
			local = append(local, netip.MustParseAddr(word))
		}
		p, err := c.Self(tt.name, local)
		if err != nil {
			p.Name = err.Error()
		}
		if p.Name != tt.want {
			t.Errorf("Self(%q, %s): %s\nwant %s", tt.name, tt.local, p.Name, tt.want)
		}
	}
}

func TestDigest(t *testing.T) {
	const first, second = "  - {name: master1, address: 192.168.0.1}\n", "  - {name: master2, address: 192.168.0.2}\n"
	digest := func(old, replacement string) string {
		t.Helper()
		if !strings.Contains(small, old) {
			t.Fatalf("the small file has no %q", old)
		}
		return mustParse(t, "digest.yaml", strings.Replace(small, old, replacement, 1)).Digest()
	}
	want := digest("", "")
	if len(want) != 12 {
		t.Errorf("Digest is %q, want 12 digits", want)
	}
	for name, got := range map[string]string{
		"comment":   digest("version: 1", "version: 1 # a comment"),
		"default":   digest("vips:", "election: {lease: 500ms}\nvips:"),
		"order":     digest(first+second, second+first),
		"interface": digest("192.168.0.10}", "192.168.0.10, interface: eth1}"),
		"admin":     digest("vips:", "admin: {http: \"\"}\nvips:"),
		"local":     digest("listeners:", "listeners:\n- {name: l, bind: 127.0.0.1, port: 1, backends: {peers: true, port: 2}}"),
	} {
		if got != want {
			t.Errorf("%s changes the digest", name)
		}
	}
	for name, got := range map[string]string{
		"lease":    digest("vips:", "election: {lease: 600ms}\nvips:"),
		"peer":     digest("192.168.0.2}", "192.168.0.4}"),
		"address":  digest("192.168.0.10}", "192.168.0.11}"),
		"backends": digest("port: 6443}}", "port: 6444}}"),
		"priority": digest("192.168.0.10}", "192.168.0.10, priorities: {master1: 1}}"),
		"preempt":  digest("192.168.0.10}", "192.168.0.10, preempt: true}"),
		// A node that believes itself the bootstrap node counts no majorities.
		"bootstrap": digest("cluster:", "cluster:\n  bootstrap: master1"),
		"witness":   digest("192.168.0.3}", "192.168.0.3, witness: true}"),
	} {
		if got == want {
			t.Errorf("%s does not change the digest", name)
		}
	}
}

func mustParse(t *testing.T, name, text string) *Config {
	t.Helper()
	c, err := Parse(name, []byte(text))
	if err != nil {
		t.Fatalf("Parse:\n%v", err)
	}
	return c
}

func TestManyEntries(t *testing.T) {
	text := "version: 1\nlisteners: [" + strings.Repeat("a,", 1001) + "]\n"
	_, err := Parse("many.yaml", []byte(text))
	wantError(t, err, "many.yaml:2: listeners: has 1001 entries; write 1000 or less")
}
