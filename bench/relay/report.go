package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/kshalb/kshalb/bench/internal/stats"
)

// report prints what a run has found out, as Markdown.
type report struct {
	plan
	*results
	missing []string // programs
	machine string   // as it was before
	out     io.Writer
}

func (r report) print() {
	r.head()
	for _, w := range r.workloads {
		r.table(w)
	}
	r.bars()
	r.twoBuilds()
	r.tail()
}

func (r report) line(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

func (r report) row(cells ...string) { r.line("| %s |", strings.Join(cells, " | ")) }

func (r report) header(cells ...string) {
	r.row(cells...)
	r.line("|%s", strings.Repeat("---|", len(cells)))
}

func (r report) head() {
	r.line("%s", r.machine)
	r.line("%d rounds, %s counted for each measurement. Median (least – most).", r.rounds(), r.time)
	r.line("")
	for _, c := range r.candidates {
		r.line("- %s: %s", c.name, c.version)
	}
	for _, m := range r.missing {
		r.line("- left out: %s", m)
	}
}

func (r report) rounds() int { return r.plan.rounds }

// table has a row for each candidate, and one for how kshalb compares.
func (r report) table(w workload) {
	metrics := w.metrics()
	cells := []string{""}
	for _, m := range metrics {
		cells = append(cells, m.title)
	}
	r.line("\n### %s\n", r.title(w))
	r.header(cells...)
	for _, c := range r.candidates {
		cells = []string{c.name}
		for _, m := range metrics {
			cells = append(cells, showSummary(stats.Summarize(r.of(figure{c.name, w.name, m.key})), m.digits))
		}
		if strings.Trim(strings.Join(cells[1:], ""), "–") != "" {
			r.row(cells...)
		}
	}
	cells = []string{"kshalb ÷ best of the others"}
	for _, m := range metrics {
		best := r.best([]string{nameGuide, nameTuned, nameNginx}, w.name, m)
		ratios := r.ratios(figure{nameKshalb, w.name, m.key}, figure{best, w.name, m.key})
		cells = append(cells, showEstimate(estimateOf(ratios)))
	}
	r.row(cells...)
}

func (r report) title(w workload) string {
	if w.kind == idle {
		return fmt.Sprintf("%d %s", w.conns, w.title)
	}
	return w.title
}

func (r report) bars() {
	r.line("\n### Bars\n")
	r.line("Ratios of the same round: median (interval)%s.\n", r.confidence())
	r.header("", "figure", "against", "bar", "measured", "")
	for _, w := range r.workloads {
		for _, m := range w.metrics() {
			for _, b := range bars() {
				if b.workload != w.name || b.metric != m.key {
					continue
				}
				if v, ok := b.judge(r.results, m); ok {
					r.row(w.title, m.title, dash(v.against), b.text(), showEstimate(v.measured), v.text())
				}
			}
		}
	}
}

// twoBuilds compares the two builds of kshalb, where there are two.
func (r report) twoBuilds() {
	first := true
	for _, w := range r.workloads {
		for _, m := range w.metrics() {
			e := estimateOf(r.ratios(figure{nameKshalb, w.name, m.key}, figure{nameOther, w.name, m.key}))
			if e.n == 0 {
				continue
			}
			if first {
				r.line("\n### kshalb ÷ kshalb-b\n")
				r.header("", "figure", "ratio", "")
				first = false
			}
			r.row(w.title, m.title, showEstimate(e), e.tendency(m.less))
		}
	}
}

// tendency says which of two is better, where the interval leaves no doubt.
func (e estimate) tendency(less bool) string {
	switch {
	case e.sure < 0.95 || e.low <= 1 && e.high >= 1:
		return ""
	case (e.high < 1) == less:
		return "better"
	}
	return "worse"
}

func (r report) confidence() string {
	e := estimateOf(make([]float64, r.rounds()))
	if e.sure < 0.95 {
		return fmt.Sprintf(", which with %d rounds is the whole range and holds the true median with %.0f %% only", r.rounds(), 100*e.sure)
	}
	return fmt.Sprintf(", which holds the true median with %.1f %%", 100*e.sure)
}

func (r report) tail() {
	r.line("\n%d of %d measurements were discarded.", len(r.discards), r.runs)
	for _, d := range r.discards {
		r.line("- %s", strings.ReplaceAll(strings.TrimSpace(d), "\n", " "))
	}
}

func showSummary(s stats.Summary, digits int) string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return fmt.Sprintf("%.*f", digits, s.Median)
	}
	return fmt.Sprintf("%.*f (%.*f – %.*f)", digits, s.Median, digits, s.Least, digits, s.Most)
}

func showEstimate(e estimate) string {
	digits := 2
	if e.median >= 100 {
		digits = 0
	}
	return showSummary(stats.Summary{Median: e.median, Least: e.low, Most: e.high, N: e.n}, digits)
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
