package doctor

import "slices"

// A rule set of nf_tables, as far as a packet's way through it can be followed: what
// is not understood may match or not.

// walk is one packet whose way is followed: the first of a connection, or one that
// conntrack calls invalid.
type walk struct {
	proto uint32 // IPPROTO_TCP, IPPROTO_UDP
	port  uint32 // of its destination
	state uint32 // a bit of ctState...
	link  string // that it comes in by
	six   bool   // IPv6
}

// Bits of conntrack's states, as rules have them (NF_CT_STATE_BIT,
// linux/netfilter/nf_conntrack_common.h).
const (
	ctInvalid = 1 << 0
	ctNew     = 1 << 3
)

// tri is whether something is so.
type tri int

const (
	no tri = iota
	maybe
	yes
)

// condition is one match of a rule. Its zero value is not understood.
type condition struct {
	of     field
	not    bool
	ranges [][2]uint32 // for fields that are numbers; a state matches when one of its bits is in ranges[0][0]
	links  []string    // for fieldLink; one that ends in * is a prefix
}

// field is what a condition looks at.
type field int

const (
	fieldUnknown field = iota
	fieldProto
	fieldPort
	fieldState
	fieldLink
	fieldFamily // ranges are 4 and 6
)

func (c condition) matches(w walk) tri {
	var is bool
	number := func(n uint32) bool {
		return slices.ContainsFunc(c.ranges, func(r [2]uint32) bool { return n >= r[0] && n <= r[1] })
	}
	switch c.of {
	case fieldProto:
		is = number(w.proto)
	case fieldPort:
		is = number(w.port)
	case fieldState:
		is = len(c.ranges) > 0 && w.state&c.ranges[0][0] != 0
	case fieldLink:
		is = slices.ContainsFunc(c.links, func(name string) bool { return glob(name, w.link) })
	case fieldFamily:
		is = number(4) && !w.six || number(6) && w.six
	default:
		return maybe
	}
	if is != c.not {
		return yes
	}
	return no
}

// glob compares an interface's name with one of a rule.
func glob(pattern, name string) bool {
	if n := len(pattern) - 1; n >= 0 && pattern[n] == '*' {
		return len(name) >= n && name[:n] == pattern[:n]
	}
	return pattern == name
}

// rule is what is done with packets that match all conditions.
type rule struct {
	conditions []condition
	do         string // actDrop and so on; actNone goes on
	to         string // the chain of actJump and actGoto
}

const (
	actNone   = ""
	actAccept = "accept"
	actDrop   = "drop" // or reject
	actJump   = "jump"
	actGoto   = "goto"
	actReturn = "return"
	actOdd    = "?" // not understood: it may do anything
)

func (r rule) matches(w walk) tri {
	all := yes
	for _, c := range r.conditions {
		all = min(all, c.matches(w))
	}
	return all
}

// chain is the rules of a chain; base ones have a hook.
type chain struct {
	name  string
	base  bool
	drops bool // its policy
	hook  string
	rules []rule
}

// table has the chains of a table, by name.
type table struct {
	name   string // with its family, as nft(8) has it
	four   bool   // it sees IPv4
	six    bool
	chains map[string]chain
}

// fate is what becomes of a packet.
type fate int

const (
	goesOn fate = iota
	accepted
	mayDrop // it cannot be said for certain
	dropped
)

const maxDepth = 16 // NFT_JUMP_STACK_SIZE

// follow says what a base chain does with a packet. An accept ends this chain alone,
// so each base chain is asked.
func (t table) follow(c chain, w walk) fate {
	f, doubt := t.through(c, w, maxDepth)
	if f == goesOn && c.drops {
		f = dropped
	}
	switch {
	case f == dropped && doubt.accept:
		return mayDrop
	case f != dropped && doubt.drop:
		return mayDrop
	}
	return f
}

// doubt is what rules that may match would have done.
type doubt struct{ accept, drop bool }

func (d *doubt) add(f fate) {
	d.accept = d.accept || f == accepted
	d.drop = d.drop || f == dropped
}

// through follows a packet through the rules of a chain, and what they jump to.
func (t table) through(c chain, w walk, depth int) (f fate, d doubt) {
	if depth == 0 {
		return goesOn, doubt{true, true}
	}
	for _, r := range c.rules {
		m := r.matches(w)
		if m == no {
			continue
		}
		f := goesOn
		switch r.do {
		case actAccept:
			f = accepted
		case actDrop:
			f = dropped
		case actJump, actGoto:
			inner, more := t.through(t.chains[r.to], w, depth-1)
			f = inner
			d.accept, d.drop = d.accept || more.accept, d.drop || more.drop
			if r.do == actGoto && m == yes && f == goesOn {
				return goesOn, d
			}
		case actReturn:
			if m == yes {
				return goesOn, d
			}
			d.accept, d.drop = true, true // what follows may not be reached
			continue
		case actOdd:
			d.accept, d.drop = true, true
			continue
		}
		if m == maybe {
			d.add(f)
			continue
		}
		if f != goesOn {
			return f, d
		}
	}
	return goesOn, d
}
