package haproxy

import (
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// judge goes through the rules of a stage.
type judge struct {
	r         *reader
	named     map[string][]test
	rejecting bool // there is a rule that rejects
	counting  map[string]bool
	perSource *plan.Value[int]

	accepted sources // by a rule that ended it
	rest     sources // those that meet the next rule
	early    bool    // an accept came before
	tracked  bool    // the connection itself is counted already
	failed   bool
	done     bool
	last     line
}

const (
	notAllowList = "kshalb has allow lists only, and these rules are none: a rule that rejects some sources and lets others through belongs into the host's firewall"
	notSources   = "kshalb's allow knows sources alone, and none from files; write it by hand if the rules come down to a list of them"
	notCounting  = "kshalb's limits.perSource is for connections of a source at a time, without exceptions; write it by hand if that is what the rule is for"
)

func (j *judge) take(ru rule) {
	switch {
	case j.done:
		j.r.notes.add(plan.Needless, ru.line, ru.what(), "a rule before it decides always")
	case strings.HasPrefix(ru.action, "track-sc"):
		j.track(ru)
	case ru.action == "accept" && !j.rejecting:
		j.r.notes.add(plan.Needless, ru.line, ru.what(), "no rule of this stage rejects")
	case ru.action == "accept" || ru.rejects():
		j.decide(ru)
	default:
		j.r.notes.add(plan.Lost, ru.line, ru.what(), rules.why)
	}
}

func (j *judge) track(ru rule) {
	if j.counting[ru.action] {
		j.tracked = true
		return
	}
	j.r.notes.add(plan.Lost, ru.line, ru.what(), sticking.why)
}

func (j *judge) decide(ru rule) {
	if ru.rejects() && j.limit(ru) {
		return
	}
	set, ok := everybody, true
	if !ru.always {
		var terms [][]literal
		j.r.asked += len(ru.words)
		if ok = len(ru.words) <= maxCondWords && j.r.asked <= maxAsked; ok {
			terms, ok = parseCondition(ru.words, j.named)
		}
		if ok {
			set, ok = matching(terms)
		}
		if ru.unless {
			set = set.not()
		}
	}
	switch {
	case !ok:
		j.fail(ru, notSources)
	case set.everybody():
		j.end(ru)
	case !set.others && len(set.list) == 0: // it is for nobody
	case ru.rejects() && !set.others:
		j.fail(ru, notAllowList)
	case ru.rejects():
		j.rest, ok = j.rest.and(set.not())
		j.keep(ru, ok)
	case set.others:
		j.fail(ru, notAllowList)
	default:
		j.early = true
		if set, ok = set.and(j.rest); ok {
			j.accepted, ok = j.accepted.or(set)
		}
		j.keep(ru, ok)
	}
}

// end is a rule for everybody who is left.
func (j *judge) end(ru rule) {
	j.done, j.last = true, ru.line
	if ru.rejects() {
		j.rest = sources{}
	}
}

func (j *judge) keep(ru rule, ok bool) {
	j.last = ru.line
	if !ok {
		j.fail(ru, notAllowList)
	}
}

func (j *judge) fail(ru rule, why string) {
	j.failed = true
	j.r.notes.add(plan.Lost, ru.line, ru.what(), why)
}

// verdict is whom the stage accepts. Where one rule can't be followed, none is.
func (j *judge) verdict() (sources, line, bool) {
	set, ok := j.accepted.or(j.rest)
	if j.failed || !ok {
		if j.last.words != nil {
			j.r.notes.add(plan.Lost, j.last, "tcp-request "+j.last.word(1), notAllowList)
		}
		return everybody, line{}, false
	}
	return set, j.last, true
}

// limit is a rule that rejects a source with too many connections. A rule before
// the one that tracks does not count the connection itself, one after it does.
func (j *judge) limit(ru rule) bool {
	t, ok := j.count(ru)
	if !ok {
		return false
	}
	most := t.count
	if t.op == "gt" {
		most++
	}
	if j.tracked {
		most--
	}
	number := strings.Trim(t.what, "abcdefghijklmnopqrstuvwxyz_()")
	counted := len(j.counting) > 0 && (number == "" || j.tracked && j.counting["track-sc"+number])
	if !counted || j.early || most < 1 {
		j.r.notes.add(plan.Lost, ru.line, ru.what(), notCounting)
		return true
	}
	v := clip(plan.Because(most, ru.at, "connections of a source at a time that the rule lets through; of IPv6, kshalb counts those of a /64 together"), 1, maxLimit)
	if !j.perSource.Given() || v.V < j.perSource.V {
		*j.perSource = v
	}
	return true
}

// count is the one test of a rule that is a number of connections.
func (j *judge) count(ru rule) (test, bool) {
	if ru.always || ru.unless || len(ru.words) > maxCondWords {
		return test{}, false
	}
	terms, ok := parseCondition(ru.words, j.named)
	if !ok || len(terms) != 1 || len(terms[0]) != 1 || terms[0][0].not || len(terms[0][0].tests) != 1 {
		return test{}, false
	}
	t := terms[0][0].tests[0]
	return t, connectionCounts[t.what]
}

// counting are the rules that track a source in the proxy's own stick table, where
// that counts connections.
func (p *proxy) counting(all []rule) map[string]bool {
	out := map[string]bool{}
	table := p.one("stick-table").words
	kind, stored := after(table, "type"), strings.Split(after(table, "store"), ",")
	if kind != "ip" && kind != "ipv6" || !slices.Contains(stored, "conn_cur") {
		return out
	}
	for _, ru := range all {
		if strings.HasPrefix(ru.action, "track-sc") && ru.always && len(ru.line.words) == 4 && ru.word(3) == "src" {
			out[ru.action] = true
		}
	}
	return out
}

// after is the word that follows another one; "" is none.
func after(words []string, word string) string {
	if i := slices.Index(words, word); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}
