package kubekey

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/kube"
)

const cpe = "control_plane_endpoint."

// ofAPIServer is KubeKey's own default for the endpoint's port.
var ofAPIServer = regexp.MustCompile(`^\{\{-?\s*\.kubernetes\.apiserver\.port\s*-?\}\}$`)

var v4EndpointKeys = []string{"host", "port", "type", "local", "kube_vip", "haproxy"}

// readConfig reads spec of a Config.
func (r *reader) readConfig(spec yamlnode.Node) {
	m := yamlnode.Open(spec)
	m.Doubles(&r.p)
	k := yamlnode.Open(m.Take("kubernetes"))
	k.Doubles(&r.p)
	name := k.Take("cluster_name")
	if name.Given() && !yamlnode.IsName(name.Text()) {
		r.p.Note(plan.Changed, name.At(), "cluster_name "+yamlnode.Shown(name), "kshalb does not take it as the name of a cluster; choose one of up to 63 letters, digits, '.', '_' or '-'")
	}
	server := yamlnode.Open(k.Take("apiserver"))
	serverPort := server.Take("port")
	end := k.Take("control_plane_endpoint")
	r.end.at = or(end.At(), or(k.At(), r.config.At()))
	if end.IsText() {
		r.domain(end, "control_plane_endpoint")
	}
	r.v4Endpoint(yamlnode.Open(end), serverPort)
	server.Take("certSANs")
	kube.Carry(&r.p, kube.Args(server.Take("extra_args")), "kubernetes.apiserver.extra_args")
	server.Needless(&r.p, "kubernetes.apiserver: ", "the API server's own")
	k.Needless(&r.p, "kubernetes: ", "what KubeKey installs; a balancer in front has no part in it")
	cni := m.Take("cni")
	for _, key := range []string{"pod_cidr", "service_cidr"} {
		kube.Networks(&r.p, cni.Get(key), "cni."+key)
	}
	if cni.Given() {
		r.p.Note(plan.Needless, cni.At(), "cni", "the network of pods; kshalb's VIP is in that of the masters")
	}
	m.Needless(&r.p, "", "what KubeKey installs besides; it stays in KubeKey's file, and passwords in it were not read")
}

// v4Endpoint reads control_plane_endpoint.
func (r *reader) v4Endpoint(m *yamlnode.Map, serverPort yamlnode.Node) {
	m.Doubles(&r.p)
	host := m.Take("host")
	if addr, ok := yamlnode.Addr(host.Text()); ok {
		r.p.Note(plan.Changed, host.At(), "control_plane_endpoint.host "+yamlnode.Shown(host), fmt.Sprintf("clients call the address %s and no name; it has to be the VIP", addr))
	} else if !r.p.Domain.Given() {
		r.domain(host, cpe+"host")
	}
	kind := m.Take("type")
	r.balancer(kind, cpe+"type")
	local, kubeVip, haproxy := yamlnode.Open(m.Take("local")), yamlnode.Open(m.Take("kube_vip")), yamlnode.Open(m.Take("haproxy"))
	addresses := map[string]*yamlnode.Map{"": local, "kube-vip": kubeVip, "haproxy": haproxy}
	r.v4VIP(addresses[r.end.balancer], host)
	r.v4Ports(m.Take("port"), serverPort)
	r.end.clean = r.end.balancer == "" && len(r.p.VIPs) > 0
	for _, other := range []struct {
		name string
		m    *yamlnode.Map
	}{{"local", local}, {"kube_vip", kubeVip}, {"haproxy", haproxy}} {
		other.m.Doubles(&r.p)
		r.kubeVipKeys(other.name, other.m)
		other.m.Needless(&r.p, cpe+other.name+": ", "it goes with KubeKey's own "+other.name)
	}
	r.unknown(m, cpe, v4EndpointKeys)
}

// v4VIP takes the address of the balancer that is on, or the host if that is one.
func (r *reader) v4VIP(m *yamlnode.Map, host yamlnode.Node) {
	address := m.Take("address")
	if r.end.balancer == "haproxy" {
		r.p.Note(plan.Fault, r.end.at, "control_plane_endpoint: no VIP", "KubeKey's haproxy is on an address of each worker alone; choose a free address of the masters' own network, tell it with --vip and set it as local.address")
		return
	}
	if _, ok := yamlnode.Addr(host.Text()); ok && address.Text() == "" {
		r.vip(host, cpe+"host")
		return
	}
	where := "local.address"
	if r.end.balancer == "kube-vip" {
		where = "kube_vip.address"
	}
	r.vip(address, cpe+where)
}

// kubeVipKeys reads what of kube_vip is more than needless.
func (r *reader) kubeVipKeys(name string, m *yamlnode.Map) {
	if name != "kube_vip" {
		return
	}
	mode := m.Take("mode")
	if strings.EqualFold(mode.Text(), "BGP") {
		r.p.Note(plan.Lost, mode.At(), cpe+"kube_vip.mode BGP", "kshalb announces the VIP by ARP and NDP alone: the masters have to be in one network, without routers between them")
	}
	if address := m.Take("address"); r.end.balancer != "kube-vip" && address.Text() != "" {
		r.p.Note(plan.Changed, address.At(), cpe+"kube_vip.address "+yamlnode.Shown(address), "KubeKey heeds it with type kube-vip only, and so it was not taken as the VIP; tell it with --vip if it is")
	}
}

// v4Ports makes the listener of the endpoint's port and the API servers'.
func (r *reader) v4Ports(n, server yamlnode.Node) {
	at := r.end.at
	l := plan.Listener{PeersPort: plan.Because(defaultPort, at, "KubeKey's default")}
	if port, ok := yamlnode.Port(server); ok {
		l.PeersPort = plan.Because(port, server.At(), "apiserver.port")
	} else if server.Given() {
		r.p.Note(plan.Fault, server.At(), "kubernetes.apiserver.port "+yamlnode.Shown(server), fmt.Sprintf("is no port from 1 to 65535; %d was taken", defaultPort))
	}
	port, ok := yamlnode.Port(n)
	switch {
	case ok:
		l.Port = plan.Of(port, n.At())
		if port != l.PeersPort.V {
			r.p.Note(plan.Changed, n.At(), fmt.Sprintf("%sport %d, where the API servers have %d", cpe, port, l.PeersPort.V), "KubeKey before 4.0.4 leaves the port out of kubeadm's controlPlaneEndpoint (kubekey issue 3021), so that clients are sent to the API servers' port; use a later one")
		}
	case n.Text() == "" || ofAPIServer.MatchString(n.Text()):
		l.Port = plan.Because(l.PeersPort.V, or(n.At(), l.PeersPort.From), "as kubernetes.apiserver.port")
		if !server.Given() && n.Text() != "" {
			r.p.Note(plan.Changed, n.At(), cpe+"port is a template", fmt.Sprintf("of kubernetes.apiserver.port, which is not in the file; %d, KubeKey's default, was taken", defaultPort))
		}
	default:
		l.Port = plan.Because(defaultPort, n.At(), "KubeKey's default")
		why := "is no port from 1 to 65535"
		if strings.Contains(n.Text(), "{{") {
			why = "a template that is not computed here"
		}
		r.p.Note(plan.Fault, n.At(), cpe+"port", fmt.Sprintf("%s; %d was taken, tell another with --port", why, defaultPort))
	}
	r.listen(l)
}
