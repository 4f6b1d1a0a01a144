package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOutcome is about what counts: begun before the fault or after, ended by us or
// by itself; and about the first of each kind, however late.
func TestOutcome(t *testing.T) {
	at := time.Now()
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	when := func(s float64) time.Time { return at.Add(seconds(s)) }
	ask := func(began, ended float64, connected bool, err error) request {
		return request{began: when(began), ended: when(ended), connected: connected, err: err}
	}
	busy, reset, timeout := fmt.Errorf("ask: %w", statusError("503 Service Unavailable")), errors.New("reset"), errors.New("timeout")
	c := clients{
		requests: []request{
			ask(2, 2.25, true, reset),
			ask(-1, -0.5, false, reset),  // over before the fault
			ask(-0.5, 0.5, false, reset), // cut by it
			ask(0.25, 1, true, nil),
			ask(1, 1.5, true, busy),
			ask(3, 3.5, false, timeout),
			ask(4, 4.5, false, reset),
			ask(5, 5.5, true, timeout),
			ask(9, 10.5, true, reset), // cut by the end
		},
		kept:   []time.Time{when(-2), when(1), when(4), when(9.5)},
		events: []time.Time{when(-2)},
	}
	o := c.outcome(at, when(10))
	want := outcome{
		requests: 6, failed: 5, dropped: 3, cut: 1, lastFailed: seconds(5),
		longest: seconds(0.75), kept: seconds(5.5), watch: seconds(10),
		first: [kinds]mishap{
			unconnected: {seconds(3), seconds(0.5), timeout},
			refused:     {seconds(1), seconds(0.5), busy},
			brokenOff:   {seconds(2), seconds(0.25), reset},
		},
	}
	if o != want {
		t.Errorf("%+v\nwant %+v", o, want)
	}
	for text, told := range map[string][]string{
		o.String(): {
			"not connected began after 3s and failed after 500ms: timeout",
			"answered with an error began after 1s and failed after 500ms: ask: the API server answered 503 Service Unavailable",
			"broken off began after 2s and failed after 250ms: reset",
		},
		o.firsts(unconnected): {"not connected"},
	} {
		if n := strings.Count(text, "the first that"); n != len(told) {
			t.Errorf("%d kinds are told, want %d: %s", n, len(told), text)
		}
		for _, want := range told {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in: %s", want, text)
			}
		}
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
