package e2e

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// table is the outcomes of all trials, by fault and balancer.
type table struct {
	rows    []tableRow
	missing []string // what could not be measured, and why
}

type tableRow struct {
	fault    trouble
	balancer string
	outcomes []outcome
	failed   int // trials
}

func (t *table) add(f trouble, balancer string, o outcome) {
	r := t.row(f, balancer)
	r.outcomes = append(r.outcomes, o)
}

func (t *table) row(f trouble, balancer string) *tableRow {
	for i := range t.rows {
		if r := &t.rows[i]; r.fault.name == f.name && r.balancer == balancer {
			return r
		}
	}
	t.rows = append(t.rows, tableRow{fault: f, balancer: balancer})
	return &t.rows[len(t.rows)-1]
}

// String is Markdown: least/median/most of the trials.
func (t *table) String() string {
	var b strings.Builder
	line := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	b.WriteByte('\n')
	line("fault", "", "trials", "new connections failed", "requests on them failed", "the last of them began after", "longest new request", "kept connection silent", "watch silent")
	line(slices.Repeat([]string{"---"}, 9)...)
	order := troubles()
	slices.SortStableFunc(t.rows, func(a, b tableRow) int {
		return cmp.Compare(position(order, a.fault), position(order, b.fault))
	})
	for _, r := range t.rows {
		line(r.cells()...)
	}
	fmt.Fprintf(&b, "\nTimes in ms. %d processors, Linux %s, %s.\n", runtime.NumCPU(), kernel(), runtime.Version())
	for _, m := range t.missing {
		fmt.Fprintf(&b, "- not measured: %s\n", m)
	}
	return b.String()
}

func position(all []trouble, one trouble) int {
	return slices.IndexFunc(all, func(f trouble) bool { return f.name == one.name })
}

func (r tableRow) cells() []string {
	trials := fmt.Sprint(len(r.outcomes))
	if r.failed > 0 {
		trials += fmt.Sprintf(", %d broken off", r.failed)
	}
	if len(r.outcomes) == 0 {
		return []string{r.fault.name, r.balancer, trials, "–", "–", "–", "–", "–", "–"}
	}
	millis := func(of func(outcome) time.Duration) string {
		return r.three(func(o outcome) int64 { return of(o).Milliseconds() })
	}
	return []string{
		r.fault.name, r.balancer, trials,
		r.three(func(o outcome) int64 { return int64(o.failed - o.dropped) }), r.three(func(o outcome) int64 { return int64(o.dropped) }),
		millis(func(o outcome) time.Duration { return o.lastFailed }), millis(func(o outcome) time.Duration { return o.longest }),
		millis(func(o outcome) time.Duration { return o.kept }), millis(func(o outcome) time.Duration { return o.watch }),
	}
}

// three is least/median/most, or one number if they are the same.
func (r tableRow) three(of func(outcome) int64) string {
	var all []int64
	for _, o := range r.outcomes {
		all = append(all, of(o))
	}
	slices.Sort(all)
	least, most := all[0], all[len(all)-1]
	if least == most {
		return fmt.Sprint(least)
	}
	return fmt.Sprintf("%d/%d/%d", least, all[len(all)/2], most)
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
