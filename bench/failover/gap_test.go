package main

import (
	"testing"
	"time"
)

var zero = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func at(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }

// paced makes attempts that began every 5 ms from one moment up to another. Those
// that work are replied to after 1 ms.
func paced(from, to int, by string) []attempt {
	var all []attempt
	for ms := from; ms < to; ms += 5 {
		end := ms + 1
		if by == "" {
			end = ms + 300
		}
		all = append(all, attempt{at(ms), at(end), by})
	}
	return all
}

func join(parts ...[]attempt) []attempt {
	var all []attempt
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestLongestGap(t *testing.T) {
	for name, c := range map[string]struct {
		attempts []attempt
		from, to int
		want     int // ms
	}{
		"all is well":        {paced(0, 1000, "a"), 100, 1000, 6},
		"from begin to end":  {join(paced(0, 100, "a"), paced(100, 500, ""), paced(500, 1000, "b")), 100, 1000, 501 - 95},
		"a slow reply":       {join(paced(0, 100, "a"), []attempt{{at(100), at(300), "a"}}, paced(300, 400, "b")), 100, 400, 300 - 95},
		"never again":        {join(paced(0, 100, "a"), paced(100, 1000, "")), 100, 1000, 1000 - 95},
		"the longest of two": {join(paced(0, 100, "a"), paced(200, 300, "a"), paced(600, 900, "b")), 100, 900, 601 - 295},
		"none before":        {paced(400, 900, "b"), 100, 900, 301},
		"nothing at all":     {nil, 100, 900, 800},
		"before it":          {join(paced(0, 100, "a"), paced(400, 900, "a")), 500, 900, 6},
		"after it":           {join(paced(0, 500, "a"), paced(800, 900, "a")), 100, 496, 6},
	} {
		if got := longestGap(c.attempts, at(c.from), at(c.to)); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("%s: %v, want %d ms", name, got, c.want)
		}
	}
}

func TestElsewhere(t *testing.T) {
	all := join(paced(0, 100, "a"), paced(100, 200, ""), paced(200, 300, "b"))
	if got, ok := elsewhere(all, at(50), "a"); !ok || got != at(201) {
		t.Errorf("%v, %v", got.Sub(zero), ok)
	}
	if got, ok := elsewhere(all, at(0), "b"); !ok || got != at(1) {
		t.Errorf("%v, %v", got.Sub(zero), ok)
	}
	if _, ok := elsewhere(all, at(150), "b"); ok {
		t.Error("an attempt that failed counts")
	}
}

func TestChanges(t *testing.T) {
	all := join(paced(0, 100, "a"), paced(100, 200, ""), paced(200, 300, "b"), paced(300, 400, "a"))
	for first, want := range map[string]int{"a": 2, "c": 3} {
		if got := changes(all, first); got != want {
			t.Errorf("after %s: %d, want %d", first, got, want)
		}
	}
	late := attempt{at(97), at(203), "a"} // begun before the change
	if got := changes(append(paced(0, 95, "a"), append(paced(200, 300, "b"), late)...), "a"); got != 1 {
		t.Errorf("a late reply: %d, want 1", got)
	}
}

func TestSteady(t *testing.T) {
	any := func(string) bool { return true }
	notA := func(by string) bool { return by != "a" }
	for name, c := range map[string]struct {
		attempts []attempt
		after    int
		ok       func(string) bool
		want     bool
	}{
		"served":             {paced(0, 1200, "a"), 0, any, true},
		"not long enough":    {paced(0, 900, "a"), 0, any, false},
		"by another":         {paced(0, 1200, "a"), 0, notA, false},
		"not since":          {paced(0, 1500, "a"), 600, any, false},
		"a break":            {join(paced(0, 500, "b"), paced(700, 1500, "b")), 0, notA, false},
		"after the break":    {join(paced(0, 500, "b"), paced(700, 2000, "b")), 0, notA, true},
		"the other in it":    {join(paced(0, 500, "b"), paced(500, 510, "a"), paced(510, 1200, "b")), 0, notA, false},
		"some fail in it":    {join(paced(0, 500, "b"), []attempt{{at(300), at(501), ""}}, paced(505, 1200, "b")), 0, notA, true},
		"nobody served":      {paced(0, 2000, ""), 0, any, false},
		"not even attempted": {nil, 0, any, false},
	} {
		if got := steady(c.attempts, at(c.after), time.Second, c.ok); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
