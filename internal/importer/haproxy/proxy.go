package haproxy

import (
	"maps"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

const unknownWhy = "this keyword is not known here; look up what it did, and whether kshalb.yaml has something for it"

// proxy is defaults, frontend, backend or listen.
type proxy struct {
	*section
	parent *proxy // the defaults that it begins with
	ones   map[string]line
	lists  map[string][]line
	jots   []jot
	used   bool // its notes were given
}

// jot is a note that counts once the proxy is used.
type jot struct {
	line
	level     plan.Level
	what, why string
}

func (r *reader) proxy(s *section) *proxy {
	p := &proxy{section: s, ones: map[string]line{}, lists: map[string][]line{}}
	p.parent = r.parentOf(s)
	if p.parent != nil {
		p.ones = maps.Clone(p.parent.ones)
	}
	for _, l := range s.lines {
		p.take(l)
	}
	return p
}

// parentOf is the defaults that a proxy begins with: the one that it names, else
// the last one before it. A defaults that names none begins with nothing.
func (r *reader) parentOf(s *section) *proxy {
	switch {
	case s.base != "":
		named := r.defaults[s.base]
		if named == nil {
			r.notes.add(plan.Fault, s.line, quote("from", s.base), "there is no defaults of this name before it; HAProxy refuses the file")
		}
		return named
	case s.kind == kindDefaults:
		return nil
	}
	return r.latest
}

// take keeps a line, or what there is to say of it.
func (p *proxy) take(l line) {
	d, keyword, known := find(directives, l)
	switch {
	case !known:
		p.jot(plan.Lost, l, quote(keyword), unknownWhy)
	case d.side == front && p.kind == kindBackend, d.side == back && p.kind == kindFrontend:
		p.jot(plan.Needless, l, keyword, "HAProxy ignores it in a "+p.kind)
	case d.use == noted && keyword == "option":
		p.jot(d.level, l, quote(keyword, l.word(1)), d.why)
	case d.use == noted:
		p.jot(d.level, l, keyword, d.why)
	case l.unset != "":
		p.jot(plan.Fault, l, quote(keyword, "$"+l.unset), unsetWhy)
	case d.use == listed:
		p.lists[d.key] = append(p.lists[d.key], l)
	default:
		p.keep(d.key, l)
	}
}

const unsetWhy = "this variable is not known here, and nothing stands for it; set it in the environment of this command, or put its value in its place"

// keep lets a line take the place of the one before it. Of two kinds of checks in
// one section, the first is remembered, too.
func (p *proxy) keep(key string, l line) {
	if l.words[0] == "no" {
		delete(p.ones, key)
		return
	}
	if key == "check" {
		delete(p.ones, "check before")
		if before, ok := p.ones[key]; ok && before.section == l.section && before.word(1) != l.word(1) {
			p.ones["check before"] = before
		}
	}
	p.ones[key] = l
}

func (p *proxy) jot(level plan.Level, l line, what, why string) {
	p.jots = append(p.jots, jot{l, level, what, why})
}

// one is the line of a directive that stands once; its words are nil where there
// is none.
func (p *proxy) one(key string) line { return p.ones[key] }

func (p *proxy) has(key string) bool { return p.ones[key].words != nil }

// all are the lines of a directive that may stand often, those of defaults first.
func (p *proxy) all(key string) []line {
	var parts [][]line
	for q := p; q != nil; q = q.parent {
		parts = append(parts, q.lists[key])
	}
	slices.Reverse(parts)
	return slices.Concat(parts...)
}

// tell gives the notes of a proxy that is used, and of its defaults, once.
func (p *proxy) tell(n *notebook) {
	for q := p; q != nil && !q.used; q = q.parent {
		q.used = true
		for _, j := range q.jots {
			n.add(j.level, j.line, j.what, j.why)
		}
	}
}

func (p *proxy) disabled() bool { return p.one("disabled").word(0) == "disabled" }

// mode is tcp where nothing else stands.
func (p *proxy) mode() string {
	if m := p.one("mode").word(1); m != "" {
		return m
	}
	return "tcp"
}
