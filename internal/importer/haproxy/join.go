package haproxy

import (
	"net/netip"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxListeners is how many listeners a plan has at most.
const maxListeners = 128

const (
	httpWhy  = "mode http: kshalb passes TCP on and reads no HTTP; keep HAProxy for it on a port of its own, or write mode tcp if its servers talk TLS or need nothing of HTTP"
	modeWhy  = "kshalb balances TCP alone; keep HAProxy for it"
	askWhy   = "something asks this for whether HAProxy is alive; kshalb has /healthz and /readyz at admin.http"
	statsWhy = "kshalb has a status page and metrics of its own: admin.http"
)

// join makes listeners of all frontends.
func (r *reader) join() {
	taken := map[*proxy]bool{}
	for _, fe := range r.proxies {
		if fe.kind == kindBackend || r.apart(fe) {
			continue
		}
		fe.tell(r.notes)
		be := r.backendOf(fe)
		if be == nil {
			continue
		}
		taken[be] = true
		if be.disabled() {
			r.notes.add(plan.Fault, be.line, be.title(), "it is disabled, and "+fe.title()+" sends connections here")
			continue
		}
		if be.mode() != "tcp" {
			r.notes.add(plan.Lost, be.line, be.title(), httpWhy)
			continue
		}
		be.tell(r.notes)
		r.weave(&joint{fe: fe, be: be})
	}
	for _, be := range r.proxies {
		switch {
		case be.kind != kindBackend || taken[be]:
		case be.disabled():
			r.notes.add(plan.Needless, be.line, be.title(), "it is disabled")
		default:
			r.notes.add(plan.Needless, be.line, be.title(), "no frontend in TCP mode sends all its connections here")
		}
	}
	for _, d := range r.bases {
		if !d.used {
			r.notes.add(plan.Needless, d.line, d.title(), "nothing that became a listener begins with it")
		}
	}
}

// weave makes the listeners of one frontend with its backend.
func (r *reader) weave(j *joint) {
	j.doors = r.doors(j.fe)
	j.servers = r.servers(j.be)
	switch {
	case len(j.servers) == 0:
		r.notes.add(plan.Fault, j.be.line, j.be.title(), "it has no server that could be read, so it makes no listener")
		return
	case len(j.doors) == 0:
		r.notes.add(plan.Fault, j.fe.line, j.fe.title(), "it has no bind that could be read, so it makes no listener")
		return
	}
	r.weld(j)
	for _, d := range j.doors {
		if len(r.plan.Listeners) == maxListeners {
			r.notes.add(plan.Lost, d.line, "listeners from here on", "more than 128 are not made; write the others into kshalb.yaml")
			return
		}
		socket := netip.AddrPortFrom(d.addr, uint16(d.port))
		if r.sockets[socket] {
			r.notes.add(plan.Fault, d.line, quote("bind", socket.String()), "another frontend has the same address and port, so that HAProxy gives each some of the connections; mend the one that is wrong")
			continue
		}
		r.sockets[socket] = true
		if l := r.listener(j, d, r.listenerName(j, d)); len(l.Backends) > 0 {
			r.plan.Listeners = append(r.plan.Listeners, l)
		}
	}
}

// apart reports whether a frontend is nothing for kshalb, and tells why.
func (r *reader) apart(fe *proxy) bool {
	mode := fe.mode()
	switch {
	case fe.disabled():
		r.notes.add(plan.Needless, fe.line, fe.title(), "it is disabled")
	case mode == "tcp":
		return false
	case mode != "http":
		r.notes.add(plan.Lost, fe.line, quote(fe.kind, fe.name, "mode", mode), modeWhy)
	case len(fe.all("server")) > 0 || fe.has("default_backend") || len(fe.all("use_backend")) > 0:
		r.notes.add(plan.Lost, fe.line, fe.title(), httpWhy)
		r.http = append(r.http, fe.title())
	case fe.has("monitor-uri"):
		r.notes.add(plan.Needless, fe.line, fe.title(), askWhy)
		r.monitors = append(r.monitors, fe)
	case fe.mentions("stats"):
		r.notes.add(plan.Needless, fe.line, fe.title(), statsWhy)
	default:
		r.notes.add(plan.Needless, fe.line, fe.title(), "mode http, and no servers")
	}
	return true
}

// mentions reports whether a keyword stands in a proxy's own lines.
func (p *proxy) mentions(keyword string) bool {
	for _, l := range p.lines {
		if l.words[0] == keyword {
			return true
		}
	}
	return false
}

// backendOf is where all connections of a frontend go; nil is nowhere.
func (r *reader) backendOf(fe *proxy) *proxy {
	target := fe.one("default_backend")
	for _, l := range fe.all("use_backend") {
		switch {
		case len(l.words) == 2 || len(l.words) == 4 && l.word(2) == "if" && l.word(3) == "TRUE":
			target = l
		default:
			r.notes.add(plan.Lost, l, quote("use_backend", l.word(1)), "kshalb sends all connections of a listener to the same backends, whatever they ask for; "+
				"give these a port or an address of their own")
			continue
		}
		break
	}
	name := target.word(1)
	be := r.backend(name)
	switch {
	case be != nil:
		return be
	case name != "" && strings.Contains(name, "%["):
		r.notes.add(plan.Lost, target, fe.title(), "its backend is named by what connections bring along; kshalb sends all connections of a listener to the same backends")
	case name != "":
		r.notes.add(plan.Fault, target, quote(target.word(0), name), "there is no backend of this name")
	case len(fe.all("server")) > 0:
		return fe
	case len(fe.all("use_backend")) > 0:
		r.notes.add(plan.Lost, fe.line, fe.title(), "it has no backend for all its connections, so it makes no listener; write default_backend if there is one, and read the file again")
	default:
		r.notes.add(plan.Fault, fe.line, fe.title(), "it has neither servers nor a default_backend")
	}
	return nil
}

// backend is the backend or listen of a name.
func (r *reader) backend(name string) *proxy {
	for _, p := range r.proxies {
		if p.name == name && name != "" && p.kind != kindFrontend {
			return p
		}
	}
	return nil
}
