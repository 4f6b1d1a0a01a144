package doctor

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func TestJudgeClock(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	base := func(v *View) {
		v.Taken, v.Took = now, 3
		v.Clock = &Clock{Source: "tsc", Synchronized: true, Rate: 12}
	}
	m2 := func(change func(v *View)) func(v *View) { return on("m2", base, change) }
	clock := func(change func(k *Clock)) func(v *View) { return m2(func(v *View) { change(v.Clock) }) }
	for name, tt := range map[string]struct {
		change func(v *View)
		want   []string
	}{
		"healthy":          {base, nil},
		"too fast":         {clock(func(k *Clock) { k.Rate = 1500 }), []string{"fault m2: off by 1500 millionths"}},
		"too slow":         {clock(func(k *Clock) { k.Rate = -1001 }), []string{"fault m2: off by -1001 millionths"}},
		"set":              {clock(func(k *Clock) { k.Step = -3600 }), []string{"warning m2: the time of day was set by -1h0m0s within a second"}},
		"not synchronized": {clock(func(k *Clock) { k.Synchronized = false }), []string{"warning m2: nothing sets this host's clock"}},
		"a slow source":    {clock(func(k *Clock) { k.Source = "hpet" }), []string{"warning m2: the kernel reads its time from hpet"}},
		"within the look":  {m2(func(v *View) { v.Taken = now.Add(900 * time.Millisecond) }), nil},
		"ahead":            {m2(func(v *View) { v.Taken = now.Add(5 * time.Second) }), []string{"warning m2: at least 4.5s ahead of that of m1"}},
		"behind":           {m2(func(v *View) { v.Taken = now.Add(-time.Hour) }), []string{"fault m2: at least 59m59.9s behind that of m1"}},
		"an older kshalb":  {m2(func(v *View) { v.Took = 0 }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := caseOf(configOf(t), tt.change)
			asked := Asked{Sent: now.Add(-100 * time.Millisecond), Heard: now.Add(3500 * time.Millisecond)}
			c.Asked = map[string]Asked{"m2": asked, "m3": asked}
			expect(t, judgeClock(c), tt.want...)
		})
	}
}

// TestLookClock: the clocks of this machine are read, and go about as fast as its
// hardware.
func TestLookClock(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{clockSource: "tsc\n"})
	var v View
	if err := lookClock(t.Context(), l, &v); err != nil {
		t.Fatal(err)
	}
	if v.Clock.Source != "tsc" || math.Abs(v.Clock.Rate) > maxRate {
		t.Errorf("%+v", v.Clock)
	}
	text, err := json.Marshal(v)
	var again View
	if err != nil || json.Unmarshal(text, &again) != nil || *again.Clock != *v.Clock {
		t.Errorf("%v: %s", err, text)
	}
}
