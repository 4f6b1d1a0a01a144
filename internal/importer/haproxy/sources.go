package haproxy

import (
	"net/netip"
	"slices"
)

// sources is a set of addresses that connections come from: those in list, or, with
// others, everybody but those.
type sources struct {
	others bool
	list   []netip.Prefix
}

var everybody = sources{others: true}

func (s sources) everybody() bool { return s.others && len(s.list) == 0 }

func (s sources) not() sources { return sources{!s.others, s.list} }

// or is the union; ok is false where it is neither a list nor everybody but one.
func (s sources) or(o sources) (sources, bool) {
	switch {
	case s.everybody() || o.everybody():
		return everybody, true
	case !s.others && !o.others && len(s.list)+len(o.list) <= maxPrefixes:
		return sources{list: join(s.list, o.list)}, true
	case s.others && !o.others && len(o.list) == 0:
		return s, true
	case o.others && !s.others && len(s.list) == 0:
		return o, true
	}
	return sources{}, false
}

// and is what both have.
func (s sources) and(o sources) (sources, bool) {
	if both, ok := s.not().or(o.not()); ok {
		return both.not(), true
	}
	if !s.others && !o.others {
		return sources{list: common(s.list, o.list)}, true
	}
	return sources{}, false
}

// maxPrefixes is how many prefixes a list may have; more are no case for hands.
const maxPrefixes = 128

// join is both lists, in order, without what another prefix holds.
func join(a, b []netip.Prefix) []netip.Prefix {
	wide, _ := sweep(a, b)
	return wide
}

// common is what both lists have: of two prefixes that overlap, the narrower one.
func common(a, b []netip.Prefix) []netip.Prefix {
	_, narrow := sweep(join(a, nil), join(b, nil))
	return narrow
}

// sweep parts the prefixes of two lists into those that no other one holds, and
// those that one does.
func sweep(a, b []netip.Prefix) (wide, narrow []netip.Prefix) {
	all := slices.Concat(a, b)
	slices.SortFunc(all, netip.Prefix.Compare) // a wider one stands before what it holds
	for _, p := range all {
		if n := len(wide); n > 0 && wide[n-1].Overlaps(p) {
			narrow = append(narrow, p)
			continue
		}
		wide = append(wide, p)
	}
	return wide, narrow
}

// matching is the set for which a condition holds.
func matching(terms [][]literal) (sources, bool) {
	out := sources{}
	for _, term := range terms {
		set := everybody
		for _, l := range term {
			one, ok := l.sources()
			if !ok {
				return sources{}, false
			}
			if set, ok = set.and(one); !ok {
				return sources{}, false
			}
		}
		var ok bool
		if out, ok = out.or(set); !ok {
			return sources{}, false
		}
	}
	return out, true
}

func (l literal) sources() (sources, bool) {
	out := sources{}
	for _, t := range l.tests {
		switch t.what {
		case "always_true":
			out.others = true
		case "always_false":
		case "src":
			out.list = append(out.list, t.prefixes...)
		default:
			return sources{}, false
		}
	}
	if out.others {
		out = everybody
	}
	if len(out.list) > maxPrefixes {
		return sources{}, false
	}
	out.list = join(out.list, nil)
	if l.not {
		return out.not(), true
	}
	return out, true
}
