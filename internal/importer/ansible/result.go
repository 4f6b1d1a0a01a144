package ansible

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

const (
	defaultDomain = "lb.kubesphere.local" // roles/kubesphere-defaults of ks-installer
	defaultPort   = 6443
)

// peers are the masters, and the first of them the one that is made first.
func (r *reader) peers() {
	for _, name := range groupsOfMasters {
		g := r.inventory.groups[name]
		if g == nil {
			continue
		}
		hosts := r.members(name)
		for _, h := range hosts {
			r.peer(h)
		}
		if n := len(hosts); n > 0 {
			if n%2 == 0 {
				r.note(plan.Changed, g.at, fmt.Sprintf("[%s] has %d hosts", name, n), "an even number bears the loss of no more masters than one less does; add one, or a host that only votes")
			}
			if yamlnode.IsName(hosts[0].name) {
				r.p.Bootstrap = plan.Because(hosts[0].name, hosts[0].at, "the installer makes the cluster's first master of the first host of the group")
			}
			return
		}
		r.note(plan.Fault, g.at, "["+name+"] has no hosts", "there is no master in it")
	}
}

func (r *reader) peer(h *host) {
	var p plan.Peer
	if yamlnode.IsName(h.name) {
		p.Name = plan.Of(h.name, h.at)
	}
	a, ok := h.address()
	if ok {
		p.Address = a
	} else {
		r.note(plan.Fault, h.at, "host "+h.name+" has no IP address", "a master is a peer of kshalb: write ip=ADDRESS, one that the other masters reach, or tell it by --masters")
	}
	if other, told := h.vars["access_ip"]; told && ok && other.V != a.V.String() {
		r.note(plan.Changed, other.From, "access_ip of "+h.name, fmt.Sprintf("%s was taken, which is the host's own address; write the other one where masters reach each other by it only", a.V))
	}
	r.p.Peers = append(r.p.Peers, p)
}

// etcd counts its members.
func (r *reader) etcd() {
	g := r.inventory.groups["etcd"]
	if g == nil {
		return
	}
	switch n := len(r.members("etcd")); {
	case n == 0:
		r.note(plan.Fault, g.at, "[etcd] has no hosts", "a cluster needs at least one, better three")
	case n%2 == 0:
		r.note(plan.Fault, g.at, fmt.Sprintf("[etcd] has %d hosts", n), "the number has to be odd: an even one bears the loss of no more members than one less does")
	}
}

// balancer is the VIP and its listener.
func (r *reader) balancer(file plan.Source) {
	v := r.vars
	r.p.Domain = v.domain
	if d := v.domain; d.Given() && !yamlnode.IsDomain(d.V) {
		r.note(plan.Fault, d.From, "apiserver_loadbalancer_domain_name", "it is no name of the DNS; it is left out")
		r.p.Domain = plan.Value[string]{}
	}
	if !v.domain.Given() {
		r.p.Domain = plan.Because(defaultDomain, at(v.at, file), "the installer's default")
	}
	if l := v.localhost; l.Given() && (l.V == "true" || l.V == "True" || l.V == "yes") {
		r.note(plan.Changed, l.From, "loadbalancer_apiserver_localhost", "the installer runs a balancer on each worker; set it to false for them to use the address, or have kshalb there: kshalb manifest --role node")
	}
	var vip plan.Value[netip.Addr]
	if v.address.Given() {
		a, ok := yamlnode.Addr(v.address.V)
		if ok && yamlnode.Floats(a) {
			vip = plan.Of(a, v.address.From)
			r.p.VIPs = []plan.VIP{{Address: vip}}
		} else {
			r.note(plan.Fault, v.address.From, "address of loadbalancer_apiserver", "it is no IP address that can be a host's; tell the VIP by --vip")
		}
	} else {
		r.note(plan.Fault, at(v.at, file), "loadbalancer_apiserver has no address", "no file that was given tells the address of the balancer: give vars.yml or common.yaml too, or --vip ADDRESS")
	}
	servers := r.port(v.apiPort, plan.Because(defaultPort, at(v.at, file), "the usual port of API servers"), "kube_apiserver_port")
	clients := r.port(v.port, plan.Because(servers.V, servers.From, "no port of the balancer is told: that of the API servers"), "port of loadbalancer_apiserver")
	r.p.Listeners = []plan.Listener{{Address: vip, Port: clients, PeersPort: servers}}
}

func at(s, file plan.Source) plan.Source {
	if s.Line > 0 {
		return s
	}
	return file
}

// port is a value as a port, or what else holds.
func (r *reader) port(v plan.Value[string], instead plan.Value[int], what string) plan.Value[int] {
	if !v.Given() {
		return instead
	}
	n, err := strconv.Atoi(v.V)
	if err != nil || n < 1 || n > 65535 {
		r.note(plan.Fault, v.From, what, fmt.Sprintf("it is no number from 1 to 65535; %d was taken", instead.V))
		return instead
	}
	return plan.Of(n, v.From)
}

func (r *reader) steps() {
	vip, port := "VIP", r.p.Listeners[0].Port.V
	if len(r.p.VIPs) > 0 {
		vip = r.p.VIPs[0].Address.V.String()
	}
	file := r.vars.at.File
	if file == "" {
		file = "conf/vars.yml (conf/common.yaml since 2.1)"
	}
	r.p.Steps = append(r.p.Steps,
		fmt.Sprintf("In %s have loadbalancer_apiserver: not commented out, and under it, indented by two blanks, address: %s and port: %d.", file, vip, port),
		"For a new cluster: have kshalb run on every master before the installer is started, with its configuration and key in /etc/kshalb; until API servers run their state is down, which is in order, and clients are refused at once.",
		fmt.Sprintf("See that nothing else answers for %s, and that the firewall lets clients to port %d; kshalb doctor looks.", vip, port),
		fmt.Sprintf("The installer writes %s %s into /etc/hosts of the nodes; have it wherever kubectl calls the cluster by that name.", vip, r.p.Domain.V),
	)
}
