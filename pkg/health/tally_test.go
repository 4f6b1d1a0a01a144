package health

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// letters of verdicts; a capital D is a dead one of a target that was heard since.
var verdicts = map[rune]verdict{'+': ready, 'n': notReady, 'd': dead, '?': undecided, 'D': dead}

func (t *tally) play(verdictsInARow string) string {
	var states strings.Builder
	for _, r := range verdictsInARow {
		t.add(verdicts[r], r == 'D')
		states.WriteByte("uUSRD"[t.state]) // R is draining
	}
	return states.String()
}

func TestTally(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rise, fall int
		verdicts   string
		states     string
	}{
		{"the first success decides", 3, 3, "+", "U"},
		{"the first dead one decides", 3, 3, "d", "D"},
		{"the first not ready one decides", 3, 3, "n", "R"},
		{"a suspect falls", 2, 3, "+ddd", "USSD"},
		{"a suspect is acquitted", 2, 3, "+dd+dd", "USSUSS"},
		{"it rises", 2, 3, "d++", "DDU"},
		{"a failure between successes begins anew", 2, 3, "d+d++", "DDDDU"},
		{"at once", 1, 1, "+d+n+", "UDURU"},
		{"the last one says how it falls", 2, 2, "+dn", "USR"},
		{"the last one says how it falls", 2, 2, "+nd", "USD"},
		{"undecided ones decide nothing", 2, 2, "+???d", "USSSD"},
		{"undecided ones count", 3, 2, "+?n", "USR"},
		{"not even the only one", 1, 1, "+?d", "USD"},
		{"an undecided one at first", 2, 2, "?++", "DDU"},
		{"undecided while it rises", 2, 2, "d+?++", "DDDDU"},
		{"undecided while it drains", 2, 2, "nd?d", "RRRD"},
		{"draining falls", 2, 2, "ndd", "RRD"},
		{"draining answers", 2, 2, "ndndnd", "RRRRRR"},
		{"down answers", 2, 2, "dnd", "DRR"},
		{"draining rises", 2, 2, "n+n++", "RRRRU"},
		{"who is heard is not down", 2, 2, "+dD", "USR"},
		{"who is heard later is not down", 2, 2, "+dDDDD", "USRRRR"},
		{"who was heard for the last time", 2, 2, "+dDdDdd", "USRRRRD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ta := tally{rise: tt.rise, fall: tt.fall}
			if got := ta.play(tt.verdicts); got != tt.states {
				t.Errorf("verdicts %s gave %s, want %s", tt.verdicts, got, tt.states)
			}
		})
	}
}

// entry is one verdict of a history.
type entry struct {
	verdict verdict
	heard   bool
}

// TestTallyTwin holds the tally against one that counts nothing and looks at the
// whole history each time.
func TestTallyTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 4).Draw(t, "rise"), rapid.IntRange(1, 4).Draw(t, "fall")
		ta, was := tally{rise: rise, fall: fall}, Unknown
		var history []entry
		var states []State
		for range rapid.IntRange(1, 60).Draw(t, "verdicts") {
			e := entry{
				rapid.SampledFrom([]verdict{ready, notReady, dead, undecided}).Draw(t, "verdict"),
				rapid.Bool().Draw(t, "heard"),
			}
			history = append(history, e)
			want := twin(rise, fall, history, was)
			if changed := ta.add(e.verdict, e.heard); ta.state != want || changed != (want != was) {
				t.Fatalf("after %v (%v): %s, changed %t; want %s", history, states, ta.state, changed, want)
			}
			states, was = append(states, want), want
		}
	})
}

// twin is the state after a history whose last verdict found the state was.
func twin(rise, fall int, history []entry, was State) State {
	last := history[len(history)-1]
	isReady := func(e entry) bool { return e.verdict == ready }
	switch {
	case was == Unknown && isReady(last):
		return Up
	case was == Unknown && last.verdict == notReady:
		return Draining
	case was == Unknown:
		return Down
	case was == Up || was == Suspect:
		failures := row(history, func(e entry) bool { return !isReady(e) })
		switch {
		case isReady(last):
			return Up
		case failures < fall || last.verdict == undecided:
			return Suspect
		case last.verdict == notReady || last.heard:
			return Draining
		}
		return Down
	case row(history, isReady) >= rise:
		return Up
	case last.verdict == notReady:
		return Draining
	case was == Draining && last.verdict == dead && deadInARow(history) >= fall:
		return Down
	}
	return was
}

// row is how many of the latest are such, one after the other.
func row(history []entry, such func(entry) bool) (n int) {
	for n < len(history) && such(history[len(history)-1-n]) {
		n++
	}
	return n
}

// deadInARow is row of those that speak for death, without those that say nothing.
func deadInARow(history []entry) int {
	telling := slices.DeleteFunc(slices.Clone(history), func(e entry) bool { return e.verdict == undecided })
	return row(telling, func(e entry) bool { return e.verdict == dead && !e.heard })
}

func TestStateString(t *testing.T) {
	var got []string
	for _, s := range []State{Unknown, Up, Suspect, Draining, Down, Down + 1} {
		got = append(got, s.String())
	}
	if strings.Join(got, " ") != "unknown up suspect draining down unknown" {
		t.Errorf("states are called %s", got)
	}
}
