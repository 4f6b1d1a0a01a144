package drill

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

func TestTenure(t *testing.T) {
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	ours := tenure{looks: []tenureLook{
		{at(0), at(2), 0}, {at(20), at(22), 7}, {at(40), at(42), 7}, {at(60), at(62), 7}, {at(80), at(82), 9}, {at(100), at(102), 9}, {at(120), at(122), 0},
	}}
	for _, tc := range []struct {
		name     string
		from, to int
		want     bool
	}{
		{"between two looks", 22, 40, true},
		{"over one more", 23, 58, true},
		{"asked before it was told", 21, 39, false},
		{"not held before", 10, 15, false},
		{"another had it in between", 65, 75, false},
		{"let go after it", 105, 110, false},
		{"no look after it", 130, 140, false},
		{"no look before it", -10, -5, false},
	} {
		if got := ours.holds(at(tc.from), at(tc.to)); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}

// TestTenureRuns: a lease that has ended, and a kshalb that does not answer, are no
// proof.
func TestTenureRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{holder: "m1"}
		var ours tenure
		go ours.run(t.Context(), f, "v")
		hold := func(v status.VIP) bool {
			f.mu.Lock()
			f.vip = v
			f.mu.Unlock()
			time.Sleep(2 * wireEvery)
			from := time.Now()
			time.Sleep(2 * wireEvery)
			return ours.holds(from, from.Add(wireEvery/2))
		}
		if !hold(status.VIP{State: "holding", Term: 3, LeaseRemaining: 0.4}) {
			t.Error("a holder is none")
		}
		if hold(status.VIP{State: "holding", Term: 3}) || hold(status.VIP{State: "standby", Term: 3, LeaseRemaining: 0.4}) {
			t.Error("one without a lease is a holder")
		}
	})
}
