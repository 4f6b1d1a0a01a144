package haproxy

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// nameRule is what kshalb.yaml takes for a name.
var nameRule = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// backends are the servers as one door's clients reach them.
func (r *reader) backends(j *joint, d door) []plan.Backend {
	var out []plan.Backend
	same := r.sameWeight(j.servers)
	for _, s := range j.servers {
		port, err := s.place.at(d.port)
		if err != nil {
			r.notes.add(plan.Fault, s.line, quote("server", s.name), "the address "+err.Error())
			continue
		}
		host := strings.ToLower(s.place.host)
		if slices.ContainsFunc(out, func(b plan.Backend) bool { return strings.ToLower(b.Host) == host && b.Port == port }) {
			r.notes.add(plan.Fault, s.line, quote("server", s.name), "another server has the same address and port; mend the one that is wrong, or leave one out")
			continue
		}
		if s.place.is(d) && port == d.port {
			r.notes.add(plan.Fault, s.line, quote("server", s.name), "it is the listener itself, so kshalb would serve itself; write the address or the port that is meant")
			continue
		}
		b := plan.Backend{Name: s.name, Host: s.place.host, Port: port, From: s.at}
		if g, ok := s.with["weight"]; ok && !same {
			b.Weight = r.number(g, "weight", 0, 256)
		}
		if g, ok := s.with["backup"]; ok {
			b.Backup = plan.Of(true, g.at)
		}
		if g, ok := s.with["disabled"]; ok {
			b.Weight = plan.Because(0, g.at, "disabled")
			r.notes.add(plan.Changed, g.line, quote("server", s.name, "disabled"), "it has weight 0, so that it gets no connection; take the weight away to have it back")
		}
		if g, ok := s.with["ssl"]; ok {
			r.notes.add(plan.Fault, g.line, "ssl of a server", "kshalb talks no TLS with backends in clients' place: it passes on what clients send, who have to talk TLS themselves")
		}
		out = append(out, b)
	}
	r.roles(j, out)
	return out
}

// is reports whether a server's address is where a door accepts connections.
func (p place) is(d door) bool {
	return p.addr.IsValid() && (p.addr == d.addr || d.addr.IsUnspecified() && p.addr.IsLoopback())
}

// asClient reports whether a door's clients can be what a server sees: they have
// addresses of its family, and not of this host alone. Clients of :: are of both.
func (p place) asClient(d door) bool {
	switch {
	case !p.addr.IsValid():
		return true
	case p.addr.Is4() != d.addr.Is4():
		return d.addr == netip.IPv6Unspecified()
	}
	return !d.addr.IsLoopback() || p.addr.IsLoopback()
}

// sameWeight reports whether weights say nothing, since all servers have the same.
func (r *reader) sameWeight(all []*server) bool {
	var first given
	for i, s := range all {
		g, ok := s.with["weight"]
		if !ok {
			g = given{s.line, "1"} // HAProxy's default, and kshalb's
		}
		if i == 0 {
			first = g
		}
		if g.value != first.value {
			return false
		}
	}
	n, err := parseCount(first.value)
	if err != nil || n == 0 || n > 256 {
		return false
	}
	if n != 1 {
		r.notes.add(plan.Needless, first.line, quote("weight", first.value), "all servers have the same, so it says nothing")
	}
	return true
}

// roles tells when nobody is to serve, and when more than one is to stand in.
func (r *reader) roles(j *joint, all []plan.Backend) {
	backups := 0
	for _, b := range all {
		if b.Backup.V {
			backups++
		}
	}
	switch {
	case len(all) == 0:
	case backups == len(all) && j.be.has("option allbackups"):
		for i := range all {
			all[i].Backup = plan.Value[bool]{}
		}
		r.notes.add(plan.Changed, j.servers[0].line, "backup of all servers", "there is nobody whom they could stand in for, so all of them serve, as with HAProxy")
	case backups == len(all):
		all[0].Backup = plan.Value[bool]{}
		r.notes.add(plan.Changed, j.servers[0].line, "backup of all servers", "the first one serves and the others stand in, all of them at a time; HAProxy, without option allbackups, has one after the other")
	case backups > 1 && !j.be.has("option allbackups"):
		i := slices.IndexFunc(j.servers, func(s *server) bool { return s.has("backup") })
		r.notes.add(plan.Changed, j.servers[i].line, "backup of several servers", "kshalb uses all of them when no other is up; HAProxy, without option allbackups, the first")
	}
}
