package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/traffic"
)

// printer writes for a person at a terminal.
type printer struct {
	out   io.Writer
	color bool
	live  bool
}

// ANSI escape sequences (ECMA-48).
const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
	clear = "\r\x1b[K" // back to the beginning of the line, and erase it
)

func (p *printer) paint(style, text string) string {
	if !p.color {
		return text
	}
	return style + text + plain
}

func (p *printer) title(format string, args ...any) {
	fmt.Fprintln(p.out, "\n"+p.paint(bold, fmt.Sprintf(format, args...)))
}

func (p *printer) line(format string, args ...any) {
	fmt.Fprintf(p.out, "  "+format+"\n", args...)
}

// follow writes the counts of the requests since begin over one line until
// stop is called.
func (p *printer) follow(t *traffic.Traffic, begin time.Time) (stop func()) {
	if !p.live {
		return func() {}
	}
	done := make(chan struct{})
	var task sync.WaitGroup
	task.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			fmt.Fprint(p.out, clear+"  "+p.counts(t.Summary(begin, time.Now())))
			select {
			case <-tick.C:
			case <-done:
				fmt.Fprint(p.out, clear)
				return
			}
		}
	})
	return func() {
		close(done)
		task.Wait()
	}
}

func (p *printer) counts(s traffic.Summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %s", s.Requests, p.failed(s))
	for _, by := range slices.Sorted(maps.Keys(s.By)) {
		fmt.Fprintf(&b, "  %s %d", by, s.By[by])
	}
	return b.String()
}

func (p *printer) failed(s traffic.Summary) string {
	if s.Failed == 0 {
		return p.paint(green, "0 failed")
	}
	return p.paint(red, fmt.Sprintf("%d failed", s.Failed))
}

func (p *printer) summary(s traffic.Summary) { p.line("%s", p.counts(s)) }

func (p *printer) act(a act) {
	p.line("the address moved to %s, which answered %s after it", p.paint(bold, a.to), p.paint(bold, ms(a.moved)))
	p.summary(a.requests)
	p.line("longest time without an answer to a request: %s", p.paint(bold, ms(a.requests.Gap)))
	p.line("two nodes with the address at the same time: %s", p.owners(a))
}

func (p *printer) owners(a act) string {
	if len(a.doubles) == 0 {
		return p.paint(green, "never")
	}
	return p.paint(red, fmt.Sprintf("for %s, in %d cases", ms(lab.Overlap(a.doubles)), len(a.doubles)))
}

func (p *printer) table(acts []act) {
	p.title("In short")
	t := tabwriter.NewWriter(p.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "  \tADDRESS MOVED\tAFTER\tLONGEST GAP\tFAILED REQUESTS\tTWO OWNERS")
	for _, a := range acts {
		owners := "never"
		if len(a.doubles) > 0 {
			owners = ms(lab.Overlap(a.doubles))
		}
		fmt.Fprintf(t, "  %s\t%s to %s\t%s\t%s\t%d of %d\t%s\n", a.what, a.from, a.to, ms(a.moved),
			ms(a.requests.Gap), a.requests.Failed, a.requests.Requests, owners)
	}
	_ = t.Flush() // as with all that is printed
}

// ms writes a duration as whole milliseconds, as all figures here are.
func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
