package proxy

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// preference is the order of preference, told once more; 0 is never, and more is
// better.
func preference(cfg PoolConfig, b Backend, s State) int {
	switch {
	case b.Weight <= 0:
		return 0
	case s == Up && !b.Backup:
		if cfg.PreferLocal && b.Local {
			return 6
		}
		return 5
	case s == Up:
		return 4
	case s == Suspect && !b.Backup:
		return 3
	case s == Suspect:
		return 2
	case s == Draining && cfg.Panic:
		return 1
	}
	return 0
}

// TestPickTheBest: whatever the states, a pick is one of the best that were not
// tried, with every way of balancing; and all that can be used are tried in the end.
func TestPickTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := PoolConfig{
			Balance:     Balance(rapid.IntRange(0, 3).Draw(t, "balance")),
			PreferLocal: rapid.Bool().Draw(t, "preferLocal"),
			Panic:       rapid.Bool().Draw(t, "panic"),
		}
		backends := Even(addrs(rapid.IntRange(1, 7).Draw(t, "backends"))...)
		states := make(map[string]State)
		for i := range backends {
			b := &backends[i]
			b.Weight = rapid.IntRange(0, 3).Draw(t, "weight")
			b.Backup, b.Local = rapid.Bool().Draw(t, "backup"), rapid.Bool().Draw(t, "local")
			states[b.Address.String()] = State(rapid.IntRange(int(Unknown), int(Up)).Draw(t, "state"))
		}
		p := NewPool(cfg, backends)
		for _, b := range backends {
			p.SetState(b.Address, states[b.Address.String()])
		}
		of := func(m *member) int { return preference(cfg, m.backend, states[m.address.String()]) }
		var left, tried []*member
		for _, m := range p.order {
			if of(m) > 0 {
				left = append(left, m)
			}
		}
		if p.Usable() != len(left) {
			t.Fatalf("%d usable, not %d", p.Usable(), len(left))
		}
		for len(left) > 0 {
			m := p.pick(rapid.Uint16Range(0, buckets-1).Draw(t, "from"), tried)
			best := slices.MaxFunc(left, func(a, b *member) int { return cmp.Compare(of(a), of(b)) })
			if m == nil || of(m) != of(best) || !slices.Contains(left, m) {
				t.Fatalf("picked %v, not one like %s", m, best.address)
			}
			tried = append(tried, m)
			left = slices.DeleteFunc(left, func(l *member) bool { return l == m })
		}
		if m := p.pick(0, tried); m != nil {
			t.Fatalf("picked %s, and all were tried", m.address)
		}
	})
}
