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
	cells   []cell
	missing []string // programs
	machine string   // as it was before
	out     io.Writer
}

func (r report) print() {
	for _, s := range r.settings {
		r.table(s)
	}
	r.line("\n%s", r.machine)
	r.line("Milliseconds: least / median / most. A kill -9, SIGSTOP or SIGTERM is of the daemon alone: its master and the servers on it live on.")
	for _, m := range r.missing {
		r.line("- left out: %s", m)
	}
	r.reasons()
}

func (r report) line(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

func (r report) row(cells ...string) { r.line("| %s |", strings.Join(cells, " | ")) }

// table has the rows of a setting, if there are any.
func (r report) table(s setting) {
	first := true
	for _, c := range r.cells {
		if c.setting.key != s.key {
			continue
		}
		if first {
			r.line("\n### %s\n", s.title)
			head := []string{"", "trials", "service gap", "served by another after", "two owners", "takeovers", "seen", "bar", ""}
			r.row(head...)
			r.line("|%s", strings.Repeat("---|", len(head)))
			first = false
		}
		if c.none != "" {
			r.row(c.event.title, "not available: "+c.none, "", "", "", "", "", "", "")
			continue
		}
		for i, row := range c.rows() {
			r.row(row.cells(c.event.key == repeated && i == 0)...)
		}
	}
}

// cells are the row as it is printed; with holes they are counted.
func (r row) cells(holes bool) []string {
	trials := fmt.Sprint(len(r.windows))
	if r.failed > 0 {
		trials += fmt.Sprintf(", %d failed", r.failed)
	}
	seen := r.notes()
	if holes {
		seen = append(seen, fmt.Sprintf("%d gaps over %s", r.holes(), millis(hole(r.nominal))))
	}
	asked, verdict := "–", "–"
	if r.bar != nil {
		asked, verdict = r.bar.String(), "NOT met"
		if r.bar.met(r) {
			verdict = "met"
		}
	}
	return []string{
		r.title, trials, three(stats.Summarize(r.gaps())), three(stats.Summarize(r.moves())), r.twoOwners(), counts(r.takeovers()),
		strings.Join(seen, ", "), asked, verdict,
	}
}

// twoOwners is the time of each trial, and in how many of them there was any.
func (r row) twoOwners() string {
	n := r.doubles()
	if n == 0 {
		return "0"
	}
	s := stats.Summarize(r.figures(func(w window) float64 { return inMillis(w.overlap) }))
	return fmt.Sprintf("%s, in %d", three(s), n)
}

func three(s stats.Summary) string {
	if s.N == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f / %.0f / %.0f", s.Least, s.Median, s.Most)
}

func counts(s stats.Summary) string {
	if s.Least == s.Most {
		return fmt.Sprintf("%.0f", s.Least)
	}
	return fmt.Sprintf("%.0f – %.0f", s.Least, s.Most)
}

// reasons are why trials are missing.
func (r report) reasons() {
	for _, c := range r.cells {
		for _, why := range c.reasons {
			r.line("- %s, %s: %s", c.setting.title, c.event.title, strings.ReplaceAll(strings.TrimSpace(why), "\n", " "))
		}
	}
}
