package election

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// wire joins electors in one process. It delays each message by a millisecond.
type wire struct {
	mu       sync.Mutex
	electors map[string]*Elector
	cut      map[string]bool
}

func (w *wire) send(from, to string, b []byte) error {
	w.mu.Lock()
	e := w.electors[to]
	cut := w.cut[from] || w.cut[to]
	w.mu.Unlock()
	if e != nil && !cut {
		time.AfterFunc(time.Millisecond, func() { e.Receive(b) })
	}
	return nil
}

func (w *wire) setCut(node string, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[node] = cut
}

// address stands for the VIP manager: what it was told, in order.
type address struct {
	mu       sync.Mutex
	deadline time.Time
	fail     error // of the next Withdraw
	told     []string
}

func (a *address) resigning(why string) { a.tell("resigning: " + why) }

func (a *address) heldBy(node string, term uint64) {
	a.tell(fmt.Sprintf("%s holds, term %d", node, term))
}

func (a *address) tell(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = append(a.told, what)
}

func (a *address) hold(l Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.deadline = l.Deadline
}

func (a *address) withdraw(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.fail
	a.fail = nil
	if err == nil {
		a.deadline = time.Time{}
	}
	return err
}

func (a *address) held() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.deadline)
}

type cluster struct {
	wire      *wire
	addresses map[string]*address
	stop      map[string]context.CancelFunc
	running   sync.WaitGroup
}

var clusterTiming = Timing{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond}

func votersOf(names []string) []Voter {
	voters := make([]Voter, len(names))
	for i, name := range names {
		voters[i].Name = name
	}
	return voters
}

func startCluster(t *testing.T, names ...string) *cluster {
	c := &cluster{
		wire:      &wire{electors: make(map[string]*Elector), cut: make(map[string]bool)},
		addresses: make(map[string]*address),
		stop:      make(map[string]context.CancelFunc),
	}
	for _, name := range names {
		a := &address{}
		e, err := NewElector(ElectorConfig{
			Node: name, Voters: votersOf(names), Timing: clusterTiming,
			VIPs:    []VIP{{Name: "api", Hold: a.hold, Withdraw: a.withdraw, Resigning: a.resigning, Held: a.heldBy}},
			Send:    func(to string, b []byte) error { return c.wire.send(name, to, b) },
			Log:     slog.New(slog.DiscardHandler),
			Metrics: NewMetrics(prometheus.NewRegistry()),
		})
		if err != nil {
			t.Fatal(err)
		}
		c.wire.electors[name], c.addresses[name] = e, a
		ctx, cancel := context.WithCancel(t.Context())
		c.stop[name] = cancel
		c.running.Go(func() {
			if err := e.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for _, e := range c.wire.electors {
		e.SetFitness("api", Fit)
	}
	return c
}

func (c *cluster) end() {
	for _, cancel := range c.stop {
		cancel()
	}
	c.running.Wait()
}

// holders returns the nodes that may answer now.
func (c *cluster) holders() []string {
	var held []string
	for _, name := range slices.Sorted(maps.Keys(c.addresses)) {
		if c.addresses[name].held() {
			held = append(held, name)
		}
	}
	return held
}

func wantHolders(t *testing.T, c *cluster, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := c.holders(); !slices.Equal(got, want) {
		t.Fatalf("held by %v, want %v", got, want)
	}
}

func TestElectorTakesRenewsAndHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, "m1", "m2", "m3")
		defer c.end()
		time.Sleep(Silence - time.Millisecond)
		wantHolders(t, c)
		time.Sleep(200 * time.Millisecond)
		wantHolders(t, c, "m1")
		time.Sleep(time.Minute)
		wantHolders(t, c, "m1")

		c.addresses["m1"].fail = errors.New("the kernel is busy")
		c.stop["m1"]()
		synctest.Wait()
		if !c.addresses["m1"].held() {
			t.Error("the failed withdrawal was taken for done")
		}
		time.Sleep(withdrawRetry + 10*time.Millisecond)
		wantHolders(t, c, "m2")
		if s := c.wire.electors["m2"].Status()[0]; s.Holder != "m2" || s.Phase != Holding || s.Term < 2 {
			t.Errorf("status of the new holder: %+v", s)
		}
		time.Sleep(200 * time.Millisecond)
		if s := c.wire.electors["m3"].Status()[0]; s.Holder != "m2" || s.Why != "held by m2" {
			t.Errorf("status of the standby: %+v", s)
		}
		for node, want := range map[string][]string{
			"m1": {"m1 holds, term 1", "resigning: stopping"},
			"m3": {"m1 holds, term 1", "m2 holds, term 2"},
		} {
			if got := c.addresses[node].told; !slices.Equal(got, want) {
				t.Errorf("%s was told %q, want %q", node, got, want)
			}
		}
	})
}

func TestElectorCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, "m1", "m2", "m3")
		defer c.end()
		time.Sleep(Silence + time.Second)
		wantHolders(t, c, "m1")
		c.wire.setCut("m1", true)
		for range 400 { // the old holder is gone before the new one comes
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			if held := c.holders(); len(held) > 1 {
				t.Fatalf("held by %v at once", held)
			}
		}
		wantHolders(t, c, "m2")
		c.wire.setCut("m1", false)
		time.Sleep(time.Minute)
		wantHolders(t, c, "m2") // no second takeover without need
	})
}

func TestElectorGivesWayToAFitNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, "m1", "m2", "m3")
		defer c.end()
		time.Sleep(Silence + time.Second)
		c.wire.electors["m2"].SetFitness("api", Able)
		c.wire.electors["m3"].SetFitness("api", Able)
		time.Sleep(2 * clusterTiming.Renew) // the holder hears of it
		c.wire.electors["m1"].SetFitness("api", Able)
		time.Sleep(10 * time.Second)
		wantHolders(t, c, "m1") // nobody is better: it stays
		c.wire.electors["m3"].SetFitness("api", Fit)
		time.Sleep(unfitDamping - 10*time.Millisecond)
		wantHolders(t, c, "m1") // it may not last
		time.Sleep(200 * time.Millisecond)
		wantHolders(t, c, "m3")
		c.wire.electors["m3"].SetFitness("api", Unable)
		time.Sleep(200 * time.Millisecond)
		if held := c.holders(); len(held) != 1 || held[0] == "m3" {
			t.Fatalf("held by %v after m3 could no longer carry it", held)
		}
	})
}

func TestElectorWithoutMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCluster(t, "m1", "m2", "m3")
		defer c.end()
		c.wire.setCut("m2", true)
		c.wire.setCut("m3", true)
		time.Sleep(Silence + time.Minute)
		wantHolders(t, c)
		c.wire.setCut("m3", false)
		time.Sleep(time.Second)
		if held := c.holders(); len(held) != 1 {
			t.Fatalf("held by %v once a majority talks", held)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{VIP: "api", Voters: votersOf([]string{"a"})}, t0); err == nil {
		t.Error("a timing of zeroes was taken")
	}
	if _, err := New(Config{VIP: "api", Timing: clusterTiming}, t0); err == nil {
		t.Error("no voters were taken")
	}
}

func TestStepIgnores(t *testing.T) {
	m, err := New(Config{VIP: "api", Self: alice, Voters: votersOf([]string{"alice", "bob"}), Timing: clusterTiming, Rand: rand.New(rand.NewPCG(1, 1))}, t0)
	if err != nil {
		t.Fatal(err)
	}
	now := t0.Add(Silence)
	set := m.set.id
	for _, tt := range []struct {
		msg  Message
		want Reason
	}{
		{Message{VIP: "other", From: bob, Release: &Release{}}, ReasonVIP},
		{Message{VIP: "api", From: Owner{"mallory", 1}, Release: &Release{}}, ReasonForeign},
		{Message{VIP: "api", From: alice2, Release: &Release{}}, ReasonForeign},
		{Message{VIP: "api", From: bob, Release: &Release{}, Set: 1}, ReasonSet},
		{Message{VIP: "api", From: bob, Release: &Release{}}, ReasonUnheld},
		{Message{VIP: "api", From: bob, Response: &Response{To: alice, Attempt: 99, Granted: true}}, ReasonStale},
		{Message{VIP: "api", From: bob, Response: &Response{To: alice2, Granted: true}}, ReasonStale},
	} {
		tt.msg.Set += set
		if got := m.Step(now, tt.msg); got != tt.want {
			t.Errorf("%+v: reason %q, want %q", tt.msg, got, tt.want)
		}
	}
}
