package health

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTally writes results as + and -, and after each the state: u, U or D.
func TestTally(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rise, fall int
		results    string
		states     string
	}{
		{"the first success decides", 3, 3, "+", "U"},
		{"the first failure decides", 3, 3, "-", "D"},
		{"fall", 2, 3, "+---+", "UUUDD"},
		{"rise", 2, 3, "-++", "DDU"},
		{"a success between failures begins anew", 2, 3, "+--+---", "UUUUUUD"},
		{"a failure between successes begins anew", 2, 3, "-+-++", "DDDDU"},
		{"at once", 1, 1, "+-+-", "UDUD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ta := tally{rise: tt.rise, fall: tt.fall}
			var got strings.Builder
			for _, r := range tt.results {
				before := ta.state
				if changed := ta.add(r == '+'); changed != (ta.state != before) {
					t.Errorf("add told %v, state %v to %v", changed, before, ta.state)
				}
				got.WriteByte("uUD"[ta.state])
			}
			if got.String() != tt.states {
				t.Errorf("results %s gave %s, want %s", tt.results, got.String(), tt.states)
			}
		})
	}
}

// TestTallyTwin holds the tally against one that looks at the whole history:
// the state is what the latest long enough row of equal results says, and
// before there is one what the first result says.
func TestTallyTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 5).Draw(t, "rise"), rapid.IntRange(1, 5).Draw(t, "fall")
		results := rapid.SliceOfN(rapid.Bool(), 1, 60).Draw(t, "results")
		ta := tally{rise: rise, fall: fall}
		for i, ok := range results {
			ta.add(ok)
			if want := twin(rise, fall, results[:i+1]); ta.state != want {
				t.Fatalf("after %v: %v, want %v", results[:i+1], ta.state, want)
			}
		}
	})
}

func twin(rise, fall int, results []bool) State {
	for end := len(results); end > 0; end-- {
		last, row := results[end-1], 0
		for row < end && results[end-1-row] == last {
			row++
		}
		if last && row >= rise {
			return Up
		}
		if !last && row >= fall {
			return Down
		}
	}
	if results[0] {
		return Up
	}
	return Down
}

func TestStateString(t *testing.T) {
	if got := Unknown.String() + " " + Up.String() + " " + Down.String(); got != "unknown up down" {
		t.Errorf("states are called %s", got)
	}
}
