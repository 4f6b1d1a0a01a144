package lab

import (
	"testing"
	"time"
)

// script makes a timeline of rounds 10 ms apart: one letter a round and host,
// each question answered after 1 ms.
func script(start time.Time, rounds ...string) Timeline {
	var t Timeline
	for i, hosts := range rounds {
		for j, h := range hosts {
			at := start.Add(time.Duration(i)*10*time.Millisecond + time.Duration(j)*2*time.Millisecond)
			t = append(t, Sighting{Host: string(h), Round: uint32(i), From: at, To: at.Add(time.Millisecond)})
		}
	}
	return t
}

func TestDoubles(t *testing.T) {
	for _, c := range []struct {
		name    string
		rounds  []string
		spans   int
		doubles int
		overlap time.Duration
	}{
		{"nobody", []string{"", ""}, 0, 0, 0},
		{"one", []string{"a", "a", "a"}, 1, 0, 0},
		{"handover", []string{"a", "a", "b", "b"}, 2, 0, 0},
		{"handover within a round", []string{"a", "ab", "b"}, 2, 0, 0},
		{"one answer between two of another", []string{"a", "ab", "a"}, 2, 1, 0},
		{"two for long", []string{"a", "ab", "ab", "ab", "b"}, 2, 1, 17 * time.Millisecond},
		{"there and back", []string{"a", "b", "a"}, 3, 0, 0},
		{"three", []string{"abc", "abc", "abc"}, 3, 3, 3*17*time.Millisecond - 2*time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := script(time.Now(), c.rounds...)
			if n := len(line.Spans()); n != c.spans {
				t.Errorf("%d spans, want %d", n, c.spans)
			}
			doubles := line.Doubles()
			if len(doubles) != c.doubles || Overlap(doubles) != c.overlap {
				t.Errorf("%d doubles of %v together, want %d of %v", len(doubles), Overlap(doubles), c.doubles, c.overlap)
			}
		})
	}
}

func TestSpansBreakAtALongStep(t *testing.T) {
	now := time.Now()
	line := Timeline{
		{"a", 1, now, now},
		{"a", 2, now.Add(maxStep), now.Add(maxStep)},
		{"a", 3, now.Add(2*maxStep + 1), now.Add(2*maxStep + 1)},
	}
	if n := len(line.Spans()); n != 2 {
		t.Errorf("%d spans, want 2: the last step is longer than %v", n, maxStep)
	}
}

func TestSince(t *testing.T) {
	now := time.Now()
	line := script(now, "a", "a", "b")
	got := line.Since(now.Add(10 * time.Millisecond))
	if len(got) != 2 || len(line) != 3 {
		t.Errorf("%d sightings since the second round and %d in all, want 2 and 3", len(got), len(line))
	}
	if last, ok := got.Last(); !ok || last.Host != "b" {
		t.Errorf("last sighting %v, want one of b", last)
	}
}
