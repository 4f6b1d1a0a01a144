package drill

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s (%s), lease %d ms, seen from %s\n\n", r.VIP, r.Address, r.LeaseMilliseconds, r.From)
	fmt.Fprintln(t, "DRILL\tFROM\tTO\tCLIENT\tGAP\tBOUND\tREQUESTS\tFAILED\tBROKEN")
	watch := "idle connection"
	if r.RealWatch {
		watch = "watch"
	}
	for _, round := range r.Rounds {
		line(t, string(round.Kind)+"\t"+round.Struck+"\t"+round.Taken+"\tnew connections", round.Fresh)
		line(t, "\t\t\tkept connection", round.Kept)
		line(t, "\t\t\t"+watch, round.Watch)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, round := range r.Rounds {
		round.tell(w)
	}
	for _, l := range r.Left {
		fmt.Fprintf(w, "\n%s was left out: %s\n", l.Kind, l.Why)
	}
	r.verdict(w)
	return nil
}

func line(w io.Writer, begin string, c Client) {
	requests, failed := "-", "-"
	if c.Requests > 0 {
		requests, failed = fmt.Sprint(c.Requests), fmt.Sprint(c.Failed)
	}
	fmt.Fprintf(w, "%s\t%d ms\t%d ms\t%s\t%s\t%d\n", begin, c.Gap, c.Bound, requests, failed, c.Broken)
}

// tell says what the wire and the clients' errors were.
func (r Round) tell(w io.Writer) {
	var words []string
	for _, c := range []Client{r.Fresh, r.Kept} {
		for _, e := range slices.Sorted(maps.Keys(c.Errors)) {
			words = append(words, fmt.Sprintf("%d × %s", c.Errors[e], e))
		}
	}
	if len(words) > 0 {
		fmt.Fprintf(w, "\n%s: requests that failed: %s\n", r.Kind, strings.Join(words, ", "))
	}
	if r.Wire != nil && len(r.Wire.Owners) > 0 {
		fmt.Fprintf(w, "\n%s: answered for the address, one after the other: %s (%d questions)\n", r.Kind, strings.Join(r.Wire.Owners, ", "), r.Wire.Questions)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(w, "\n%s: FAULT: %s\n", r.Kind, f)
	}
}

func (r *Report) verdict(w io.Writer) {
	switch {
	case !r.Restored:
		fmt.Fprintln(w, "\nNot everything is as it was before: see the error below.")
	case len(r.Rounds) == 0:
		fmt.Fprintln(w, "\nNothing was tried. Everything is as it was before.")
	case r.Faults():
		fmt.Fprintln(w, "\nNot all bounds were kept. Everything is as it was before.")
	case r.Wire:
		fmt.Fprintln(w, "\nAll bounds were kept, and never did two answer for the address. Everything is as it was before.")
	default:
		fmt.Fprintln(w, "\nAll bounds were kept; nobody looked whether two answer for the address. Everything is as it was before.")
	}
}
