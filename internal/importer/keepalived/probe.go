package keepalived

import (
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// probe is a checker of a real server.
type probe struct {
	at         plan.Source
	kind       plan.Value[string] // tcp, http or https
	path, host plan.Value[string]
	expect     plan.Value[[]int]
	sni        bool
	pace       pace
	rank       int // of several checkers the highest is taken
}

// checkers are all that keepalived has, and what takes their place.
var checkers = map[string]struct {
	kind string
	rank int
	why  string // how kshalb's way differs
}{
	"SSL_GET":    {"https", 4, ""},
	"HTTP_GET":   {"http", 3, ""},
	"TCP_CHECK":  {"tcp", 2, ""},
	"MISC_CHECK": {"tcp", 1, "kshalb asks no scripts; a check of type tcp takes its place. Write type: https, path: /readyz for API servers"},
	"SMTP_CHECK": {"tcp", 0, "kshalb speaks no SMTP; a check of type tcp takes its place"},
	"DNS_CHECK":  {"tcp", 0, "kshalb asks no DNS servers; a check of type tcp takes its place"},
	"PING_CHECK": {"tcp", 0, "kshalb sends no pings; a check of type tcp takes its place, and sees more"},
	"UDP_CHECK":  {"tcp", 0, whyUDP + "; a check of type tcp takes its place"},
	"BFD_CHECK":  {"tcp", 0, "kshalb speaks no BFD; a check of type tcp takes its place"},
	"FILE_CHECK": {"tcp", 0, "kshalb watches no files; a check of type tcp takes its place, and weights are changed by kshalb reload"},
}

var checkerRules = rules{}.
	with(plan.Lost, "bindto bind_if bind_port", "kshalb's checks come from the address that the node's routes choose").
	with(plan.Lost, "fwmark", "kshalb's checks are not marked").
	with(plan.Lost, "connect_ip host", "kshalb checks a backend where it sends connections").
	with(plan.Changed, "alpha", "kshalb takes no backend for up before its first check, always").
	with(plan.Needless, "http_protocol fast_recovery", "kshalb asks by HTTP/1.1, and one path only").
	with(plan.Needless, "misc_path misc_timeout user helo_name type name payload require_reply min_reply_length max_reply_length track_file",
		"it belongs to a kind of check that kshalb has not").
	with(plan.Lost, "misc_dynamic dynamic weight", "weights change by kshalb reload only").
	with(plan.Needless, "snmp_name", "kshalb has no SNMP")

// checker reads one checker of a real server.
func (h *host) checker(r *real, b *node) {
	c := checkers[b.key]
	p := &probe{at: b.at, kind: plan.Because(c.kind, b.at, b.key), host: r.vhost, pace: r.pace, rank: c.rank}
	if c.why != "" {
		h.notes.add(plan.Lost, b.at, b.key, c.why)
	}
	paths := 0
	for _, n := range b.kids {
		switch {
		case n.key == "url":
			if paths++; paths > 1 {
				h.notes.add(plan.Lost, n.at, "a second url", "kshalb asks for one path; the first was taken")
				continue
			}
			h.url(p, n)
		case n.key == "connect_port":
			h.checkPort(r, n)
		case n.key == "virtualhost":
			p.host = h.vhostOf(n)
		case n.key == "enable_sni":
			p.sni = on(n)
		case n.key == "misc_path" && subjectOf(n.arg(0)) == apiServer:
			p.kind, p.path = plan.Because("https", n.at, "the script looks at the API server"), plan.Because("/readyz", n.at, "the script looks at the API server")
		case p.pace.take(h, n):
		default:
			h.notes.other(n, b.key, checkerRules)
		}
	}
	r.choose(h, p)
}

// choose keeps one of several checkers.
func (r *real) choose(h *host, p *probe) {
	other := p
	switch {
	case r.probe == nil:
		r.probe = p
		return
	case p.rank > r.probe.rank:
		other, r.probe = r.probe, p
	}
	h.notes.add(plan.Lost, other.at, "a second check of a real_server", "kshalb has one check; the one that sees most was taken")
}

func (h *host) checkPort(r *real, n *node) {
	port, ok := number(n.arg(0), 1, 65535)
	switch {
	case !ok:
		h.notes.bad(n.at, n.key, n.arg(0), "a port from 1 to 65535")
	case port == r.port:
		h.notes.add(plan.Needless, n.at, n.key, "it is the port of the real_server itself")
	default:
		h.notes.add(plan.Lost, n.at, n.key+" "+n.arg(0), "kshalb checks a backend where it sends connections, at the port of the real_server")
	}
}

// check makes one of the checks of the real servers: that of the first which has
// any. kshalb has one for all.
func (v *service) check() plan.Check {
	i := slices.IndexFunc(v.reals, func(r *real) bool { return r.probe != nil })
	if i < 0 {
		c := plan.Check{Type: plan.Because("tcp", v.at, "no real_server has a check")}
		v.host.notes.add(plan.Changed, v.at, "virtual_server without checks", "keepalived takes its real servers for up always; kshalb checks whether they accept connections")
		v.pace.set(v.host, &c)
		return c
	}
	c := v.reals[i].probe.check(v.host)
	for _, r := range v.reals {
		if r.probe == nil || !same(c, r.probe.check(v.host)) {
			v.host.notes.add(plan.Changed, r.at, "real_server with a check of its own", "kshalb has one check for all backends of a listener; that of the first real_server was taken")
		}
	}
	return c
}

// check is what a probe becomes.
func (p *probe) check(h *host) plan.Check {
	c := plan.Check{Type: p.kind}
	p.pace.set(h, &c)
	if p.kind.V == "tcp" {
		if p.host.Given() {
			h.notes.add(plan.Needless, p.host.From, "virtualhost", "the check only connects")
		}
		return c
	}
	c.Path, c.Expect, c.Host = p.path, p.expect, p.host
	if !c.Path.Given() {
		c.Path = plan.Because("/", p.at, "keepalived asks for / where no path stands")
	}
	if p.kind.V != "https" {
		return c
	}
	if p.sni && p.host.Given() {
		c.ServerName = plan.Because(hostOf(p.host.V), p.host.From, "enable_sni")
	}
	h.verified(p, &c)
	return c
}
