package haproxy

import (
	"time"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// The bounds of kshalb.yaml.
const (
	minConnect = time.Millisecond
	maxConnect = 10 * time.Minute
	maxSilence = 168 * time.Hour
)

// shortIdle is what Kubernetes' own streams may be silent for: kubectl exec and
// logs -f last for hours (kubernetes/kubeadm issue 2227).
const shortIdle = 10 * time.Minute

const idleWhy = "kshalb ends a connection when neither side sends for timeouts.idle; kubectl exec and logs -f that are silent for longer end with an error. " +
	"kshalb finds dead hosts without it (TCP keepalive, timeouts.user), so idle: 0s, the default, would do"

// span is a time of a directive.
func (r *reader) span(p *proxy, key string) plan.Value[time.Duration] {
	l := p.one(key)
	if l.words == nil {
		return plan.Value[time.Duration]{}
	}
	return r.time(l, key, l.words[len(l.words)-1])
}

// time reads a value; a bad one is a fault, and not given.
func (r *reader) time(l line, key, text string) plan.Value[time.Duration] {
	d, err := parseTime(text)
	if err != nil {
		r.notes.add(plan.Fault, l, quote(key, text), "the time "+err.Error())
		return plan.Value[time.Duration]{}
	}
	return plan.Of(d, l.at)
}

// timeouts are those of a listener: of its frontend and its backend.
func (r *reader) timeouts(fe, be *proxy) plan.Timeouts {
	t := plan.Timeouts{Idle: r.idle(fe, be)}
	if connect := r.span(be, "timeout connect"); connect.Given() && connect.V == 0 {
		r.notes.add(plan.Changed, be.one("timeout connect"), "timeout connect 0", "kshalb does not try for ever; timeouts.connect stays as it is by default")
	} else if connect.Given() {
		t.Connect = clip(connect, minConnect, maxConnect)
	}
	if half := longer(r.span(fe, "timeout client-fin"), r.span(be, "timeout server-fin")); half.Given() {
		half.Why = "timeout client-fin and server-fin, the longer"
		t.HalfClosed = clip(half, 0, maxSilence)
	}
	return t
}

// idle is timeout tunnel, which takes the place of the others as soon as data flows
// in both directions, or the longer of timeout client and timeout server: HAProxy
// has one for each side. On a connection on which all is silent 2.6 waits for that
// of the server, be it the shorter or the longer one.
func (r *reader) idle(fe, be *proxy) plan.Value[time.Duration] {
	tunnel, client, server := r.span(be, "timeout tunnel"), r.span(fe, "timeout client"), r.span(be, "timeout server")
	idle, at := tunnel, be.one("timeout tunnel")
	switch {
	case tunnel.Given():
		idle.Why = "timeout tunnel, which takes the place of timeout client and server"
	default:
		idle, at = longer(client, server), be.one("timeout server")
		if idle == client {
			at = fe.one("timeout client")
		}
		switch {
		case !server.Given():
			idle.Why = "timeout client"
		case !client.Given():
			idle.Why = "timeout server"
		case client.V == server.V:
			idle.Why = "timeout client and timeout server, which are the same"
		default:
			idle.Why = "the longer of timeout client and timeout server; HAProxy may end a silent connection after the shorter"
		}
	}
	if !idle.Given() {
		return plan.Value[time.Duration]{}
	}
	idle = clip(idle, 0, maxSilence)
	if idle.V > 0 && idle.V < shortIdle {
		r.notes.add(plan.Changed, at, quote(at.words...), idleWhy)
	}
	return idle
}

// longer is the longer of two values; one that is not given is the shorter one.
func longer(a, b plan.Value[time.Duration]) plan.Value[time.Duration] {
	if !b.Given() || a.Given() && a.V >= b.V {
		return a
	}
	return b
}
