package proxy

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestTooMany(t *testing.T) {
	for _, tc := range []struct {
		loads, shares []int64
		want          int
	}{
		{nil, nil, 0},
		{[]int64{100}, []int64{1}, 0},
		{[]int64{0, 0}, []int64{1, 1}, 0},
		{[]int64{1, 0}, []int64{1, 1}, 0},
		{[]int64{2, 0}, []int64{1, 1}, 0}, // each is one off
		{[]int64{3, 0}, []int64{1, 1}, 1},
		{[]int64{10, 10, 0}, []int64{1, 1, 1}, 6}, // to 7, 7, 6 or so
		{[]int64{15, 15, 0}, []int64{1, 1, 1}, 9},
		{[]int64{105, 95}, []int64{1, 1}, 0}, // 5 %
		{[]int64{107, 93}, []int64{1, 1}, 2},
		{[]int64{30, 10}, []int64{3, 1}, 0},
		{[]int64{20, 20}, []int64{3, 1}, 9},
		{[]int64{0, 0, 0}, []int64{1, 2, 3}, 0},
		{append(slices.Repeat([]int64{20}, 99), 0), slices.Repeat([]int64{1}, 100), 19}, // none has much too many
	} {
		if got := newPlan(tc.loads, tc.shares).tooMany(); got != tc.want {
			t.Errorf("%v by %v: %d, not %d", tc.loads, tc.shares, got, tc.want)
		}
	}
}

func TestPace(t *testing.T) {
	for _, tc := range []struct {
		within time.Duration
		most   int
		many   []int
		want   []int
	}{
		{10 * time.Second, 5, []int{20, 18, 16}, []int{2, 2, 2}}, // the rate that the worst moment asked for
		{10 * time.Second, 5, []int{25, 23, 20, 18}, []int{2, 3, 2, 3}},
		{10 * time.Second, 5, []int{1000, 1000, 4, 0, 4}, []int{5, 5, 4, 0, 1}}, // bounded, and it begins anew
		{time.Hour, 5, []int{3, 2, 1, 0}, []int{1, 1, 1, 0}},
		{time.Millisecond, 0, []int{3, 2}, []int{1, 1}},
	} {
		var p pace
		for i, many := range tc.many {
			if got := p.next(Rebalance{Within: tc.within, MaxPerSecond: tc.most}, many); got != tc.want[i] {
				t.Errorf("%+v: %d in tick %d", tc, got, i)
			}
		}
	}
}

// TestRebalanceEnds: with backends of any weights and loads, some of whose
// connections are busy: the ended ones come back where there are fewest, and soon
// all that can be moved is even, with few more ended than needed: nothing is ended any
// more then, though the busy ones may still be too many.
func TestRebalanceEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		backends := Even(addrs(rapid.IntRange(2, 10).Draw(t, "backends"))...)
		for i := range backends {
			backends[i].Weight = rapid.IntRange(1, 5).Draw(t, "weight")
		}
		p := upPool(PoolConfig{Balance: LeastConn}, backends)
		idle := make(map[*member]int64)
		for _, m := range p.order {
			m.load.Store(rapid.Int64Range(0, 60).Draw(t, "load"))
			idle[m] = rapid.Int64Range(0, m.load.Load()).Draw(t, "idle")
			if rapid.Bool().Draw(t, "all idle") {
				idle[m] = m.load.Load()
			}
		}
		least := 0.0 // how many have to move
		before := planOf(p)
		for i, aim := range before.aims {
			least += max(0, float64(before.loads[i])-aim)
		}
		ended := 0
		r := &rebalancer{cfg: Rebalance{Within: 20 * time.Second, MaxPerSecond: 1000}, pool: p}
		r.end = func(m *member, n int) int {
			n = min(n, int(idle[m]))
			idle[m] -= int64(n)
			m.load.Add(int64(-n))
			ended += n
			return n
		}
		for range 100 {
			before := ended
			r.step()
			for range ended - before {
				p.pick(0, nil).load.Add(1)
			}
		}
		if float64(ended) > least+2*float64(len(backends)) {
			t.Fatalf("%d were ended where %.1f have to move", ended, least)
		}
		after := planOf(p)
		for i, n := range after.loads {
			if n > after.most[i] && idle[p.order[i]] > 0 {
				t.Fatalf("%v, at most %v: %d of %d are idle", after.loads, after.most, idle[p.order[i]], i)
			}
		}
		if at := after.worst(); at >= 0 && idle[p.order[at]] > 0 {
			t.Fatalf("%v, it is not over: %d of %d are idle", after.loads, idle[p.order[at]], at)
		}
	})
}

