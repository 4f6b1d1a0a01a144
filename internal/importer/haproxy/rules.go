package haproxy

import (
	"net/netip"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// The bounds of rules that are read as an allow list.
const (
	maxRules     = 64
	maxCondWords = 64
	maxAsked     = 10_000 // words of all conditions
)

// stages are when rules are held against a connection (section 4, "tcp-request"),
// in order. Each stage has to accept it.
var stages = []string{"connection", "session", "content"}

// rule is a line of tcp-request.
type rule struct {
	line
	action string
	unless bool
	always bool // there is no condition
	words  []string
}

func newRule(l line) rule {
	words := l.from(2)
	ru := rule{line: l, always: true}
	if len(words) > 0 {
		ru.action = words[0]
	}
	for i, w := range words {
		if w == "if" || w == "unless" {
			ru.always, ru.unless, ru.words = false, w == "unless", words[i+1:]
			break
		}
	}
	return ru
}

func (ru rule) rejects() bool { return ru.action == "reject" || ru.action == "silent-drop" }

// what is a rule as notes name it: not its values.
func (ru rule) what() string { return quote("tcp-request", ru.word(1), ru.action) }

// admission is who may connect, and how often at a time.
type admission struct {
	allow     []plan.Value[netip.Prefix]
	perSource plan.Value[int]
}

// admission reads the rules of a frontend and its backend. They become an allow
// list only where they are nothing else: all of them, in order, or none.
func (r *reader) admission(fe, be *proxy) admission {
	out := admission{}
	allowed := everybody
	var from line
	for _, p := range sides(fe, be) {
		named := p.tests()
		used := map[string]bool{}
		for _, stage := range stages {
			set, last, ok := r.stage(p, stage, named, used, &out.perSource)
			if set, ok = meet(allowed, set, ok); ok {
				allowed = set
			}
			if last.words != nil && from.words == nil {
				from = last
			}
		}
		r.unusedTests(p, used)
	}
	switch {
	case allowed.others:
		return out
	case len(allowed.list) == 0:
		r.notes.add(plan.Fault, from, "tcp-request", "the rules accept nobody")
		return out
	}
	for _, p := range allowed.list {
		out.allow = append(out.allow, plan.Because(p, from.at, "what the rules of tcp-request accept"))
	}
	return out
}

// sides is a frontend and its backend, or a listen alone.
func sides(fe, be *proxy) []*proxy {
	if fe == be {
		return []*proxy{fe}
	}
	return []*proxy{fe, be}
}

func meet(a, b sources, ok bool) (sources, bool) {
	if !ok {
		return a, false
	}
	return a.and(b)
}

// stage is one stage's rules: whom they accept, and the last line that says so.
func (r *reader) stage(p *proxy, stage string, named map[string][]test, used map[string]bool, perSource *plan.Value[int]) (sources, line, bool) {
	var all []rule
	for _, l := range p.all("tcp-request") {
		if l.word(1) == stage {
			all = append(all, newRule(l))
		}
	}
	for _, ru := range all {
		for _, w := range ru.words {
			used[trimNot(w)] = true
		}
	}
	if len(all) > maxRules {
		r.notes.add(plan.Lost, all[0].line, "tcp-request "+stage, "there are more than 64 rules; write allow by hand where they are an allow list")
		return everybody, line{}, false
	}
	a := judge{r: r, named: named, rest: everybody, counting: p.counting(all), perSource: perSource}
	a.rejecting = slices.ContainsFunc(all, rule.rejects)
	for _, ru := range all {
		a.take(ru)
	}
	return a.verdict()
}

func trimNot(word string) string {
	for len(word) > 0 && word[0] == '!' {
		word = word[1:]
	}
	return word
}

// unusedTests tells ACLs that no rule of tcp-request asks.
func (r *reader) unusedTests(p *proxy, used map[string]bool) {
	for _, l := range p.all("use_backend") {
		for _, w := range l.from(2) {
			used[trimNot(w)] = true
		}
	}
	for _, l := range p.all("acl") {
		if !used[l.word(1)] {
			r.notes.add(plan.Needless, l, quote("acl", l.word(1)), "no rule that kshalb could follow asks it")
		}
	}
	for _, l := range p.all("tcp-request") {
		switch {
		case l.word(1) == "inspect-delay":
			r.notes.add(plan.Needless, l, "tcp-request inspect-delay", "kshalb connects at once and looks at no content")
		case !slices.Contains(stages, l.word(1)):
			r.notes.add(plan.Lost, l, quote("tcp-request", l.word(1)), rules.why)
		}
	}
}
