package main

import (
	"slices"
	"testing"
)

var rate = metric{key: "rate"}

// filled are three rounds, of which the second could not be measured through
// HAProxy.
func filled() *results {
	r := newResults(3)
	for i, v := range []float64{10, 12, 14} {
		r.add(i, nameKshalb, "requests-1", map[string]float64{"rate": v})
	}
	r.add(0, nameGuide, "requests-1", map[string]float64{"rate": 8})
	r.add(2, nameGuide, "requests-1", map[string]float64{"rate": 7})
	r.add(0, nameNginx, "requests-1", map[string]float64{"rate": 5})
	return r
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	got := filled().ratios(figure{nameKshalb, "requests-1", "rate"}, figure{nameGuide, "requests-1", "rate"})
	if want := []float64{1.25, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestBest(t *testing.T) {
	r, names := filled(), []string{nameNginx, nameTuned, nameGuide}
	if got := r.best(names, "requests-1", rate); got != nameGuide {
		t.Errorf("the most is %q", got)
	}
	if got := r.best(names, "requests-1", metric{key: "rate", less: true}); got != nameNginx {
		t.Errorf("the least is %q", got)
	}
	if got := r.best(names, "bulk-1", rate); got != "" {
		t.Errorf("%q is the best of what was not measured", got)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		bar  bar
		want string
	}{
		{bar{"requests-1", "rate", []string{nameGuide, nameNginx}, 1.05, false, ""}, "met"},
		{bar{"requests-1", "rate", []string{nameGuide}, 1.5, false, ""}, "met, not for sure"},
		{bar{"requests-1", "rate", []string{nameGuide}, 3, false, ""}, "missed"},
		{bar{"requests-1", "rate", nil, 12, true, ""}, "met, not for sure"},
		{bar{"requests-1", "rate", nil, 11, true, ""}, "missed, not for sure"},
	} {
		v, ok := c.bar.judge(filled(), rate)
		if got := v.text(); !ok || got != c.want {
			t.Errorf("%+v: %q, want %q", c.bar, got, c.want)
		}
	}
	if _, ok := (bar{"requests-1", "rate", []string{nameTuned}, 1, false, ""}).judge(filled(), rate); ok {
		t.Error("judged without a figure of the other")
	}
}

// Every bar is for a figure that is measured.
func TestBarsAreMeasured(t *testing.T) {
	known := make(map[[2]string]bool)
	for _, w := range workloads(20000) {
		for _, m := range w.metrics() {
			known[[2]string{w.name, m.key}] = true
		}
	}
	for _, b := range bars() {
		if !known[[2]string{b.workload, b.metric}] {
			t.Errorf("nothing measures %s of %s", b.metric, b.workload)
		}
	}
}
