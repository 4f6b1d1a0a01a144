package haproxy

import "github.com/kshalb/kshalb/internal/importer/plan"

// use is what becomes of a directive.
type use int

const (
	noted  use = iota // a note says what there is to say
	single            // the last one holds
	listed            // all hold, in order
)

// side is where a directive means something.
type side int

const (
	both side = iota
	front
	back
)

// directive is what is known of a keyword.
type directive struct {
	use   use
	side  side
	key   string // where it is kept; "" is the keyword itself
	level plan.Level
	why   string
}

func note(level plan.Level, why string) directive { return directive{level: level, why: why} }

func (d directive) at(s side) directive {
	d.side = s
	return d
}

func (d directive) as(key string) directive {
	d.key = key
	return d
}

func (d directive) keyOr(keyword string) string {
	if d.key != "" {
		return d.key
	}
	return keyword
}

var (
	keepOne  = directive{use: single}
	keepAll  = directive{use: listed}
	forCheck = directive{use: single, side: back, key: "check"}

	httpOnly  = note(plan.Needless, "it is for HTTP, which kshalb passes on without reading")
	logging   = note(plan.Needless, "kshalb logs what changes, not each connection; the latter are in its metrics")
	statsPage = note(plan.Needless, "kshalb has a status page and metrics of its own: admin.http")
	tuning    = note(plan.Needless, "it tunes HAProxy's own workings")
	naming    = note(plan.Needless, "it tells people or tools about HAProxy's own parts")
	tlsPart   = note(plan.Needless, "kshalb ends no TLS: clients talk TLS with the backends")
	splicing  = note(plan.Needless, "kshalb always has the kernel splice what it can")
	keptAlive = note(plan.Needless, "kshalb always has both sides' TCP keepalive on")
	queueing  = note(plan.Lost, "kshalb does not limit and queue connections per backend; limits.connections is for the whole listener")
	scripts   = note(plan.Lost, "kshalb asks no scripts")
	rules     = note(plan.Lost, "kshalb has no rules but allow, limits.perSource and limits.newPerSecond")
	sticking  = note(plan.Lost, "kshalb has no stick tables; balance: source has a client at the same backend as far as possible")
	stateFile = note(plan.Needless, "kshalb's first probe after a start decides at once, so there is no state to keep")
)

// find returns what is known of a line's keyword, which may have two words.
func find(table map[string]directive, l line) (d directive, keyword string, known bool) {
	words := l.words
	if words[0] == "no" && len(words) > 1 {
		words = words[1:]
	}
	if len(words) > 1 {
		keyword = words[0] + " " + words[1]
		if d, known = table[keyword]; known {
			return d.as(d.keyOr(keyword)), keyword, true
		}
	}
	d, known = table[words[0]]
	return d.as(d.keyOr(words[0])), words[0], known
}
