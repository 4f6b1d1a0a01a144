package main

import "fmt"

// bar is what kshalb has set itself for one figure: its ratio to the best of
// some others, or without others the figure itself.
type bar struct {
	workload, metric string
	against          []string
	want             float64
	less             bool   // the ratio must not be more than want
	path             string // of kshalb's relay that the bar is for, if not for all
}

func bars() []bar {
	others := []string{nameGuide, nameTuned, nameNginx}
	haproxies := []string{nameGuide, nameTuned}
	var all []bar
	for _, w := range []string{"bulk-1", "bulk-8", "bulk-64"} {
		all = append(all,
			bar{w, "rate", []string{nameTuned}, 1.0, false, ""},
			bar{w, "cpu", []string{nameTuned}, 1.0, true, ""},
			bar{w, "rate", []string{nameGuide}, 3.0, false, ""})
	}
	for _, w := range []string{"requests-1", "requests-64", "requests-512"} {
		all = append(all,
			bar{w, "rate", others, 1.05, false, "splice"},
			bar{w, "rate", others, 1.3, false, "fast path"},
			bar{w, "p99", others, 0.7, true, "fast path"},
			bar{w, "cpu", others, 0.95, true, "splice"},
			bar{w, "cpu", others, 0.7, true, "fast path"},
			bar{w, "rate", []string{nameDNAT}, 0.75, false, ""})
	}
	return append(all,
		bar{"connects", "rate", others, 1.1, false, ""},
		bar{"idle", "memory", haproxies, 0.25, true, ""},
		bar{"idle", "memory", nil, 1024, true, ""},
		bar{"idle", "descriptors", nil, 2, true, ""},
		bar{"mixed", "p99", others, 0.7, true, ""})
}

// verdict is how a bar was met.
type verdict struct {
	against  string // the best of the others, "" for none
	measured estimate
	met      bool
	sure     bool // the whole interval says the same
}

// judge measures a bar; ok is false when it was not measured.
func (b bar) judge(r *results, m metric) (v verdict, ok bool) {
	ours := figure{nameKshalb, b.workload, b.metric}
	values := r.of(ours)
	if len(b.against) > 0 {
		v.against = r.best(b.against, b.workload, m)
		values = r.ratios(ours, figure{v.against, b.workload, b.metric})
	}
	if len(values) == 0 {
		return v, false
	}
	v.measured = estimateOf(values)
	v.met = b.holds(v.measured.median)
	v.sure = b.holds(v.measured.low) == v.met && b.holds(v.measured.high) == v.met
	return v, true
}

func (b bar) holds(value float64) bool {
	if b.less {
		return value <= b.want
	}
	return value >= b.want
}

func (b bar) text() string {
	sign, unit := "≥", " ×"
	if b.less {
		sign = "≤"
	}
	if len(b.against) == 0 {
		unit = ""
	}
	if b.path != "" {
		unit += " (" + b.path + ")"
	}
	return fmt.Sprintf("%s %g%s", sign, b.want, unit)
}

func (v verdict) text() string {
	word := "missed"
	if v.met {
		word = "met"
	}
	if !v.sure {
		word += ", not for sure"
	}
	return word
}
