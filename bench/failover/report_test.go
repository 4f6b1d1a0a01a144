package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

// gaps makes a row of trials with these service gaps.
func gaps(b bar, of ...time.Duration) row {
	r := row{bar: &b, nominal: 500 * ms}
	for _, gap := range of {
		r.windows = append(r.windows, window{gap: gap, takeovers: 1})
	}
	return r
}

func TestBars(t *testing.T) {
	lease := 500 * ms
	two, missing := gaps(failed(lease), 400*ms, 410*ms), gaps(failed(lease), 400*ms)
	two.windows[1].doubles, missing.failed = 1, 1
	for name, c := range map[string]struct {
		row  row
		want bool
	}{
		"in time":              {gaps(failed(lease), 400*ms, 500*ms, 650*ms), true},
		"the median":           {gaps(failed(lease), 400*ms, 501*ms, 600*ms), false},
		"the most":             {gaps(failed(lease), 400*ms, 410*ms, 651*ms), false},
		"two owners":           {two, false},
		"a trial failed":       {missing, false},
		"no trial":             {gaps(failed(lease)), false},
		"planned":              {gaps(planned(lease), 5*ms, 20*ms, 50*ms), true},
		"planned, late":        {gaps(planned(lease), 5*ms, 20*ms, 51*ms), false},
		"a takeover too many":  {gaps(healed(lease), 5*ms), false},
		"no hole":              {gaps(noHole(lease), 700*ms, 750*ms), true},
		"a hole":               {gaps(noHole(lease), 700*ms, 751*ms), false},
		"stale":                {gaps(stale(lease), 200*ms), true},
		"stale for too long":   {gaps(stale(lease), 201*ms), false},
		"damped":               {gaps(damped(lease), 1500*ms), true},
		"nothing asked of gap": {gaps(alone(lease), time.Hour), true},
	} {
		if got := c.row.bar.met(c.row); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestBarText(t *testing.T) {
	for want, b := range map[string]bar{
		"median ≤ 500, max ≤ 650, never two": failed(500 * ms),
		"max ≤ 750, never two":               noHole(500 * ms),
		"no takeover, never two":             healed(500 * ms),
		"never two":                          alone(500 * ms),
	} {
		if got := b.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCells(t *testing.T) {
	r := gaps(noHole(500*ms), 400*ms, 500*ms, 800*ms)
	r.title, r.failed = "link down", 2
	r.windows[0].moved, r.windows[2].moved = 390*ms, 790*ms
	r.windows[1].doubles, r.windows[1].overlap, r.windows[1].takeovers = 1, 30*ms, 3
	r.windows[2].note = "seen"
	want := []string{
		"link down", "3, 2 failed", "400 / 500 / 800", "390 / 590 / 790", "0 / 0 / 30, in 1", "1 – 3",
		"seen: 1 of 3, 1 gaps over 750", "max ≤ 750, never two", "NOT met",
	}
	if diff := cmp.Diff(want, r.cells(true)); diff != "" {
		t.Error(diff)
	}
}

func TestReport(t *testing.T) {
	p := plan{
		settings: []setting{kshalbSetting("bin/kshalb", time.Second, 200*ms), keepalivedSetting("keepalived", 100*ms)},
		events:   events(), only: regexp.MustCompile(""), binary: "bin/kshalb",
	}
	var cells []cell
	for _, e := range p.events[:1] {
		for _, s := range p.settings {
			cells = append(cells, cell{event: e, setting: s, trials: []trial{{fault: window{gap: 900 * ms, moved: 890 * ms, takeovers: 1}, heal: window{gap: 6 * ms}}}})
		}
	}
	handover := p.events[7]
	cells = append(cells, cell{event: handover, setting: p.settings[0], none: p.impossible(handover, p.settings[0])})
	cells[1].reasons = []string{"trial 2: two\nlines"}
	var out strings.Builder
	report{plan: p, cells: cells, missing: []string{"nothing"}, machine: "Here.", out: &out}.print()
	for _, line := range []string{
		"### kshalb, lease 1s, renewed every 200ms",
		"| holder cut off | 1 | 900 / 900 / 900 | 890 / 890 / 890 | 0 | 1 |  | median ≤ 1000, max ≤ 1300, never two | met |",
		"| … the partition heals | 1 | 6 / 6 / 6 | – | 0 | 0 |  | no takeover, never two | met |",
		"| `kshalb handover` | not available: bin/kshalb has no command handover |  |  |  |  |  |  |  |",
		"### keepalived, advert_int 0.1",
		"| holder cut off | 1, 1 failed | 900 / 900 / 900 | 890 / 890 / 890 | 0 | 1 |  | – | – |",
		"- left out: nothing",
		"- keepalived, advert_int 0.1, holder cut off: trial 2: two lines",
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("there is no line %s in\n%s", line, &out)
		}
	}
}

func TestEvents(t *testing.T) {
	keys := make(map[string]bool)
	for _, e := range events() {
		if e.happen == nil || e.bar == nil || (e.heal == nil) != (e.healedBar == nil) || keys[e.key] {
			t.Errorf("%s is not whole, or there twice", e.key)
		}
		keys[e.key] = true
	}
	if !keys[repeated] {
		t.Error("no event is repeated")
	}
}
