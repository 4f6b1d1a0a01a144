package status

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// writeChanges shows what has changed last, the newest first.
func (n Node) writeChanges(w io.Writer, now time.Time) {
	if len(n.Changes) > 0 {
		fmt.Fprintln(w, "\nLAST CHANGES")
	}
	for _, c := range n.Changes {
		at := c.At.In(now.Location())
		when := at.Format(time.TimeOnly)
		if at.YearDay() != now.YearDay() || at.Year() != now.Year() {
			when = at.Format("Jan 2 15:04:05")
		}
		what := c.What
		if c.Level != "info" {
			what = c.Level + ": " + what
		}
		fmt.Fprintln(w, strings.TrimSpace(fmt.Sprintf("%s  %s  %s", when, what, c.Details)))
	}
}

func (b Backend) probeText() string {
	if b.Probe == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", b.Probe*1e3)
}

func (b Backend) expiryText() string {
	if b.Expiry.IsZero() {
		return "-"
	}
	return b.Expiry.UTC().Format(time.DateOnly)
}

// bytesText is about so many.
func bytesText(n uint64) string {
	for _, unit := range []struct {
		name string
		size uint64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
