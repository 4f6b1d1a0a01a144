package status

import (
	"cmp"
	"fmt"
	"io"
	"time"
)

// writeWaiting shows the orders about backends that are not there.
func (n Node) writeWaiting(w io.Writer, now time.Time) {
	for _, o := range n.Orders {
		of := "is of no listener now"
		if o.Listener != "" {
			of = "is not of listener " + o.Listener + " now"
		}
		fmt.Fprintf(w, "%s %s: %s\n", o.Backend, of, o.text(now))
	}
}

// whyText is what an operator has decided, and why the state is what it is.
func (b Backend) whyText(now time.Time) string {
	if b.Order == nil {
		return cmp.Or(b.Reason, "-")
	}
	text := b.Order.text(now)
	if b.State != "up" && b.Reason != "" {
		text += "; " + b.Reason
	}
	return text
}

// text is for example "drained by root@m1 since 14:02 (kernel update)".
func (o Order) text(now time.Time) string {
	text := fmt.Sprintf("%s by %s since %s", o.What, cmp.Or(o.Who, "somebody"), clock(o.Since, now))
	if o.Why != "" {
		text += " (" + o.Why + ")"
	}
	return text
}

// clock is when something was, as people near the clock of now say it.
func clock(at, now time.Time) string {
	at = at.In(now.Location())
	switch {
	case at.Year() != now.Year():
		return at.Format(time.DateOnly)
	case at.YearDay() != now.YearDay():
		return at.Format("Jan 2 15:04")
	}
	return at.Format("15:04")
}
