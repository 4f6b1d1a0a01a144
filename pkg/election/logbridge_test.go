package election

import (
	"io"
	"log"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// recorder keeps memberlist's own lines.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, strings.TrimSpace(string(line)))
	return len(line), nil
}

func (r *recorder) has(prefix string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// rogue is a real memberlist with another setup than ours.
type rogue struct{ *memberlist.Memberlist }

func newRogue(t *testing.T, bind netip.AddrPort, name, label, keys string) rogue {
	t.Helper()
	cfg := memberlist.DefaultLANConfig()
	cfg.Name, cfg.Label, cfg.Logger = name, label, silent
	cfg.EnableCompression = false
	sockets, err := listen(bind, func(netip.Addr) bool { return true }, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Transport = sockets
	if keys != "" {
		if cfg.Keyring, err = memberlist.NewKeyring(keysOf(keys), key(keys[:1])); err != nil {
			t.Fatal(err)
		}
	}
	list, err := memberlist.Create(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	return rogue{list}
}

func (r rogue) packet(to netip.AddrPort) {
	_ = r.SendToAddress(memberlist.Address{Addr: to.String(), Name: "a"}, []byte("a message that is longer than a key"))
}

func (r rogue) stream(to netip.AddrPort) { _, _ = r.Join([]string{"a/" + to.String()}) }

// What memberlist says about packets and streams that it ignores, and what
// becomes of that. The lines are those of v0.7.0: when another version words
// one differently this test fails, instead of the warning going missing.
func TestExplainsWhatIsIgnored(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keys             string // of the Gossip that is under test
		label, roguekeys string
		send             func(rogue, netip.AddrPort)
		line             string // of memberlist, without the source
		reason, says     string
		depthZero        bool
	}{
		"packet of another cluster": {"k", "other", "k", rogue.packet,
			`[ERR] memberlist: discarding packet with unacceptable label "other":`, "label", otherCluster + " cluster=other", false},
		"stream of another cluster": {"k", "other", "k", rogue.stream,
			`[ERR] memberlist: discarding stream with unacceptable label "other":`, "label", otherCluster + " cluster=other", false},
		"packet without cluster": {"k", "", "k", rogue.packet,
			`[ERR] memberlist: discarding packet with unacceptable label "":`, "label", otherCluster + " cluster=", false},
		"stream without cluster": {"k", "", "k", rogue.stream,
			`[ERR] memberlist: discarding stream with unacceptable label "":`, "label", otherCluster + " cluster=", false},
		"packet with another key": {"k", "test", "x", rogue.packet,
			"[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message", "key", otherKey, false},
		"stream with another key": {"k", "test", "x", rogue.stream,
			"[ERR] memberlist: failed to receive: no installed keys could decrypt the message", "key", otherKey, false},
		"packet in plain text": {"k", "test", "", rogue.packet,
			"[ERR] memberlist: Decrypt packet failed: unsupported encryption version 8", "key", plainText, false},
		"stream in plain text": {"k", "test", "", rogue.stream,
			"[ERR] memberlist: failed to receive: encryption is configured but remote state is not encrypted", "key", plainText, false},
		"encrypted packet": {"", "test", "k", rogue.packet,
			"[ERR] memberlist: Failed to decode indirect ping request: ", "key", needsKey, false},
		"encrypted stream": {"", "test", "k", rogue.stream,
			"[ERR] memberlist: failed to receive: remote state is encrypted and encryption is not configured", "key", needsKey, false},
		"no room": {"k", "test", "k", rogue.packet,
			"[WARN] memberlist: handler queue full, dropping message (8)", "overflow", overflowed, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := new(recorder)
			aAt, bAt := at(t, 1), at(t, 2)
			a := gossipSetup{
				node: "a", bind: aAt, keys: keysOf(test.keys), peers: []Peer{{Name: "b", Address: bAt}},
				tune: func(cfg *memberlist.Config) {
					cfg.Logger = log.New(io.MultiWriter(lines, cfg.Logger.Writer()), "", 0)
					if test.depthZero {
						cfg.HandoffQueueDepth = 0
					}
				},
			}.open(t)
			from := newRogue(t, bAt, "b", test.label, test.roguekeys)
			until(t, "it is counted thrice", func() bool {
				test.send(from, aAt)
				return a.Ignored()[test.reason] >= 3
			})
			if !lines.has(test.line) {
				t.Errorf("memberlist did not say %q but\n%s", test.line, strings.Join(lines.lines, "\n"))
			}
			want := "WARN " + test.says + " from=127.0.0.2 peer=b"
			if got := a.logs.with("WARN"); len(got) != 1 || got[0] != want {
				t.Errorf("warned\n%s\nwant one line:\n%s", strings.Join(got, "\n"), want)
			}
			select {
			case m := <-a.got:
				t.Errorf("%q was delivered", m)
			default:
			}
		})
	}
}

// A peer that talks of nodes which the configuration does not name, or not at
// that address, and one that has taken this node's name.
func TestExplainsStrangers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"z": "WARN a node takes part that cluster.peers does not name, so it is ignored; make cluster.peers the same on every node and reload node=z from=127.0.0.2 peer=b",
		"c": "WARN a node takes part at another address than in cluster.peers, so it is ignored; make cluster.peers the same on every node and reload node=c configured=127.0.0.3:7946 from=127.0.0.2 peer=b",
		"a": "WARN this node's name is in use at another address too; if its own address did not just change, give one of the two another name node=a from=127.0.0.2 peer=b",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aAt, bAt := at(t, 1), at(t, 2)
			a := gossipSetup{
				node: "a", bind: aAt,
				peers: []Peer{{Name: "b", Address: bAt}, {Name: "c", Address: netip.MustParseAddrPort("127.0.0.3:7946")}},
			}.open(t)
			newRogue(t, bAt, name, "test", "").stream(aAt)
			until(t, "it is counted", func() bool { return a.Ignored()["stranger"] > 0 })
			if got := a.logs.with("WARN"); len(got) != 1 || got[0] != want {
				t.Errorf("warned\n%s\nwant\n%s", strings.Join(got, "\n"), want)
			}
		})
	}
}

