package status

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// writePeers shows the peers as this node sees them and, where they were asked, as
// they see one another.
func (n Node) writePeers(w io.Writer) {
	if len(n.Peers) == 0 {
		return
	}
	more := ""
	if len(n.Answers) > 0 {
		more = "\tSEEN BY THE OTHERS\tVERSION\tCONFIGURATION"
	}
	fmt.Fprintf(w, "\nPEER\tADDRESS\tSTATE%s\n", more)
	for _, p := range n.Peers {
		if len(n.Answers) > 0 {
			version, digest := n.said(p)
			more = fmt.Sprintf("\t%s\t%s\t%s", n.seenText(p.Name), cmp.Or(version, "-"), cmp.Or(digest, "-"))
		}
		fmt.Fprintf(w, "%s\t%s\t%s%s\n", p.Name, p.Address, p.stateText(), more)
	}
}

// said is what a peer says of its version and its configuration.
func (n Node) said(p Peer) (version, digest string) {
	if p.Name == n.Name {
		return n.Version, n.Digest
	}
	for _, a := range n.Answers {
		if a.From == p.Name {
			return a.Version, a.Digest
		}
	}
	return "", ""
}

// seenText is how the peers that have answered see one: a word if they agree.
func (n Node) seenText(name string) string {
	var each, states []string
	for _, a := range n.Answers {
		if a.Err == "" && a.From != name {
			state := cmp.Or(a.peer(name), "no peer")
			states = append(states, state)
			each = append(each, a.From+": "+state)
		}
	}
	slices.Sort(states)
	switch states = slices.Compact(states); len(states) {
	case 0:
		return "-"
	case 1:
		return states[0]
	}
	return strings.Join(each, ", ")
}

// Differences says in lines where the peers are not as this node: who did not
// answer, has another configuration or version, is not ready, or sees another
// holder. The last is usual for a moment while an address changes hands.
func (n Node) Differences() (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for _, a := range n.Answers {
		if a.Err != "" {
			add("%s: %s", a.From, a.Err)
			continue
		}
		if a.Digest != n.Digest {
			add("%s has another configuration (%s, here %s): what all nodes share has to be the same in their files", a.From, cmp.Or(a.Digest, "none"), cmp.Or(n.Digest, "none"))
		}
		if a.Version != n.Version {
			add("%s runs version %s, this node %s", a.From, cmp.Or(a.Version, "unknown"), n.Version)
		}
		if !a.Ready {
			add("%s is not ready: %s", a.From, cmp.Or(a.Reason, "it does not say why"))
		}
		for _, v := range n.VIPs {
			i := slices.IndexFunc(a.VIPs, func(of VIP) bool { return of.Name == v.Name })
			switch {
			case i < 0:
				add("%s has no VIP %s", a.From, v.Name)
			case a.VIPs[i].Holder != v.Holder:
				add("%s sees %s at %s (term %d), this node at %s (term %d)", a.From, v.Name,
					cmp.Or(a.VIPs[i].Holder, "nobody"), a.VIPs[i].Term, cmp.Or(v.Holder, "nobody"), v.Term)
			}
		}
	}
	return lines
}

func (p Peer) stateText() string {
	text := p.State
	if p.Witness {
		text += ", witness"
	}
	if p.Reason != "" {
		text += ", " + p.Reason
	}
	return text
}
