package haproxy

import (
	"maps"
	"strings"

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
		if s := r.server(l, maps.Clone(standard)); s != nil {
			out = append(out, s)
		}
	}
	return out
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
	title := quote(l.words[0], l.word(1), address)
	if l.words[0] == "dispatch" {
		title = quote(l.words...)
	}
	switch {
	case address == "":
		r.notes.add(plan.Fault, l, title, "it has no address")
		return nil
	case err == nil && (place.any || place.addr.IsUnspecified()):
		r.notes.add(plan.Lost, l, title, "kshalb connects to its backends only, not to where the client wanted to go")
		return nil
	case strings.HasPrefix(address, "_"):
		r.notes.add(plan.Lost, l, title, "kshalb reads the addresses of a name, not its SRV records; write names or addresses with ports")
		return nil
	case err == nil && place.addr.IsMulticast():
		err = errHost
	case err == nil && place.low != place.high && !place.relative:
		err = errPort
	}
	if err != nil {
		r.notes.add(plan.Fault, l, title, "the address "+err.Error())
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
