package haproxy

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxPorts is how many ports of a range, and maxBinds how many ports of a frontend,
// become listeners.
const (
	maxPorts = 16
	maxBinds = 64
)

// door is an address and a port on which a frontend accepts connections.
type door struct {
	line
	addr netip.Addr
	port int
	user string // tcp-ut
}

var (
	bindTLS   = note(plan.Needless, "it goes with ssl")
	bindRight = note(plan.Needless, "it is about a socket's file or process")
	bindPlace = note(plan.Lost, "kshalb listens on addresses, whatever the interface; write the address of the interface")
)

// bindParams are the parameters of bind (section 5.1). Those of TLS that are not
// here stand in bindTLSArgs.
var bindParams = map[string]param{
	"ssl":          {level: plan.Fault, why: "kshalb ends no TLS, clients talk TLS with the backends: kube-apiservers expect that; for others keep HAProxy on this port"},
	"accept-proxy": {level: plan.Lost, why: "kshalb does not read the PROXY protocol from clients, and would pass it on as their first bytes; have the one before it leave it out"},
	"transparent":  {level: plan.Changed, why: "kshalb can listen on an address that the host does not have, for a VIP"},
	"accept-netscaler-cip": {args: 1, level: plan.Lost,
		why: "kshalb does not read who the client was from its first bytes"},
	"tcp-ut": read(1), "v4v6": read(0), "v6only": told(0, note(plan.Changed, "kshalb's sockets on :: accept IPv4, too")),
	"interface": told(1, bindPlace), "namespace": told(1, bindPlace),
	"maxconn": {args: 1, level: plan.Lost, why: "kshalb's limits.connections is for a listener; write it there"},
	"backlog": told(1, tuning), "defer-accept": told(0, tuning), "mss": told(1, tuning), "process": told(1, tuning), "thread": told(1, tuning),
	"shards": told(1, tuning), "tfo": told(0, note(plan.Lost, "kshalb does not use TCP Fast Open")), "nice": told(1, tuning), "cc": told(1, tuning),
	"id": told(1, naming), "name": told(1, naming), "guid-prefix": told(1, naming), "label": told(1, naming), "nbconn": told(1, tuning), "default-crt": told(1, bindTLS),
	"gid": told(1, bindRight), "group": told(1, bindRight), "uid": told(1, bindRight), "user": told(1, bindRight), "mode": told(1, bindRight),
	"level": told(1, bindRight), "severity-output": told(1, bindRight), "expose-fd": told(1, bindRight), "proto": told(1, httpOnly), "idle-ping": told(1, httpOnly),
	"tcp-md5sig": told(1, note(plan.Lost, "kshalb signs no segments")),

	"crt": told(1, bindTLS), "crt-list": told(1, bindTLS), "crt-ignore-err": told(1, bindTLS), "ca-file": told(1, bindTLS), "ca-ignore-err": told(1, bindTLS),
	"ca-sign-file": told(1, bindTLS), "ca-sign-pass": told(1, bindTLS), "ca-verify-file": told(1, bindTLS), "crl-file": told(1, bindTLS), "verify": told(1, bindTLS),
	"alpn": told(1, bindTLS), "npn": told(1, bindTLS), "ciphers": told(1, bindTLS), "ciphersuites": told(1, bindTLS), "curves": told(1, bindTLS), "ecdhe": told(1, bindTLS),
	"sigalgs": told(1, bindTLS), "client-sigalgs": told(1, bindTLS), "ssl-min-ver": told(1, bindTLS), "ssl-max-ver": told(1, bindTLS), "tls-ticket-keys": told(1, bindTLS),
	"force-sslv3": told(0, bindTLS), "force-tlsv10": told(0, bindTLS), "force-tlsv11": told(0, bindTLS), "force-tlsv12": told(0, bindTLS), "force-tlsv13": told(0, bindTLS),
	"no-sslv3": told(0, bindTLS), "no-tlsv10": told(0, bindTLS), "no-tlsv11": told(0, bindTLS), "no-tlsv12": told(0, bindTLS), "no-tlsv13": told(0, bindTLS),
	"no-tls-tickets": told(0, bindTLS), "tls-tickets": told(0, bindTLS), "no-ca-names": told(0, bindTLS), "allow-0rtt": told(0, bindTLS), "strict-sni": told(0, bindTLS),
	"prefer-client-ciphers": told(0, bindTLS), "generate-certificates": told(0, bindTLS), "no-alpn": told(0, bindTLS), "ocsp-update": told(1, bindTLS),
	"quic-cc-algo": told(1, bindTLS), "quic-force-retry": told(0, bindTLS), "quic-socket": told(1, bindTLS), "ktls": told(1, bindTLS), "ech": told(1, bindTLS),
}

