package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	base := mustParse(t, "base.yaml", small)
	const first, second = "  - {name: master1, address: 192.168.0.1}\n", "  - {name: master2, address: 192.168.0.2}\n"
	const local = "\n- {name: local, bind: 127.0.0.1, port: 1, backends: {addresses: [192.0.2.1:2]}, allow: [10.0.0.0/8]}"
	for name, test := range map[string]struct {
		old, replacement string
		want             []string
	}{
		"nothing":               {},
		"a comment":             {"version: 1", "version: 1 # one", nil},
		"defaults":              {"vips:", "election: {lease: 500ms}\nadmin:\nvips:", nil},
		"a default port":        {"port: 6443, b", "port: 6443, privatePort: 26443, b", nil},
		"empty lists":           {"port: 6443, b", "port: 6443, allow: [], b", nil},
		"a text":                {"vips:", "log: {level: debug}\nvips:", []string{`log.level: "info" -> "debug"`}},
		"a number":              {"port: 6443, b", "port: 443, b", []string{"listeners[0].port: 6443 -> 443"}},
		"a duration":            {"vips:", "election: {lease: 1s}\nvips:", []string{"election.lease: 500ms -> 1s"}},
		"a truth value":         {"192.168.0.3}", "192.168.0.3, witness: true}", []string{"cluster.peers[2].witness: false -> true"}},
		"a long text":           {"cluster:", "cluster:\n  gossip: {keyFile: /" + strings.Repeat("a", 100) + "}", []string{`cluster.gossip.keyFile: "/etc/kshalb/gossip.key" -> "/` + strings.Repeat("a", 100) + `"`}},
		"an address":            {"192.168.0.10}", "192.168.0.11}", []string{"vips[0].address: 192.168.0.10 -> 192.168.0.11"}},
		"a map":                 {"192.168.0.10}", "192.168.0.10, priorities: {master2: 1, master1: 2}}", []string{"vips[0].priorities: {} -> {master1: 2, master2: 1}"}},
		"a list of words":       {"port: 6443, b", "port: 6443, allow: [10.0.0.0/8, 192.168.0.0/16], b", []string{"listeners[0].allow: [] -> [10.0.0.0/8, 192.168.0.0/16]"}},
		"a new peer":            {second, second + "  - {name: master4, address: 192.168.0.4}\n", []string{"cluster.peers[2]: master4 is new"}},
		"a lost peer":           {second, "", []string{"cluster.peers: master2 is gone"}},
		"another peer":          {"master2", "master4", []string{"cluster.peers[1]: master4 is new", "cluster.peers: master2 is gone"}},
		"order of peers":        {first + second, second + first, []string{"cluster.peers: master1, master2, master3 -> master2, master1, master3"}},
		"a new listener":        {"listeners:", "listeners:" + local, []string{"listeners[0]: local is new"}},
		"backends":              {"{peers: true, port: 6443}", "{addresses: [192.0.2.1:6443]}", []string{"listeners[0].backends.peers: true -> false", "listeners[0].backends.port: 6443 -> 0", "listeners[0].backends.addresses: [] -> [192.0.2.1:6443]"}},
		"what defaults come to": {"port: 6443, b", "timeouts: {retry: 300ms}, check: {expect: [200], downInterval: 500ms}, port: 6443, b", nil},
		"a type":                {"port: 6443, b", "check: {type: tcp}, port: 6443, b", []string{`listeners[0].check.type: "https" -> "tcp"`}},
		"what follows": {"port: 6443, b", "timeouts: {connect: 200ms}, check: {interval: 3s}, port: 6443, b", []string{
			"listeners[0].check.interval: 500ms -> 3s", "listeners[0].check.downInterval: 500ms -> 3s", "listeners[0].check.standbyInterval: 2s -> 3s",
			"listeners[0].timeouts.connect: 2s -> 200ms", "listeners[0].timeouts.retry: 300ms -> 200ms",
		}},
		"a hook":    {"vips:", "hooks: [{on: [holder], exec: [/bin/a, b c]}]\nvips:", []string{`hooks: [] -> [{on: [holder], exec: ["/bin/a" "b c"], timeout: 10s}]`}},
		"bootstrap": {"cluster:", "cluster:\n  bootstrap: master1", []string{`cluster.bootstrap: "" -> "master1"`}},
	} {
		t.Run(name, func(t *testing.T) {
			next := mustParse(t, "next.yaml", strings.Replace(small, test.old, test.replacement, 1))
			var got []string
			for _, c := range base.Diff(next) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if back := next.Diff(base); len(back) != len(got) {
				t.Errorf("the other way round: %v", back)
			}
		})
	}
}

// The order of listeners and VIPs means nothing; paths are those of the newer file.
func TestDiffOfMovedEntries(t *testing.T) {
	const text = small + "- {name: local, bind: 127.0.0.1, port: 1, backends: {addresses: [192.0.2.1:2]}}\n"
	i := strings.Index(text, "- {name: apiserver, vip")
	lines := strings.SplitAfter(text[i:], "\n")
	moved := text[:i] + lines[1] + strings.Replace(lines[0], "port: 6443,", "port: 443,", 1)
	got := mustParse(t, "a.yaml", text).Diff(mustParse(t, "b.yaml", moved))
	want := []Change{{"listeners[1].port", "6443", "443"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Lists of the same entries in another order, or written in another way, are equal.
func TestDiffOfLists(t *testing.T) {
	parse := func(addresses, rest string) *Config {
		return mustParse(t, "a.yaml", "version: 1\nlisteners:\n- {name: a, bind: 127.0.0.1, port: 1, backends: {addresses: ["+addresses+"]}"+rest+"}\n")
	}
	base := parse("192.0.2.1:2, db.example.org:5432", ", allow: [10.0.0.0/8, 192.168.0.0/16], check: {expect: [200, 204]}")
	same := parse("{dns: DB.example.org, port: 5432, backup: false}, {address: 192.0.2.1:2, weight: 1}",
		", allow: [192.168.0.0/16, 10.0.0.0/8], check: {expect: [204, 200]}")
	if got := base.Diff(same); len(got) > 0 {
		t.Errorf("what means the same differs: %v", got)
	}
	if base.Digest() != same.Digest() {
		t.Error("what means the same has another digest")
	}
	other := parse("{address: 192.0.2.1:2, weight: 0}, {address: db.example.org:5432, weight: 2, backup: true}",
		", allow: [10.0.0.0/8, 192.168.0.0/16], check: {expect: [200, 204]}")
	want := []Change{{
		"listeners[0].backends.addresses", "[192.0.2.1:2, db.example.org:5432]",
		"[{address: 192.0.2.1:2, weight: 0}, {address: db.example.org:5432, weight: 2, backup: true}]",
	}}
	if diff := cmp.Diff(want, base.Diff(other)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
