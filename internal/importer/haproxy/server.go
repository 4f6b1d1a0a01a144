package haproxy

import (
	"maps"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxServers is how many servers of a backend are read.
const maxServers = 256

// server is one target, with what default-server says of it.
type server struct {
	line
	name  string
	place place
	with  map[string]given
}

// given is a parameter as it stands somewhere.
type given struct {
	line
	value string
}

func (s *server) has(param string) bool { _, ok := s.with[param]; return ok }

// servers reads those of a backend.
func (r *reader) servers(p *proxy) []*server {
	standard := map[string]given{}
	for _, l := range p.all("default-server") {
		r.params(l, l.from(1), standard)
	}
	var out []*server
	for _, l := range p.all("server") {
		if len(out) == maxServers {
			r.notes.add(plan.Lost, l, "servers from here on", "a backend of more than 256 servers is not read further; write the others into kshalb.yaml")
			break
		}
		if s := r.server(l, maps.Clone(standard)); s != nil && !r.repeated(s, out) {
			out = append(out, s)
		}
	}
	return out
}

// repeated tells a target that stands there twice, which kshalb.yaml refuses.
func (r *reader) repeated(s *server, before []*server) bool {
	if !slices.ContainsFunc(before, func(b *server) bool { return b.place == s.place }) {
		return false
	}
	r.notes.add(plan.Fault, s.line, quote("server", s.name), "another server has the same address and port; mend the one that is wrong, or leave one out")
	return true
}

// server reads server, server-template and dispatch; nil is one that can't be read.
func (r *reader) server(l line, with map[string]given) *server {
	s := &server{line: l, with: with}
	var address string
	rest := l.from(3)
	switch l.words[0] {
	case "dispatch":
		address, rest = l.word(1), l.from(2)
	case "server-template":
		address, rest = l.word(3), l.from(4)
		r.notes.add(plan.Changed, l, quote("server-template", l.word(1), l.word(2)), "a name stands for all the addresses that it has, without a number or names for them")
	default:
		s.name, address = l.word(1), l.word(2)
	}
	place, err := parsePlace(address)
	switch {
	case address == "":
		r.notes.add(plan.Fault, l, quote(l.words[0], s.name), "it has no address")
		return nil
	case err == nil && place.any:
		r.notes.add(plan.Lost, l, quote(l.words[0], s.name, address), "kshalb connects to its backends only, not to where the client wanted to go")
		return nil
	case err != nil:
		r.notes.add(plan.Fault, l, quote(l.words[0], s.name, address), "the address "+err.Error())
		return nil
	case place.low != place.high && !place.relative:
		r.notes.add(plan.Fault, l, quote(l.words[0], s.name, address), "a server has one port")
		return nil
	}
	s.place = place
	r.params(l, rest, s.with)
	return s
}

// params reads parameters into with. Of one that is not known nobody can tell how
// many words it takes, so reading ends there.
func (r *reader) params(l line, words []string, with map[string]given) {
	name := quote(words[:min(1, len(words))]...)
	for len(words) > 0 {
		p, known := params[words[0]]
		if !known {
			r.notes.add(plan.Fault, l, name, "this parameter of a server is not known here, so what follows it on its line was not read; look up what it does")
			return
		}
		value := ""
		if len(words) > p.args && p.args > 0 {
			value = words[1]
		}
		switch {
		case len(words) <= p.args:
			r.notes.add(plan.Fault, l, quote(words[0]), "its value is missing; HAProxy refuses the file")
			return
		case p.kept:
			with[words[0]] = given{l, value}
		case p.undo != "":
			delete(with, p.undo)
		default:
			r.notes.add(p.level, l, quote(words[0]), p.why)
		}
		next := words[min(1+p.args, len(words)-1)]
		if name = quote(next); words[0] == "agent-send" || words[0] == "tcp-md5sig" {
			name = "what follows " + words[0] // may be a part of a password
		}
		words = words[1+p.args:]
	}
}
