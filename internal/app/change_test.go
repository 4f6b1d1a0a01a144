package app

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/election"
)

const clusterText = `version: 1
cluster:
  peers:
  - {name: m1, address: 192.0.2.1}
  - {name: m2, address: 192.0.2.2}
  - {name: w, address: 192.0.2.3, witness: true}
  gossip: {keyFile: KEY}
vips:
- {name: apiserver, address: 192.0.2.10, priorities: {m1: 1}}
listeners:
- {name: apiserver, vip: apiserver, port: 6443, backends: {peers: true, port: 6443}}
`

const oneKey, twoKeys = "MDEyMzQ1Njc4OWFiY2RlZg==\n", "MDEyMzQ1Njc4OWFiY2RlZg==\nZmVkY2JhOTg3NjU0MzIxMA==\n"

// parsed reads clusterText, changed by pairs of an old and a new text.
func parsed(t *testing.T, key string, changes ...string) *config.Config {
	t.Helper()
	text := clusterText
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("there is no %q", changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	cfg, err := config.Parse("kshalb.yaml", []byte(strings.Replace(text, "KEY", key, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// members is an election and a wire that note what they are told, and fail
// where they should.
type members struct {
	calls []string
	fails string
}

var errNo = errors.New("no")

func (m *members) note(name string, what any) error {
	m.calls = append(m.calls, fmt.Sprint(name, " ", what))
	if name == m.fails {
		return errNo
	}
	return nil
}

func (m *members) CheckVoters(v []election.Voter) error { return m.note("check", len(v)) }
func (m *members) SetKeys(k [][]byte) error             { return m.note("keys", len(k)) }

func (m *members) SetPeers(p []election.Peer) error {
	var all []string
	for _, peer := range p {
		all = append(all, peer.Name+"@"+peer.Address.String())
	}
	return m.note("peers", all)
}

func (m *members) Reconfigure(v []election.Voter, p map[string]election.Preference) error {
	return m.note("reconfigure", fmt.Sprint(v, p))
}

// reloadOf changes a running configuration, on m1.
func reloadOf(t *testing.T, m *members, keys string, changes ...string) (*change, error) {
	t.Helper()
	dir := t.TempDir()
	key := writeFile(t, dir, "gossip.key", []byte(keys))
	from := parsed(t, key)
	c := &change{from: from, to: parsed(t, key, changes...), self: from.Cluster.Peers[0], voters: m, wire: m, level: new(slog.LevelVar)}
	c.secrets = [][]byte{[]byte("0123456789abcdef")}
	c.keys = c.from.Diff(c.to)
	err := c.check()
	if err == nil {
		err = c.apply()
	}
	return c, err
}

const addsM3 = "  - {name: w,"

func TestReloadApplies(t *testing.T) {
	for name, test := range map[string]struct {
		keys     string
		changes  []string
		calls    []string // after the check of the voters
		told     []string
		newLevel slog.Level
	}{
		"nothing": {keys: oneKey},
		"keys": {
			keys: twoKeys, calls: []string{"keys 2"}, told: []string{"KEYFILE has other keys, 2 in all"},
		},
		"a preference": {
			keys: oneKey, changes: []string{"priorities: {m1: 1}", "priorities: {m2: 7}, preempt: true"},
			calls: []string{"reconfigure [{m1 false} {m2 false} {w true}] map[apiserver:{map[m2:7] true}]"},
			told:  []string{"vips[0].priorities: {m1: 1} -> {m2: 7}", "vips[0].preempt: false -> true"},
		},
		"a peer more": {
			keys: oneKey, changes: []string{addsM3, "  - {name: m3, address: 192.0.2.4}\n" + addsM3},
			calls: []string{
				"peers [m2@192.0.2.2:7946 m3@192.0.2.4:7946 w@192.0.2.3:7946]",
				"reconfigure [{m1 false} {m2 false} {m3 false} {w true}] map[apiserver:{map[m1:1] false}]",
			},
			told: []string{"cluster.peers[2]: m3 is new"},
		},
		"another peer's address": {
			keys: oneKey, changes: []string{"192.0.2.2}", "192.0.2.22}"},
			calls: []string{
				"peers [m2@192.0.2.22:7946 w@192.0.2.3:7946]",
				"reconfigure [{m1 false} {m2 false} {w true}] map[apiserver:{map[m1:1] false}]",
			},
			told: []string{"cluster.peers[1].address: 192.0.2.2 -> 192.0.2.22"},
		},
		"the level": {
			keys: oneKey, changes: []string{"vips:", "log: {level: debug}\nvips:"},
			told: []string{`log.level: "info" -> "debug"`}, newLevel: slog.LevelDebug,
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := &members{}
			c, err := reloadOf(t, m, test.keys, test.changes...)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.calls) == 0 || !strings.HasPrefix(m.calls[0], "check ") {
				t.Fatalf("the voters were not checked first: %v", m.calls)
			}
			if diff := cmp.Diff(test.calls, slices.Concat(m.calls[1:])); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			for i, told := range c.told {
				c.told[i] = strings.ReplaceAll(told, "cluster.gossip.keyFile: "+c.to.Cluster.Gossip.KeyFile, "KEYFILE")
			}
			if diff := cmp.Diff(test.told, c.told); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if c.level.Level() != test.newLevel {
				t.Errorf("log level %v, want %v", c.level.Level(), test.newLevel)
			}
		})
	}
}

func TestReloadRefuses(t *testing.T) {
	for name, test := range map[string]struct{ old, replacement, want string }{
		"several":             {"vips:", "log: {format: json}\nelection: {lease: 1s}\nadmin: {http: \"\"}\nvips:", `election.lease, admin.http, log.format`},
		"a VIP":               {"listeners:", "- {name: b, address: 192.0.2.11}\nlisteners:", "vips[1]"},
		"a VIP's address":     {"192.0.2.10", "192.0.2.11", "vips[0].address"},
		"the bootstrap node":  {"  gossip:", "  bootstrap: m1\n  gossip:", "cluster.bootstrap"},
		"the key file's path": {"keyFile: KEY", "keyFile: KEY.new", "cluster.gossip.keyFile"},
		"encryption":          {"keyFile: KEY", "insecure: true", "cluster.gossip.keyFile, cluster.gossip.insecure"},
		"this node's address": {"192.0.2.1}", "192.0.2.21}", "cluster.peers[0].address"},
		"this node's role":    {"192.0.2.1}", "192.0.2.1, witness: true}", "cluster.peers[0].witness"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &members{}
			changes := []string{test.old, test.replacement}
			if strings.Contains(name, "role") { // a witness has no priority
				changes = append(changes, "{m1: 1}", "{m2: 1}")
			}
			c, err := reloadOf(t, m, twoKeys, changes...)
			if want := test.want + " cannot change while kshalb runs: restart it"; err == nil || err.Error() != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
			if len(m.calls) > 0 || c.level.Level() != slog.LevelInfo {
				t.Errorf("something has changed: %v", m.calls)
			}
		})
	}
}

// TestReloadTakesBack: whichever step fails, those before it are undone.
func TestReloadTakesBack(t *testing.T) {
	const was = "peers [m2@192.0.2.2:7946 w@192.0.2.3:7946]"
	for fails, undone := range map[string][]string{
		"check":       nil,
		"keys":        nil,
		"peers":       {"keys 1"},
		"reconfigure": {was, "keys 1"},
	} {
		t.Run(fails, func(t *testing.T) {
			m := &members{fails: fails}
			c, err := reloadOf(t, m, twoKeys, addsM3, "  - {name: m3, address: 192.0.2.4}\n"+addsM3, "vips:", "log: {level: debug}\nvips:")
			if !errors.Is(err, errNo) || !strings.HasPrefix(err.Error(), "no") {
				t.Errorf("got %v", err)
			}
			i := slices.IndexFunc(m.calls, func(call string) bool { return strings.HasPrefix(call, fails+" ") })
			if diff := cmp.Diff(undone, slices.Concat(m.calls[i+1:])); diff != "" {
				t.Errorf("undone (-want +got):\n%s", diff)
			}
			if len(c.secrets) != 1 || c.level.Level() != slog.LevelInfo {
				t.Error("something has changed")
			}
		})
	}
}

// TestNoticedVoters: another list of voters is for all nodes together, at a time that
// somebody chooses.
func TestNoticedVoters(t *testing.T) {
	for changes, want := range map[[2]string]string{
		{"192.0.2.2}", "192.0.2.22}"}:                  "cluster.peers: nodes with other voters",
		{"priorities: {m1: 1}", "priorities: {m1: 2}"}: "",
	} {
		from := parsed(t, writeFile(t, t.TempDir(), "gossip.key", []byte(oneKey)))
		c := &change{from: from, to: parsed(t, from.Cluster.Gossip.KeyFile, changes[:]...), self: from.Cluster.Peers[0], voters: &members{}, noticed: true}
		c.keys = c.from.Diff(c.to)
		if err := c.check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", changes, err)
		}
	}
}

func TestReloadOfBadKeys(t *testing.T) {
	m := &members{}
	if _, err := reloadOf(t, m, "not a key\n", "priorities: {m1: 1}", "preempt: true"); err == nil || !strings.Contains(err.Error(), "gossip.key:1: is not") {
		t.Errorf("got %v", err)
	}
	if len(m.calls) != 1 {
		t.Errorf("something has changed: %v", m.calls)
	}
}

// Without a VIP there are no voters: a list of peers is a list of backends.
func TestReloadOfPeersWithoutVIP(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	cut := []string{"vips:\n- {name: apiserver, address: 192.0.2.10, priorities: {m1: 1}}\n", "", "vip: apiserver", "bind: 127.0.0.1"}
	c := &change{from: parsed(t, key, cut...), to: parsed(t, key, append(cut, "192.0.2.2}", "192.0.2.22}")...)}
	c.keys = c.from.Diff(c.to)
	if err := c.check(); err == nil || !strings.Contains(err.Error(), "cluster.peers[1].address cannot change") {
		t.Errorf("got %v", err)
	}
}
