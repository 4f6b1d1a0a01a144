package e2e

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOutcome is about what counts: begun before the fault or after, ended by us or
// by itself.
func TestOutcome(t *testing.T) {
	at := time.Now()
	when := func(s float64) time.Time { return at.Add(time.Duration(s * float64(time.Second))) }
	ask := func(began, ended float64, connected bool, err error) request {
		return request{began: when(began), ended: when(ended), connected: connected, err: err}
	}
	broken := errors.New("broken")
	c := clients{
		requests: []request{
			ask(2, 2.25, true, broken),
			ask(-1, -0.5, false, broken),  // over before the fault
			ask(-0.5, 0.5, false, broken), // cut by it
			ask(0.25, 1, true, nil),
			ask(1, 1.5, false, broken),
			ask(9, 10.5, true, broken), // cut by the end
		},
		kept:   []time.Time{when(-2), when(1), when(4), when(9.5)},
		events: []time.Time{when(-2)},
	}
	o := c.outcome(at, when(10))
	want := outcome{
		requests: 3, failed: 2, dropped: 1, cut: 1, err: broken, lastFailed: 2 * time.Second,
		longest: 750 * time.Millisecond, kept: 5500 * time.Millisecond, watch: 10 * time.Second,
	}
	if o != want {
		t.Errorf("%+v\nwant %+v", o, want)
	}
}

// TestFind: what is not installed is told from what is broken.
func TestFind(t *testing.T) {
	if _, err := find("no-such-program"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("error %v, want one that is %v", err, exec.ErrNotFound)
	}
}

func TestTable(t *testing.T) {
	all := troubles()
	var seen table
	seen.add(all[1], "other", outcome{failed: 3, dropped: 1, kept: 2 * time.Second})
	seen.row(all[0], "other").failed++
	seen.add(all[1], kshalbName, outcome{})
	seen.add(all[1], "other", outcome{failed: 1, kept: time.Second})
	seen.add(all[1], "other", outcome{kept: 4 * time.Second})
	var rows []string
	for line := range strings.Lines(seen.String()) {
		if strings.Contains(line, all[0].name+" |") || strings.Contains(line, all[1].name+" |") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	want := []string{
		"| " + all[0].name + " | other | 0, 1 broken off | – | – | – | – | – | – |",
		"| " + all[1].name + " | other | 3 | 0/1/2 | 0/0/1 | 0 | 0 | 1000/2000/4000 | 0 |",
		"| " + all[1].name + " | kshalb | 1 | 0 | 0 | 0 | 0 | 0 | 0 |",
	}
	if got := strings.Join(rows, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
