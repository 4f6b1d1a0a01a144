package drill

import (
	"context"
	"sync"
	"time"
)

// tenure is when this host itself holds the address, as its kshalb says: what the
// host answers is not on its own wire. It is safe for concurrent use.
type tenure struct {
	mu    sync.Mutex
	looks []tenureLook // one after the other
}

// tenureLook is what was told between two moments.
type tenureLook struct {
	asked, told time.Time
	term        uint64 // 0: it does not hold, or nobody knows
}

// run looks until ctx ends.
func (t *tenure) run(ctx context.Context, c Cluster, vip string) {
	for ctx.Err() == nil {
		l := tenureLook{asked: time.Now()}
		n, err := c.Status(ctx)
		l.told = time.Now()
		// A lease that has ended may be told of before its holder has noticed.
		if v, _ := vipOf(n, vip); err == nil && v.State == "holding" && v.LeaseRemaining > 0 {
			l.term = v.Term
		}
		t.mu.Lock()
		t.looks = append(t.looks, l)
		t.mu.Unlock()
		_ = sleep(ctx, wireEvery) // its end is seen above
	}
}

// holds reports whether this host certainly held the address all the time between two
// moments: it said so before and after, of one term, and nothing else in between.
func (t *tenure) holds(from, to time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	var term uint64
	for _, l := range t.looks {
		switch {
		case !l.told.After(from):
			term = l.term
		case l.term != term || term == 0:
			return false
		case !l.asked.Before(to):
			return true
		}
	}
	return false
}
