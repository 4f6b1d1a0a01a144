package election

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"pgregory.net/rapid"
)

func letters(keys [][]byte) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteByte(k[0])
	}
	return b.String()
}

func keysOf(letters string) [][]byte {
	keys := [][]byte{}
	for _, l := range letters {
		keys = append(keys, key(string(l)))
	}
	return keys
}

// From any ring to any other, while somebody decrypts with it: the race detector
// watches, and no key that is there before and after is ever missing.
func TestTurn(t *testing.T) {
	t.Parallel()
	some := rapid.StringMatching("[a-e]{1,6}")
	rapid.Check(t, func(t *rapid.T) {
		before, after := some.Draw(t, "before"), some.Draw(t, "after")
		ring, err := memberlist.NewKeyring(keysOf(before), key(before[:1]))
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var reader sync.WaitGroup
		var missing string
		reader.Go(func() {
			for missing == "" {
				select {
				case <-stop:
					return
				default:
				}
				have := letters(ring.GetKeys())
				for _, l := range before {
					if strings.ContainsRune(after, l) && !strings.ContainsRune(have, l) {
						missing = fmt.Sprintf("%c was missing in %s", l, have)
					}
				}
			}
		})
		err = turn(ring, keysOf(after))
		close(stop)
		reader.Wait()
		have := []byte(letters(ring.GetKeys()))
		want := []byte(after)
		first := want[0]
		slices.Sort(want)
		want = slices.Compact(want)
		if err != nil || missing != "" || have[0] != first {
			t.Fatalf("turned into %s: %v %s", have, err, missing)
		}
		if slices.Sort(have); !bytes.Equal(have, want) {
			t.Fatalf("turned into %s, want %s", have, want)
		}
	})
}

// Each node in its turn goes from the old key over two to the new one, while
// all talk to all: nothing is lost, and nothing came that could not be read.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c"}
	var all []Peer
	for i, name := range names {
		all = append(all, Peer{Name: name, Address: at(t, i+1)})
	}
	var nodes []*gossiper
	for i, p := range all {
		others := slices.Delete(slices.Clone(all), i, i+1)
		nodes = append(nodes, gossipSetup{node: p.Name, bind: p.Address, peers: others, keys: keysOf("o")}.run(t))
	}
	alive(t, nodes...)
	for _, step := range []string{"on", "no", "n"} {
		for _, turned := range nodes {
			sent := talk(nodes, func() {
				if err := turned.SetKeys(keysOf(step)); err != nil {
					t.Error(err)
				}
			})
			for _, to := range nodes {
				hear(t, to, sent)
			}
		}
	}
	for _, g := range nodes {
		if n := g.Ignored()["key"]; n != 0 {
			t.Errorf("%s could not read %d packets: %v", g.cfg.Node, n, g.logs.with("WARN"))
		}
		if got := letters(g.keyring.GetKeys()); got != "n" {
			t.Errorf("%s has the keys %s", g.cfg.Node, got)
		}
	}
}

// talk lets all nodes send to all others before, during and after do; it
// returns how many messages each of them has sent to each other.
func talk(nodes []*gossiper, do func()) int {
	const rounds = 20
	var talking sync.WaitGroup
	for _, from := range nodes {
		talking.Go(func() {
			for range rounds {
				for _, to := range nodes {
					if to != from {
						_ = from.Send(to.cfg.Node, []byte("m")) // a loss shows at the other end
					}
				}
			}
		})
	}
	do()
	talking.Wait()
	return rounds
}

// hear waits for the messages of both others.
func hear(t *testing.T, g *gossiper, each int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for i := range 2 * each {
		select {
		case <-g.got:
		case <-timeout:
			t.Fatalf("%s got %d of %d messages; ignored: %v", g.cfg.Node, i, 2*each, g.Ignored())
		}
	}
}

func TestSetKeysRefuses(t *testing.T) {
	t.Parallel()
	encrypted := gossipSetup{node: "a", bind: at(t, 1), keys: keysOf("ab")}.open(t)
	plain := gossipSetup{node: "a", bind: at(t, 2)}.open(t)
	for name, test := range map[string]struct {
		g    *gossiper
		keys [][]byte
		want string
	}{
		"to plain text":  {encrypted, nil, "cluster.gossip.insecure"},
		"from plain":     {plain, keysOf("a"), "restart every node with cluster.gossip.keyFile"},
		"a short key":    {encrypted, [][]byte{key("n"), []byte("short")}, "key 2 has 5 bytes: must be 16, 24 or 32"},
		"an empty key":   {encrypted, [][]byte{{}}, "key 1 has 0 bytes"},
		"plain as it is": {plain, nil, ""},
	} {
		err := test.g.SetKeys(test.keys)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	if got := letters(encrypted.keyring.GetKeys()); got != "ab" {
		t.Errorf("a refused change left %s", got)
	}
	unopened := NewGossip(GossipConfig{Metrics: &Metrics{}}, nil)
	if err := unopened.SetKeys(nil); err == nil {
		t.Error("keys were changed before the port was open")
	}
}
