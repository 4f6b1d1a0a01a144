package keepalived

import (
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxIDs bounds for how many hosts one file is read. kshalb has up to 7 peers.
const maxIDs = 16

// condition decides @ID and @^ID at the beginning of a line, and takes them off.
// Where the host is not known no @ID holds and every @^ID does, which is what
// keepalived does without a name for the host.
func (s *scanner) condition(l line) (rest string, ok bool) {
	if !strings.HasPrefix(l.text, "@") {
		return l.text, true
	}
	id, rest, _ := strings.Cut(strings.ReplaceAll(l.text[1:], "\t", " "), " ")
	id, not := strings.CutPrefix(id, "^")
	if strings.HasSuffix(id, "@") && !not {
		return l.text, true // @NAME@ is a gap for a script to fill in
	}
	if id == "" {
		return "", false
	}
	if !slices.Contains(s.ids, id) && len(s.ids) <= maxIDs {
		s.ids = append(s.ids, id)
	}
	return strings.TrimLeft(rest, " "), (id == s.id && s.id != "") != not
}

// identity is what conditions are compared with: the name of the host up to its
// first dot, or all of it where the file has that.
func identity(host string, ids []string) string {
	if slices.Contains(ids, host) {
		return host
	}
	short, _, _ := strings.Cut(host, ".")
	return short
}

// readAs tells for which hosts a file is to be read: for the one that is told, or
// for each that its conditions name. "" is one that they do not name.
func readAs(host string, f plan.File, ids []string, notes *notebook) []string {
	at := plan.Source{File: f.Name}
	switch {
	case len(ids) == 0:
		return []string{identity(host, nil)}
	case host != "":
		id := identity(host, ids)
		if !slices.Contains(ids, id) {
			notes.add(plan.Changed, at, "conditions on "+list(ids), "none is for this host, "+label(id)+
				", so no line with @ holds, and all with @^ do; with keepalived -i NAME tell that name instead of the host's")
		}
		return []string{id}
	case len(ids) > maxIDs:
		notes.add(plan.Fault, at, "conditions on more than 16 hosts", "it is read for none of them; tell the host that the file is for")
		return []string{""}
	}
	as := slices.Clone(ids)
	if len(as) == 1 {
		as = append(as, "")
	}
	notes.add(plan.Changed, at, "conditions on "+list(ids), "the host is not told, so the file is read once as each of them,"+
		" as if it were that many files; tell the host to have it read for that one only")
	return as
}
