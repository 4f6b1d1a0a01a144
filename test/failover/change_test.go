package failover

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
)

// edited makes a cluster whose configurations are changed before any kshalb
// starts.
func edited(t *testing.T, replace ...string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.New(labtest.New(t), binary)
	must(t, err)
	for _, m := range c.Masters {
		serve(t, m)
		edit(t, m, replace...)
	}
	return c
}

// edit replaces texts in a master's configuration: old, new, old, new.
func edit(t *testing.T, m *cluster.Master, replace ...string) {
	t.Helper()
	text, err := os.ReadFile(m.ConfigFile())
	must(t, err)
	changed := []byte(strings.NewReplacer(replace...).Replace(string(text)))
	if len(replace) > 0 && bytes.Equal(text, changed) {
		t.Fatalf("the configuration has none of %q:\n%s", replace, text)
	}
	must(t, os.WriteFile(m.ConfigFile(), changed, 0o600))
}

// asked runs kshalb against the running one of a master.
func asked(m *cluster.Master, args ...string) (string, error) {
	out, err := exec.Command(binary, append(args, "--socket", m.Socket())...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("kshalb %s on %s: %w: %s", strings.Join(args, " "), m.Name(), err, out)
	}
	return string(out), err
}

const peer3 = "  - {name: master3, address: \"192.168.0.3\"}\n"

// One voter fewer and one more, by reloads: the address may move, and is never
// with two.
func TestVotersChange(t *testing.T) {
	c := masters(t, cluster.Options{})
	s := observe(t, c)
	third := c.Masters[2]
	change := func(what string, remain []*cluster.Master, peers int, replace ...string) {
		t.Helper()
		begin := time.Now()
		for _, m := range remain {
			edit(t, m, replace...)
		}
		for _, m := range remain {
			if m != s.holder {
				reloaded(t, m)
			}
		}
		reloaded(t, s.holder)
		for _, m := range remain {
			must(t, m.WaitStatus(s.ctx, func(n status.Node) error {
				if len(n.Peers) != peers || n.VIPs[0].Holder == "" {
					return fmt.Errorf("%d peers, held by %q", len(n.Peers), n.VIPs[0].Holder)
				}
				return nil
			}))
		}
		s.holder, _ = s.owner(time.Now())
		s.answered(time.Now())
		sum := s.traffic.Summary(begin, time.Now())
		t.Logf("%s: longest time without an answer %v, %d of %d requests failed", what, sum.Gap, sum.Failed, sum.Requests)
	}
	change("three voters to two", c.Masters[:2], 2, peer3, "")
	must(t, third.Kshalb().Stop(s.ctx))
	must(t, third.Start())
	must(t, third.WaitStatus(s.ctx, func(n status.Node) error {
		if n.VIPs[0].State == "silent" {
			return fmt.Errorf("silent")
		}
		return nil
	}))
	for _, m := range c.Masters[:2] { // the third one votes, and nobody counts it
		must(t, m.WaitStatus(s.ctx, func(n status.Node) error {
			if n.VIPs[0].Holder == third.Name() {
				return fmt.Errorf("held by a node of other voters")
			}
			return nil
		}))
	}
	change("two voters to three", c.Masters[:2], 3, "  gossip:", peer3+"  gossip:")
	must(t, c.WaitReady(s.ctx))
	labtest.OneOwner(t, s.watch)
}

func reloaded(t *testing.T, m *cluster.Master) {
	t.Helper()
	out, err := asked(m, "reload")
	must(t, err)
	t.Logf("reload on %s:\n%s", m.Name(), out)
}

// The key changes in three rounds of reloads; the holder stays.
func keyChanges(s *scene) {
	begin, t := time.Now(), s.T
	file := filepath.Join(s.Lab.Dir(), "gossip.key")
	old, err := os.ReadFile(file)
	must(t, err)
	raw := make([]byte, 32)
	_, err = rand.Read(raw)
	must(t, err)
	fresh := base64.StdEncoding.EncodeToString(raw) + "\n"
	for _, keys := range []string{string(old) + fresh, fresh + string(old), fresh} {
		must(t, os.WriteFile(file, []byte(keys), 0o600))
		for _, m := range s.Masters {
			reloaded(t, m)
		}
	}
	s.stays(begin)
	s.settled(begin)
}

// stays asserts that the holder is still the only one to answer, a good while
// after a moment.
func (s *scene) stays(after time.Time) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()
	if next, err := s.watch.WaitOwner(ctx, after, s.holder.Name()); err == nil {
		s.Errorf("the address is with %s, and was with %s", next.Host, s.holder.Name())
	}
	s.owner(time.Now())
}

// Two masters and a witness: one master may die.
func TestWitness(t *testing.T) {
	c := edited(t, `address: "192.168.0.3"}`, `address: "192.168.0.3", witness: true}`)
	for _, m := range c.Masters {
		must(t, m.Start())
	}
	must(t, c.WaitReady(labtest.Context(t, limit)))
	s := observe(t, c)
	fault := time.Now()
	must(t, s.holder.Cut(lab.LinkDown))
	s.moves(fault)
	must(t, s.holder.Heal())
	must(t, c.WaitReady(s.ctx))
	for _, span := range s.watch.Answers().Spans() {
		if span.Host == "master3" {
			t.Error("the witness had the address")
		}
	}
	if n, err := c.Masters[2].Status(s.ctx); err != nil || n.VIPs[0].State != "witness" {
		t.Errorf("the witness says %+v, %v", n.VIPs, err)
	}
	labtest.OneOwner(t, s.watch)
}

// The first master holds alone; once the others have joined, no longer.
func TestBootstrap(t *testing.T) {
	c := edited(t, "  gossip:", "  bootstrap: master1\n  gossip:")
	first := c.Masters[0]
	must(t, first.Start())
	must(t, first.WaitReady(labtest.Context(t, limit)))
	s := observe(t, c)
	if s.holder != first {
		t.Fatalf("%s holds, want the first master", s.holder.Name())
	}
	for _, m := range c.Masters[1:] {
		must(t, m.Start())
	}
	must(t, c.WaitReady(s.ctx))
	for _, m := range c.Masters {
		must(t, m.WaitStatus(s.ctx, func(status.Node) error {
			text, err := os.ReadFile(filepath.Join(m.Dir(), "state", "state.json"))
			if err == nil && !strings.Contains(string(text), `"bootstrapped":true`) {
				err = fmt.Errorf("%s", text)
			}
			return err
		}))
	}
	s.stays(time.Now())
	fault := time.Now()
	must(t, first.Cut(lab.Isolate))
	s.moves(fault)
	must(t, first.Heal())
	must(t, c.WaitReady(s.ctx))
	labtest.OneOwner(t, s.watch)
}
