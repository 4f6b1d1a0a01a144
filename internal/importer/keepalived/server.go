package keepalived

import (
	"fmt"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// server is a virtual_server of one host, and the listeners that it becomes.
type server struct {
	at        plan.Source
	listeners []plan.Listener
	direct    bool // backends have the address, too: DR or TUN
}

// service is what a virtual_server says.
type service struct {
	host        *host
	at          plan.Source
	balance     plan.Value[string]
	weighted    bool // its scheduler looks at weights
	failover    bool // of its scheduler, the heaviest real server that is up has all
	kind        plan.Value[string]
	persistence plan.Value[bool]
	inhibit     bool
	pace        pace
	vhost       plan.Value[string]
	reals       []*real
	sorry       *real
}

// What one host can have at most.
const (
	maxListeners = 128
	maxReals     = 256 // of one virtual server
)

const whyUDP = "kshalb carries TCP only; keep something else for it"

var serviceRules = rules{}.
	with(plan.Lost, "quorum_up quorum_down", whyScripts).
	with(plan.Lost, "smtp_alert", whyMail).
	with(plan.Needless, "flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback ops nat_mask lvs_debug ip_family", whyKernel).
	with(plan.Lost, "persistence_engine persistence_granularity", "kshalb takes the client's whole address; see balance: source").
	with(plan.Changed, "alpha", "kshalb takes no backend for up before its first check, always").
	with(plan.Needless, "omega", whyScripts).
	with(plan.Changed, "ha_suspend", "kshalb checks backends every 2s where the address is not held, see check.standbyInterval").
	with(plan.Changed, "hysteresis", "kshalb serves as long as one backend is up").
	with(plan.Needless, "snmp_name", "kshalb has no SNMP").
	with(plan.Needless, "sorry_server_inhibit", whyKernel).
	with(plan.Changed, "sorry_server_lvs_method", whyProxy)

// services take what stands in a virtual_server, beside what its checks inherit.
var services = map[string]func(*service, *node){
	"lb_algo": (*service).algorithm, "lvs_sched": (*service).algorithm, "lb_kind": (*service).forwards, "lvs_method": (*service).forwards,
	"protocol": (*service).speaks, "persistence_timeout": (*service).persists, "quorum": (*service).needs,
	"inhibit_on_failure": func(v *service, n *node) { v.inhibit = on(n) }, "virtualhost": func(v *service, n *node) { v.vhost = v.host.vhostOf(n) },
}

// virtualServer reads virtual_server.
func (h *host) virtualServer(b *node) {
	places := h.places(b)
	if !h.overTCP(b) {
		return
	}
	v := &service{host: h, at: b.at}
	for _, n := range b.kids {
		if !isServer(n) {
			v.setting(b, n)
		}
	}
	for _, n := range b.kids {
		if isServer(n) {
			v.server(n)
		}
	}
	switch {
	case len(places) == 0:
	case len(v.reals) == 0 && v.sorry == nil:
		h.notes.add(plan.Fault, b.at, "virtual_server "+places[0].String(), "it has no real_server that could be read; it is left out")
	default:
		h.serve(v, places)
	}
}

// serve makes a listener of each place.
func (h *host) serve(v *service, places []place) {
	s := &server{at: v.at, direct: v.direct()}
	check := v.check()
	for _, p := range places {
		if h.listeners++; h.listeners > maxListeners {
			h.notes.add(plan.Lost, p.at, "virtual servers", "of more than 128 addresses and ports the rest was left out; a kshalb with so many is hard to look after, so think of several")
			break
		}
		s.listeners = append(s.listeners, v.listener(p, check))
	}
	h.servers = append(h.servers, s)
}

func (v *service) setting(b, n *node) {
	if take, ok := services[n.key]; ok {
		take(v, n)
		return
	}
	if !v.pace.take(v.host, n) {
		v.host.notes.other(n, b.key, serviceRules)
	}
}

// isServer tells what inherits the settings beside it.
func isServer(n *node) bool { return n.key == "real_server" || n.key == "sorry_server" }

func (v *service) server(n *node) {
	switch {
	case n.key == "sorry_server":
		v.sorry = v.target(n)
	case len(v.reals) == maxReals:
		v.host.notes.add(plan.Lost, n.at, n.key, "of more than 256 the rest was left out")
	default:
		v.real(n)
	}
}

// overTCP tells whether a virtual server is for TCP. Without a protocol keepalived
// 2.2.7 takes UDP; where its checks speak TCP, that is what was meant.
func (h *host) overTCP(b *node) bool {
	protocol := b.find("protocol")
	switch {
	case protocol == nil && b.probesTCP():
		h.notes.add(plan.Fault, b.at, "virtual_server without protocol", "keepalived takes UDP then, but its checks speak TCP, so it was carried over for TCP; write protocol TCP")
		return true
	case protocol == nil:
		h.notes.add(plan.Lost, b.at, "virtual_server without protocol", "keepalived takes UDP then, and kshalb carries TCP only; if TCP was meant, write protocol TCP and read the file again")
		return false
	case protocol.arg(0) == "UDP" || protocol.arg(0) == "SCTP":
		h.notes.add(plan.Lost, b.at, "virtual_server with protocol "+protocol.arg(0), whyUDP)
		return false
	}
	return true
}

// find is the last statement with a keyword in a block.
func (n *node) find(key string) (found *node) {
	for _, k := range n.kids {
		if k.key == key {
			found = k
		}
	}
	return found
}

// probesTCP looks for a check of a real server that speaks TCP.
func (n *node) probesTCP() bool {
	return slices.ContainsFunc(n.kids, func(r *node) bool {
		return r.key == "real_server" && slices.ContainsFunc(r.kids, func(c *node) bool {
			return c.key == "SSL_GET" || c.key == "HTTP_GET" || c.key == "TCP_CHECK" || c.key == "SMTP_CHECK"
		})
	})
}

// speaks refuses what is no protocol; UDP and SCTP never come here.
func (v *service) speaks(n *node) {
	if n.arg(0) != "TCP" {
		v.host.notes.bad(n.at, n.key, n.arg(0), "TCP, UDP or SCTP")
	}
}

// needs is the weight that has to be up for the service to be.
func (v *service) needs(n *node) {
	q, ok := number(n.arg(0), 1, 1<<31-1)
	switch {
	case !ok:
		v.host.notes.bad(n.at, n.key, n.arg(0), "a number from 1")
	case q == 1:
		v.host.notes.add(plan.Needless, n.at, n.key+" 1", "kshalb serves as long as one backend is up, too")
	default:
		v.host.notes.add(plan.Changed, n.at, fmt.Sprintf("%s %d", n.key, q), "kshalb serves as long as one backend is up")
	}
}

// listener is what a service becomes at one place.
func (v *service) listener(p place, check plan.Check) plan.Listener {
	l := plan.Listener{
		Address: plan.Of(p.addr, p.at),
		Port:    plan.Of(p.port, p.at),
		Balance: v.balanced(),
		Check:   check,
		Timeouts: plan.Timeouts{
			Idle:       bounded(v.host.idle, maxIdle),
			HalfClosed: bounded(v.host.fin, maxIdle),
		},
	}
	l.Backends, l.OnDown = v.backends(p), v.onDown()
	return l
}

// onDown keeps connections where all real servers have it so.
func (v *service) onDown() plan.Value[string] {
	if len(v.reals) == 0 || slices.ContainsFunc(v.reals, func(r *real) bool { return !r.inhibit }) {
		return plan.Value[string]{}
	}
	return plan.Because("keep", v.reals[0].at, "inhibit_on_failure keeps the connections that are")
}