// A host that is no peer is named, and cannot fill the memory.
func TestIgnoredIsBounded(t *testing.T) {
	t.Parallel()
	g := NewGossip(GossipConfig{Node: "a", Metrics: &Metrics{}}, nil)
	now := time.Now()
	host := netip.MustParseAddr("10.0.0.1")
	said := 0
	for range 3 * maxSources {
		if g.ignored.first(reasonStranger, host, now) {
			said++
		}
		if g.ignored.first(reasonStranger, host, now) {
			t.Fatal("said twice within a minute")
		}
		host = host.Next()
	}
	if said != maxSources || g.Ignored()[reasonStranger] != 6*maxSources {
		t.Errorf("said %d times, counted %d", said, g.Ignored()[reasonStranger])
	}
	if !g.ignored.first(reasonStranger, host, now.Add(repeatAfter)) || len(g.ignored.said) != 1 {
		t.Error("what is a minute old was not forgotten")
	}
}

// Lines carry what strangers sent.
func FuzzLogBridge(f *testing.F) {
	for _, line := range []string{
		`[ERR] memberlist: discarding packet with unacceptable label "x": from=10.0.0.1:7946`,
		"[ERR] memberlist: Decrypt packet failed: unsupported encryption version 8 from=[fe80::1%eth0]:7946",
		"[ERR] Failed to shutdown transport: from=", " memberlist: ", "",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		g := NewGossip(GossipConfig{Node: "a", Metrics: &Metrics{}, Log: slog.New(slog.DiscardHandler)}, nil)
		if n, err := (&logBridge{gossip: g}).Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("wrote %d of %d: %v", n, len(line), err)
		}
	})
}