// doors reads all binds of a frontend.
func (r *reader) doors(p *proxy) []door {
	lines := p.all("bind")
	if p.kind == kindListen && len(p.extra) > 0 {
		old := p.line
		old.words = append([]string{"bind"}, p.extra...)
		r.notes.add(plan.Fault, old, p.title(), "HAProxy since 1.7 refuses an address on this line; it was read as a bind")
		lines = append([]line{old}, lines...)
	}
	var out []door
	for _, l := range lines {
		d := door{line: l}
		r.bindParams(&d)
		for text := range strings.SplitSeq(l.word(1), ",") {
			if len(out) >= maxBinds {
				r.notes.add(plan.Lost, l, "ports from here on", "a frontend of more than 64 ports is not read further; write the others into kshalb.yaml")
				return uncovered(r, out[:maxBinds])
			}
			out = append(out, r.ports(d, text)...)
		}
	}
	return uncovered(r, out)
}

func (r *reader) bindParams(d *door) {
	words := d.from(2)
	for len(words) > 0 {
		p, known := bindParams[words[0]]
		if !known || len(words) <= p.args {
			r.notes.add(plan.Fault, d.line, quote("bind", words[0]), "this parameter of bind is not known here or has no value, so what follows it on its line was not read; look up what it does")
			return
		}
		switch {
		case words[0] == "tcp-ut":
			d.user = words[1]
		case !p.kept:
			r.notes.add(p.level, d.line, quote("bind", words[0]), p.why)
		}
		words = words[1+p.args:]
	}
}

// ports reads one address of a bind, with its port or ports.
func (r *reader) ports(d door, text string) []door {
	p, err := parsePlace(text)
	high := p.high
	switch {
	case err != nil || p.relative:
		if err == nil {
			err = errPort
		}
		level, what := plan.Fault, quote("bind", text)
		if errors.Is(err, errSocket) {
			level = plan.Lost
		}
		r.notes.add(level, d.line, what, "the address "+err.Error())
		return nil
	case !p.addr.IsValid() || p.addr.IsMulticast():
		r.notes.add(plan.Fault, d.line, quote("bind", text), "kshalb listens on addresses, not on names; put the address in its place")
		return nil
	case high-p.low >= maxPorts:
		high = p.low + maxPorts - 1
		r.notes.add(plan.Lost, d.line, quote("bind", text), "of a range 16 ports are read at most; write the others into kshalb.yaml")
	}
	var out []door
	for port := p.low; port <= high; port++ {
		d.addr, d.port = p.addr, port
		out = append(out, d)
	}
	return out
}

// uncovered leaves out doors that another one of the same frontend stands for:
// kshalb's sockets on :: accept IPv4, too.
func uncovered(r *reader, all []door) []door {
	var out []door
	for i, d := range all {
		covers := func(o door) bool {
			wide := o.addr == netip.IPv6Unspecified() || o.addr == netip.IPv4Unspecified() && d.addr.Is4()
			return o.port == d.port && o.addr != d.addr && wide
		}
		same := func(o door) bool { return o.port == d.port && o.addr == d.addr }
		switch {
		case slices.ContainsFunc(all, covers):
			r.notes.add(plan.Needless, d.line, quote("bind", netip.AddrPortFrom(d.addr, uint16(d.port)).String()),
				"another bind of the frontend has all addresses; where that becomes a VIP and programs of this host use this address, write a listener with bind for it")
		case !slices.ContainsFunc(all[:i], same):
			out = append(out, d)
		}
	}
	return out
}
