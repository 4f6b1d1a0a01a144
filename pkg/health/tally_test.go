package health

import (
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
		{"a kept connection decides nothing", 2, 2, "+???d", "USSSD"},
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

// TestTallyProperties: what must hold of any row of verdicts.
func TestTallyProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rise, fall := rapid.IntRange(1, 5).Draw(t, "rise"), rapid.IntRange(1, 5).Draw(t, "fall")
		ta := tally{rise: rise, fall: fall}
		successes, failures := 0, 0
		for i := range rapid.IntRange(1, 60).Draw(t, "verdicts") {
			v := rapid.SampledFrom([]verdict{ready, notReady, dead, undecided}).Draw(t, "verdict")
			heard := rapid.Bool().Draw(t, "heard")
			was := ta.state
			changed := ta.add(v, heard)
			if v == ready {
				successes, failures = successes+1, 0
			} else {
				successes, failures = 0, failures+1
			}
			switch is := ta.state; {
			case changed != (is != was):
				t.Fatalf("%s to %s, and changed is %t", was, is, changed)
			case is == Up && v != ready && was != Up, changed && v == ready && is != Up:
				t.Fatalf("%s became %s by verdict %d", was, is, v)
			case i > 0 && changed && is == Up && was != Suspect && successes < rise:
				t.Fatalf("up after %d successes of %d", successes, rise)
			case i > 0 && changed && is == Down && failures < fall:
				t.Fatalf("down after %d failures of %d", failures, fall)
			case i > 0 && changed && is == Down && (heard || v != dead):
				t.Fatalf("down by verdict %d, heard %t", v, heard)
			case was == Up && v != ready && is == Up:
				t.Fatal("up after a failure")
			case was == Suspect && v == ready && is != Up:
				t.Fatal("not acquitted by a success")
			case successes >= rise && is != Up, failures > 2*fall && v == dead && !heard && is == Up:
				t.Fatalf("%s after %d successes and %d failures", is, successes, failures)
			}
		}
	})
}

func TestStateString(t *testing.T) {
	var got []string
	for _, s := range []State{Unknown, Up, Suspect, Draining, Down} {
		got = append(got, s.String())
	}
	if strings.Join(got, " ") != "unknown up suspect draining down" {
		t.Errorf("states are called %s", got)
	}
}