func planOf(p *Pool) *plan {
	_, loads, shares := p.shares()
	return newPlan(loads, shares)
}

// TestRebalanceOnlyAmongTheGood: nothing is ended of a backend under suspicion, nor
// when fewer than two are up, or backups have the load, or all would come back.
func TestRebalanceOnlyAmongTheGood(t *testing.T) {
	backends := Even(addrs(4)...)
	backends[2].Backup, backends[3].Local = true, true
	for name, tc := range map[string]struct {
		cfg    PoolConfig
		states []State
		want   bool
	}{
		"two up":          {PoolConfig{}, []State{Up, Up, Down, Down}, true},
		"one up":          {PoolConfig{}, []State{Up, Down, Up, Suspect}, false},
		"one suspect":     {PoolConfig{}, []State{Suspect, Up, Down, Up}, false},
		"the other empty": {PoolConfig{}, []State{Up, Suspect, Suspect, Up}, true},
		"backups":         {PoolConfig{}, []State{Down, Suspect, Up, Down}, false},
		"suspects":        {PoolConfig{}, []State{Suspect, Suspect, Down, Suspect}, false},
		"the local one":   {PoolConfig{PreferLocal: true}, []State{Up, Up, Up, Up}, false},
		"panic":           {PoolConfig{Panic: true}, []State{Draining, Draining, Draining, Draining}, false},
	} {
		p := NewPool(tc.cfg, backends)
		for i, s := range tc.states {
			p.SetState(backends[i].Address, s)
		}
		p.order[0].load.Store(100)
		did := false
		r := &rebalancer{cfg: Rebalance{Within: time.Second, MaxPerSecond: 10}, pool: p, end: func(m *member, n int) int {
			did = true
			if m != p.order[0] {
				t.Errorf("%s: %s has too many", name, m.address)
			}
			return n
		}}
		r.step()
		if did != tc.want {
			t.Errorf("%s: connections were ended: %t", name, did)
		}
	}
}

// TestRebalanceAfterSlowStart: a backend that came back is given its share as slowly
// as that grows.
func TestRebalanceAfterSlowStart(t *testing.T) {
	p := returning(LeastConn, 3, 0.5)
	p.order[1].load.Store(50)
	p.order[2].load.Store(50)
	_, _, shares := p.shares()
	if want := []int64{whole / 2, whole, whole}; !slices.Equal(shares, want) {
		t.Errorf("%v, not %v", shares, want)
	}
}

// TestRebalanceEachSecond: and it ends with the context.
func TestRebalanceEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := readyPool(2)
		loops := NewLoops(1)
		for _, lp := range loops.loops {
			lp.mail.end() // they answer that nothing was done
		}
		p.order[0].load.Store(100)
		cfg := Config{Name: "fake", Rebalance: Rebalance{Within: time.Minute, Idle: time.Minute, MaxPerSecond: 5}}
		l := NewListener(cfg, p, loops, slog.New(slog.DiscardHandler), NewMetrics(nil))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		l.keepEven(ctx)
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("it ended after %s", d)
		}
		close(loops.ended)
		l.keepEven(t.Context())
		l.now.Load().Rebalance.Within = 0
		l.keepEven(t.Context())
	})
}

// TestSourceMovesHome: of clients that always get the same backend those alone are
// sent away that another one is right for.
func TestSourceMovesHome(t *testing.T) {
	p := upPool(PoolConfig{Balance: Source}, Even(addrs(3)...))
	for bucket := range uint16(100) {
		home := p.pick(bucket, nil)
		for _, m := range p.order {
			if got := p.wouldMove(&conn{bucket: bucket, target: m}); got != (m != home) {
				t.Errorf("bucket %d would leave %s for %s: %t", bucket, m.address, home.address, got)
			}
		}
	}
	if !readyPool(3).wouldMove(&conn{}) {
		t.Error("a client that may go anywhere would not move")
	}
}
