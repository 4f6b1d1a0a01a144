package kubeadm

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// endpoint is what is known of where clients connect.
type endpoint struct {
	at       plan.Source
	bindPort plan.Value[int]
	given    bool // there is a controlPlaneEndpoint
}

const tellVIP = "choose a free address of the masters' own network and tell it with --vip"

// endpoint reads controlPlaneEndpoint, or where a JoinConfiguration goes in its
// place: HOST or HOST:PORT.
func (r *reader) endpoint(n, sans yamlnode.Node) {
	what := "controlPlaneEndpoint"
	r.end.at = n.At()
	if r.joinsAt.Given() && n.Given() && r.joinsAt.Text() != n.Text() {
		r.p.Note(plan.Changed, r.joinsAt.At(), "apiServerEndpoint "+yamlnode.Shown(r.joinsAt), "is not controlPlaneEndpoint, which was taken; nodes had better join at that, too")
	}
	if !n.Given() && r.joinsAt.Given() {
		n, what = r.joinsAt, "apiServerEndpoint"
	}
	if r.end.at == (plan.Source{}) {
		r.end.at = r.anywhere(n)
	}
	l := plan.Listener{Port: plan.Because(defaultPort, r.end.at, "kubeadm's default"), PeersPort: plan.Because(defaultPort, r.end.at, "kubeadm's default")}
	if r.end.bindPort.Given() {
		l.Port, l.PeersPort = r.end.bindPort, r.end.bindPort
	}
	host, port := split(n.Text())
	if port.Given() {
		if p, ok := yamlnode.Port(port); ok {
			l.Port = plan.Of(p, n.At())
		} else {
			r.p.Note(plan.Fault, n.At(), what, fmt.Sprintf("its port is none from 1 to 65535; %d was taken", l.Port.V))
		}
	}
	r.host(host, n, what)
	if len(r.p.VIPs) > 0 {
		l.Address = r.p.VIPs[0].Address
	}
	r.p.Listeners = []plan.Listener{l}
	r.certificate(sans)
}

// anywhere is a place for what is nowhere.
func (r *reader) anywhere(n yamlnode.Node) plan.Source {
	switch {
	case n.Given():
		return n.At()
	case r.cluster.Given():
		return r.cluster.At()
	default:
		return r.nodes[0].At()
	}
}

// split parts HOST:PORT; the port is absent when there is none.
func split(text string) (host string, port yamlnode.Node) {
	if host, p, err := net.SplitHostPort(text); err == nil {
		return host, yamlnode.Text(p, plan.Source{})
	}
	return strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), yamlnode.Node{}
}

// host makes a VIP of an address, and the domain of a name.
func (r *reader) host(host string, n yamlnode.Node, what string) {
	addr, isAddr := yamlnode.Addr(host)
	shown := what + " " + yamlnode.Shown(n)
	switch {
	case n.Text() == "":
		r.p.Note(plan.Fault, r.end.at, "no controlPlaneEndpoint", "kubeadm makes clusters without one for a single master for good; set it to a name for the VIP, and "+tellVIP)
	case isAddr && !yamlnode.Floats(addr):
		r.p.Note(plan.Fault, n.At(), shown, "is no address that could float between masters; "+tellVIP)
	case isAddr && r.isPeer(host):
		r.p.Note(plan.Fault, n.At(), shown, "is the address of a master itself, and goes with that master; "+tellVIP)
	case isAddr:
		r.end.given = what == "controlPlaneEndpoint"
		r.p.VIPs = []plan.VIP{{Address: because(addr, n, host)}}
	case yamlnode.IsDomain(host):
		r.end.given = what == "controlPlaneEndpoint"
		r.p.Domain = plan.Of(strings.TrimSuffix(host, "."), n.At())
		r.p.Note(plan.Fault, n.At(), shown, "is a name, which does not tell the VIP: tell the address that it stands for with --vip, and make sure that it is the VIP and no master's own")
	default:
		r.p.Note(plan.Fault, n.At(), shown, "is neither an IP address nor a name; is something still to be filled in? Else "+tellVIP)
	}
}

func because(addr netip.Addr, n yamlnode.Node, host string) plan.Value[netip.Addr] {
	if host == n.Text() {
		return plan.Of(addr, n.At())
	}
	return plan.Because(addr, n.At(), "without the port")
}
