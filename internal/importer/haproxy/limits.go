package haproxy

import (
	"math"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxLimit is the largest limit of kshalb.yaml.
const maxLimit = 1_000_000

// limits are those of a listener.
func (r *reader) limits(fe *proxy) plan.Limits {
	return plan.Limits{
		Connections: r.limit([]line{fe.one("maxconn"), r.globals["maxconn"]},
			"kshalb refuses connections beyond it, HAProxy has them wait"),
		NewPerSecond: r.limit([]line{fe.one("rate-limit sessions"), r.globals["maxconnrate"], r.globals["maxsessrate"]},
			"kshalb refuses connections beyond it, HAProxy has them wait"),
	}
}

// limit is the lowest of several. 0 is none.
func (r *reader) limit(lines []line, why string) plan.Value[int] {
	var lowest plan.Value[int]
	for _, l := range lines {
		if l.words == nil {
			continue
		}
		text := l.words[len(l.words)-1]
		n, err := parseCount(text)
		if err != nil {
			r.notes.add(plan.Fault, l, quote(l.words...), "its number "+err.Error())
			continue
		}
		if n > 0 && (!lowest.Given() || n < lowest.V) {
			lowest = plan.Because(n, l.at, quote(l.words...)+"; "+why)
			if _, global := r.globals[l.words[0]]; global && r.globals[l.words[0]].at == l.at {
				lowest.Why = quote(l.words...) + " of global, for all frontends together; " + why
			}
		}
	}
	if !lowest.Given() {
		return lowest
	}
	return clip(lowest, 1, maxLimit)
}

// number is a count of a parameter between bounds; what can't be read is a fault.
func (r *reader) number(g given, key string, low, high int) plan.Value[int] {
	n, err := parseCount(g.value)
	if err != nil {
		r.notes.add(plan.Fault, g.line, quote(key, g.value), "its value "+err.Error())
		return plan.Value[int]{}
	}
	v := plan.Of(min(n, math.MaxInt32), g.at)
	return clip(v, low, high)
}
