package status

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// TextOptions say how much a text has.
type TextOptions struct {
	Wide bool // all that is known of backends, and all of the last changes
}

// fewChanges is how many a text has that is not wide.
const fewChanges = 5

// WriteText writes n for a person who reads it at now, in plain text.
func (n Node) WriteText(w io.Writer, now time.Time, o TextOptions) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	ready := "ready"
	if !n.Ready {
		ready = "not ready: " + n.Reason
	}
	config := ""
	if o.Wide && n.Digest != "" {
		config = ", configuration " + n.Digest
	}
	fmt.Fprintf(t, "%s\t%s\t(cluster %s, version %s%s, up %s)\n", cmp.Or(n.Name, "this machine"), ready,
		cmp.Or(n.Cluster, "none"), n.Version, config, now.Sub(n.Started).Round(time.Second))
	n.writeRefusal(t, now)
	if len(n.VIPs) > 0 {
		fmt.Fprintln(t, "\nVIP\tADDRESS\tHOLDER\tTERM\tTHIS NODE\tLEASE LEFT\tFENCE\tWHY NOT HERE")
	}
	for _, v := range n.VIPs {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", v.Name, v.Address, cmp.Or(v.Holder, "nobody"), v.Term,
			v.State, v.leaseText(), v.fenceText(), cmp.Or(v.Reason, "-"))
	}
	n.writeMissingFences(t)
	n.writeConflicts(t, now)
	n.writePeers(t)
	for _, line := range n.Differences() {
		fmt.Fprintln(t, line)
	}
	n.writeBackends(t, now, o.Wide)
	n.writeWaiting(t, now)
	n.writeRefused(t)
	if err := t.Flush(); err != nil {
		return err
	}
	if !o.Wide {
		n.Changes = n.Changes[:min(len(n.Changes), fewChanges)]
	}
	n.writeChanges(w, now)
	return nil
}

// writeRefusal says that what is written in the file is not what holds.
func (n Node) writeRefusal(w io.Writer, now time.Time) {
	if n.Reload == nil {
		return
	}
	fmt.Fprintf(w, "\nThe configuration file was refused %s ago; the one before it is in force:\n", now.Sub(n.Reload.At).Round(time.Second))
	for line := range strings.Lines(n.Reload.Why) {
		fmt.Fprintln(w, "  "+strings.TrimRight(line, "\n"))
	}
}

func (n Node) writeBackends(w io.Writer, now time.Time, wide bool) {
	more := ""
	if wide {
		more = "\tPROBE\tFROM CLIENTS\tTO CLIENTS\tCERTIFICATE ENDS"
	}
	fmt.Fprintf(w, "\nLISTENER\tADDRESS\tBACKEND\tSTATE\tSINCE\tWEIGHT\tACTIVE\tTOTAL%s\tWHY\n", more)
	for _, l := range n.Listeners {
		for _, b := range l.Backends {
			if wide {
				more = fmt.Sprintf("\t%s\t%s\t%s\t%s", b.probeText(), bytesText(b.BytesIn), bytesText(b.BytesOut), b.expiryText())
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d%s\t%s\n", l.Name, l.Address, b.Address, b.State, b.sinceText(now),
				b.weightText(), b.Active, b.Connections, more, b.whyText(now))
		}
	}
}

// writeRefused says how many clients were refused.
func (n Node) writeRefused(w io.Writer) {
	for _, l := range n.Listeners {
		var words []string
		for _, why := range slices.Sorted(maps.Keys(l.Refused)) {
			words = append(words, fmt.Sprintf("%s %d", why, l.Refused[why]))
		}
		if len(words) > 0 {
			fmt.Fprintf(w, "%s has refused clients: %s\n", l.Name, strings.Join(words, ", "))
		}
	}
}

// writeMissingFences says which layers of a fence this host does not have.
func (n Node) writeMissingFences(w io.Writer) {
	for _, v := range n.VIPs {
		for _, f := range v.Fence {
			if f.Reason != "" {
				fmt.Fprintf(w, "%s has no fence of layer %s here: %s\n", v.Name, f.Layer, f.Reason)
			}
		}
	}
}

// writeConflicts says who else claims an address.
func (n Node) writeConflicts(w io.Writer, now time.Time) {
	for _, v := range n.VIPs {
		if c := v.Conflict; c != nil {
			who := ""
			if c.Who != "" {
				who = " (" + c.Who + ")"
			}
			fmt.Fprintf(w, "%s is also claimed by %s%s, first %s ago and last %s ago\n", v.Name, c.MAC, who,
				now.Sub(c.Since).Round(time.Second), now.Sub(c.Last).Round(time.Second))
		}
	}
}

func (v VIP) leaseText() string {
	if v.LeaseRemaining == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fs", v.LeaseRemaining)
}

// fenceText lists the layers that stand ready, "+" between them.
func (v VIP) fenceText() string {
	text := ""
	for _, f := range v.Fence {
		if f.Active {
			if text != "" {
				text += "+"
			}
			text += f.Layer
		}
	}
	return cmp.Or(text, "-")
}

func (b Backend) sinceText(now time.Time) string {
	if b.Since.IsZero() {
		return "-"
	}
	return now.Sub(b.Since).Round(time.Second).String()
}

func (b Backend) weightText() string {
	if b.Backup {
		return fmt.Sprintf("%d, backup", b.Weight)
	}
	return fmt.Sprint(b.Weight)
}
