package proxy

import (
	"slices"
	"time"
)

// view is a snapshot of a pool: what can be picked, the best first. It is never
// written again.
type view struct {
	tiers  []tier
	ready  int  // members that are up or suspect
	usable int  // members in tiers
	source bool // the balance is Source
}

// tier is members that are as good as one another. The next one is looked at when
// all of this were tried.
type tier struct {
	balance Balance
	entries []entry
	slots   []slot        // of entries
	even    bool          // all have the same weight
	regular bool          // up, and not backups
	order   []uint16      // for turns: indices of entries, each as often as its weight asks for
	table   []uint16      // for Source: the index of the entry of each bucket
	slow    time.Duration // of slow start
	oldest  time.Duration // since when the first of them is up
	warm    time.Duration // when the last of them has its full share
}

// entry is a member with what was true of it when the view was made.
type entry struct {
	*member
	weight  int64
	upSince time.Duration
}

// newView sorts the members into tiers. Each member is in one at most.
func newView(cfg PoolConfig, members []*member) *view {
	v := &view{source: cfg.Balance == Source}
	ranks := make(map[*member]int)
	last := 0
	for _, m := range members {
		if r, ok := rank(cfg, m); ok {
			ranks[m] = r
			last = max(last, r)
		}
		if m.state >= Suspect && m.backend.Weight > 0 {
			v.ready++
		}
	}
	v.usable = len(ranks)
	for r := range last + 1 {
		same := slices.DeleteFunc(slices.Clone(members), func(m *member) bool {
			its, is := ranks[m]
			return !is || its != r
		})
		if len(same) > 0 {
			v.tiers = append(v.tiers, newTier(cfg, same))
		}
	}
	return v
}

// rank is the place of a member's tier; false: it is not to be picked.
func rank(cfg PoolConfig, m *member) (int, bool) {
	up := m.state == Up
	switch {
	case m.backend.Weight <= 0:
		return 0, false
	case up && cfg.PreferLocal && m.backend.Local && !m.backend.Backup:
		return 0, true
	case up && !m.backend.Backup:
		return 1, true
	case up:
		return 2, true
	case m.state == Suspect && !m.backend.Backup:
		return 3, true
	case m.state == Suspect:
		return 4, true
	case m.state == Draining && cfg.Panic:
		return 5, true
	}
	return 0, false
}

// regular says that a member is up and no backup.
func (m *member) regular() bool { return m.state == Up && !m.backend.Backup }

func newTier(cfg PoolConfig, members []*member) tier {
	t := tier{balance: cfg.Balance, slow: cfg.SlowStart, even: true, regular: members[0].regular(), oldest: members[0].upSince}
	weights := make([]int, len(members))
	for i, m := range members {
		weights[i] = m.backend.Weight
		t.entries = append(t.entries, entry{m, int64(m.backend.Weight), m.upSince})
		t.slots = append(t.slots, slot{&m.load, int64(unit / weights[i])})
		t.even = t.even && weights[i] == weights[0]
		t.oldest = min(t.oldest, m.upSince)
		if cfg.SlowStart > 0 {
			t.warm = max(t.warm, m.upSince+cfg.SlowStart)
		}
	}
	t.order = smooth(weights)
	if cfg.Balance == Source {
		for _, m := range members {
			if m.luck == nil {
				m.luck = luckOf(m.address)
			}
		}
		t.table = rendezvous(t.entries)
	}
	return t
}
