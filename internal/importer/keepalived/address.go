package keepalived

import (
	"net/netip"
	"regexp"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// floating is an address that moves.
type floating struct {
	addr     netip.Addr
	at       plan.Source
	iface    plan.Value[string]
	excluded bool
}

// What may stand beside an address: with a word behind it, and without.
var (
	optionRules = rules{}.
			with(plan.Needless, "brd broadcast scope peer preferred_lft", "kshalb adds the address as /32 or /128, never preferred as a source, so that it is used for nothing else").
			with(plan.Changed, "label", "kshalb labels the address INTERFACE:kshalb; look for that where scripts looked for the label").
			with(plan.Needless, "track_group", "kshalb puts the address back when somebody takes it away")
	flagRules = rules{}.
			with(plan.Changed, "use_vmac", "kshalb has the address on the interface itself, with the interface's MAC").
			with(plan.Needless, "home -nodad nodad mngtmpaddr noprefixroute autojoin", "kshalb adds the address as /32 or /128, never preferred as a source").
			with(plan.Needless, "no_track", "kshalb puts the address back when somebody takes it away")
)

// floating reads an address with its options; nil is none that kshalb can have.
func (h *host) floating(n *node, key string) *floating {
	f := &floating{at: n.at}
	words := append([]string{n.key}, n.args...)
	for j := 0; j < len(words); j++ {
		w := words[j]
		if r, ok := optionRules[w]; ok {
			h.notes.add(r.level, n.at, w, r.why)
			j++
			continue
		}
		if r, ok := flagRules[w]; ok {
			h.notes.add(r.level, n.at, w, r.why)
			continue
		}
		if w == "dev" && j+1 < len(words) {
			j++
			f.iface = h.interfaceOf(&node{key: w, args: words[j : j+1], at: n.at})
			continue
		}
		h.addressWord(f, key, w)
	}
	return h.carried(f, key)
}

func (h *host) addressWord(f *floating, key, word string) {
	a, ok := address(word)
	switch {
	case ok && f.addr.IsValid():
		h.notes.add(plan.Fault, f.at, key+" "+a.String(), "keepalived reads one address in each line and takes no notice of this one; write it into a line of its own")
	case ok:
		f.addr = a
	default:
		h.notes.bad(f.at, key, word, "an address with its options (dev, label, brd, scope ...), one in each line")
	}
}

// carried refuses what kshalb does not hold.
func (h *host) carried(f *floating, key string) *floating {
	switch {
	case !f.addr.IsValid():
		return nil
	case f.addr.IsLinkLocalUnicast():
		h.notes.add(plan.Lost, f.at, key+" "+f.addr.String(), "kshalb holds no link-local addresses: clients would have to name an interface; give them an address of the nodes' subnet")
		return nil
	case f.addr.IsLoopback() || f.addr.IsUnspecified() || f.addr.IsMulticast():
		h.notes.add(plan.Fault, f.at, key+" "+f.addr.String(), "it is not an address that clients on the network can reach; write a free one of the nodes' subnet")
		return nil
	}
	return f
}

var (
	nameForm      = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	interfaceForm = regexp.MustCompile(`^[A-Za-z0-9._@-]{1,15}$`)
)

// isName is what kshalb takes as a name. One that looks like a password is none.
func isName(s string) bool { return nameForm.MatchString(s) && !telltale.MatchString(s) }

// isInterface is a name that the kernel takes, of the characters that people use.
func isInterface(s string) bool {
	return interfaceForm.MatchString(s) && !gap(s) && s != "." && s != ".." && !telltale.MatchString(s)
}
