package keepalived

import (
	"github.com/kshalb/kshalb/internal/importer/plan"
)

// algorithm is one of the kernel's schedulers.
type algorithm struct {
	balance  string
	weighted bool
	why      string // how kshalb's way differs; "" is not at all
}

const (
	byNearest  = "kshalb has nothing like it; leastconn comes closest"
	byLeast    = "of the same connections kshalb picks in much the same way"
	byOnlyDest = "it goes by the address that clients ask for, of which there is one here; kshalb takes turns"
)

var algorithms = map[string]algorithm{
	"rr":    {"roundrobin", false, ""},
	"wrr":   {"roundrobin", true, ""},
	"lc":    {"leastconn", false, ""},
	"wlc":   {"leastconn", true, ""},
	"sed":   {"leastconn", true, byLeast},
	"nq":    {"leastconn", true, byLeast},
	"lblc":  {"leastconn", true, byNearest},
	"lblcr": {"leastconn", true, byNearest},
	"ovf":   {"leastconn", true, byNearest},
	"sh":    {"source", true, ""},
	"mh":    {"source", true, ""},
	"dh":    {"roundrobin", true, byOnlyDest},
	"fo":    {"roundrobin", false, ""},
	"twos":  {"random2", true, ""},
}

const whyProxy = "with IPVS packets go to the backends as they are; kshalb is a proxy: backends see the node's address, and answer it." +
	" Where they must see the client's, and this host is their gateway, write source: client"

func (v *service) algorithm(n *node) {
	a, ok := algorithms[n.arg(0)]
	if !ok {
		v.host.notes.bad(n.at, n.key, n.arg(0), "a scheduler such as rr, wrr, lc, wlc or sh; keepalived takes wlc instead")
		return
	}
	v.balance, v.weighted, v.failover = plan.Because(a.balance, n.at, n.key+" "+n.arg(0)), a.weighted, n.arg(0) == "fo"
	if a.why != "" {
		v.host.notes.add(plan.Changed, n.at, n.key+" "+n.arg(0), a.why)
	}
}

// balanced is how a backend is picked.
func (v *service) balanced() plan.Value[string] {
	switch {
	case v.persistence.Given():
		return plan.Because("source", v.persistence.From, "persistence_timeout keeps clients where they are")
	case !v.balance.Given():
		v.weighted = true
		return plan.Because("leastconn", v.at, "keepalived takes wlc where it finds no scheduler")
	}
	return v.balance
}

// kinds are what lb_kind may be.
var kinds = map[string]string{"NAT": "NAT", "DR": "DR", "TUN": "TUN", "nat": "NAT", "dr": "DR", "tun": "TUN"}

func (v *service) forwards(n *node) {
	kind, ok := kinds[n.arg(0)]
	if !ok {
		v.host.notes.bad(n.at, n.key, n.arg(0), "NAT, DR or TUN")
		return
	}
	v.kind = plan.Of(kind, n.at)
	v.host.notes.add(plan.Changed, n.at, n.key+" "+kind, whyProxy)
	if kind != "NAT" {
		v.host.notes.add(plan.Changed, n.at, "the address on the backends", "with "+kind+" each backend has the address as well, on lo or a tunnel; with kshalb it must not."+
			" See the next steps, and see that backends listen on addresses of their own")
	}
}

func (v *service) direct() bool { return v.kind.V == "DR" || v.kind.V == "TUN" }

func (v *service) persists(n *node) {
	s, ok := number(n.arg(0), 0, 1<<31-1)
	switch {
	case !ok && n.arg(0) != "":
		v.host.notes.bad(n.at, n.key, n.arg(0), "a number of seconds")
	case ok && s == 0:
		v.host.notes.add(plan.Needless, n.at, n.key+" 0", "it is no persistence, and keepalived does not take it")
	default:
		v.persistence = plan.Of(true, n.at)
		v.host.notes.add(plan.Changed, n.at, n.key, "kshalb keeps a client at its backend by its address, for as long as that backend is up, and without"+
			" remembering: balance: source. The API server needs no such thing: with roundrobin or leastconn the load is more even")
	}
}

// firstOnly makes all but the heaviest backends ones that stand in, as the
// scheduler fo does.
func (v *service) firstOnly(backends []plan.Backend) {
	if !v.failover || len(backends) == 0 {
		return
	}
	best := v.reals[0]
	for _, r := range v.reals {
		if r.weight.V > best.weight.V {
			best = r
		}
	}
	for i := range backends {
		if b := &backends[i]; b.From != best.at {
			b.Backup = plan.Because(true, b.From, "the scheduler fo has the heaviest serve")
		}
	}
}
