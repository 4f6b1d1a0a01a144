package keepalived

import (
	"fmt"
	"net/netip"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxWeight is kshalb's; keepalived's is 65535.
const maxWeight = 256

// real is a real_server, or a sorry_server.
type real struct {
	at      plan.Source
	addr    netip.Addr
	port    int // 0: that of the virtual server
	weight  plan.Value[int]
	inhibit bool
	pace    pace
	vhost   plan.Value[string]
	probe   *probe
}

var realRules = rules{}.
	with(plan.Lost, "notify_up notify_down", whyScripts).
	with(plan.Lost, "smtp_alert", whyMail).
	with(plan.Lost, "uthreshold lthreshold", "kshalb bounds connections of a listener, not of a backend: limits.connections").
	with(plan.Needless, "snmp_name", "kshalb has no SNMP").
	with(plan.Changed, "alpha", "kshalb takes no backend for up before its first check, always").
	with(plan.Changed, "lvs_method lb_kind", whyProxy)

// target reads the address and the port behind real_server and sorry_server.
func (v *service) target(n *node) *real {
	a, err := netip.ParseAddr(n.arg(0))
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		v.host.notes.bad(n.at, n.key, n.arg(0), "an address and a port")
		return nil
	}
	r := &real{at: n.at, addr: a.Unmap(), inhibit: v.inhibit, pace: v.pace, vhost: v.vhost}
	if n.arg(1) != "" {
		port, ok := number(n.arg(1), 0, 65535)
		if !ok {
			v.host.notes.bad(n.at, n.key, n.arg(1), "an address and a port from 1 to 65535")
			return nil
		}
		r.port = port
	}
	return r
}

func (v *service) real(b *node) {
	v.host.notes.braces(b)
	r := v.target(b)
	if r == nil {
		return
	}
	for _, n := range b.kids {
		_, checks := checkers[n.key]
		switch {
		case checks:
			continue
		case n.key == "weight":
			v.weight(r, n)
		case n.key == "inhibit_on_failure":
			r.inhibit = on(n)
		case n.key == "virtualhost":
			r.vhost = v.host.vhostOf(n)
		case r.pace.take(v.host, n):
		default:
			v.host.notes.other(n, b.key, realRules)
		}
	}
	for _, n := range b.kids {
		if _, checks := checkers[n.key]; checks {
			v.host.checker(r, n)
		}
	}
	v.reals = append(v.reals, r)
}

func (v *service) weight(r *real, n *node) {
	w, ok := number(n.arg(0), 0, 65535)
	if !ok {
		v.host.notes.bad(n.at, n.key, n.arg(0), "a number from 0 to 65535")
		return
	}
	r.weight = plan.Of(w, n.at)
	if !v.weighted && v.balance.Given() && w > 1 && !v.failover {
		v.host.notes.add(plan.Changed, n.at, "weight", "the scheduler, "+v.balance.Why+", takes no notice of weights, so they were not carried over")
	}
}

// backends are the real servers and the sorry server, each once.
func (v *service) backends(p place) []plan.Backend {
	var all []plan.Backend
	for _, r := range v.reals {
		all = v.once(all, v.backend(r, p))
	}
	v.firstOnly(all)
	if v.sorry == nil {
		return all
	}
	b := v.backend(v.sorry, p)
	if len(all) > 0 {
		b.Backup = plan.Because(true, v.sorry.at, "sorry_server")
	}
	return v.once(all, b)
}

func (v *service) once(all []plan.Backend, b plan.Backend) []plan.Backend {
	for _, other := range all {
		if other.Host == b.Host && other.Port == b.Port {
			v.host.notes.add(plan.Fault, b.From, "a second backend "+b.Host, "the same address and port stand in "+other.From.String()+", which was taken; take one away")
			return all
		}
	}
	return append(all, b)
}

// backend is what a real server becomes.
func (v *service) backend(r *real, p place) plan.Backend {
	b := plan.Backend{Host: r.addr.String(), Port: r.port, From: r.at}
	if r.port == 0 {
		b.Port = p.port
	}
	if v.direct() && b.Port != p.port {
		v.host.notes.add(plan.Fault, r.at, fmt.Sprintf("real_server with port %d", b.Port), fmt.Sprintf("with %s the kernel goes to port %d, that of the virtual_server, whatever stands here;"+
			" kshalb goes to the port that stands here, so correct it if the backend is not there", v.kind.V, p.port))
	}
	w := r.weight
	if w.Given() && (v.weighted || w.V == 0 && !v.failover) {
		w.V, w.Why = clip(w.V, 0, maxWeight)
		b.Weight = w
		if w.Why != "" {
			v.host.notes.add(plan.Changed, w.From, "weight", "kshalb's go up to 256; make all of them smaller by the same factor")
		}
	}
	return b
}
