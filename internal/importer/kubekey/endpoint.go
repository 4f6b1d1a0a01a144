package kubekey

import (
	"fmt"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// endpoint is what the steps need to know of how the file balances now.
type endpoint struct {
	at        plan.Source
	v4        bool
	balancer  string // "", haproxy or kube-vip
	clean     bool   // nothing is to be changed in the file
	noHosts   bool   // KubeKey does not write /etc/hosts
	manifests string // of static pods, where that is not the usual folder
}

var endpointKeys = []string{"internalLoadbalancer", "domain", "externalDNS", "address", "port", "kubevip"}

// readEndpoint reads spec.controlPlaneEndpoint of a Cluster.
func (r *reader) readEndpoint(n yamlnode.Node) {
	m := yamlnode.Open(n)
	m.Doubles(&r.p)
	r.end.at = or(n.At(), r.cluster.At())
	r.domain(m.Take("domain"), "controlPlaneEndpoint.domain")
	balancer, address := m.Take("internalLoadbalancer"), m.Take("address")
	r.balancer(balancer, "controlPlaneEndpoint.internalLoadbalancer")
	if r.end.balancer == "haproxy" && address.Text() != "" {
		r.p.Note(plan.Fault, address.At(), "controlPlaneEndpoint.address beside internalLoadbalancer: haproxy", "KubeKey stops at that; with kshalb set internalLoadbalancer to \"\"")
	}
	if dns := m.Take("externalDNS"); dns.Text() == "true" {
		r.end.noHosts = true
		r.p.Note(plan.Changed, dns.At(), "controlPlaneEndpoint.externalDNS", "KubeKey writes no /etc/hosts then, and wants address to be empty: your DNS has to give the VIP for the domain")
	} else if _, ok := yamlnode.Bool(dns); dns.Given() && !ok {
		r.p.Note(plan.Fault, dns.At(), "controlPlaneEndpoint.externalDNS "+yamlnode.Shown(dns), "is neither true nor false")
	}
	r.vip(address, "controlPlaneEndpoint.address")
	r.ports(m.Take("port"))
	r.end.clean = r.end.balancer == "" && len(r.p.VIPs) > 0
	r.kubeVip(yamlnode.Open(m.Take("kubevip")))
	r.unknown(m, "controlPlaneEndpoint.", endpointKeys)
}

func (r *reader) domain(n yamlnode.Node, what string) {
	switch text := n.Text(); {
	case text == "":
		r.p.Domain = plan.Because(defaultDomain, or(n.At(), r.end.at), "KubeKey's default")
	case !yamlnode.IsDomain(text):
		r.p.Note(plan.Fault, n.At(), what+" "+yamlnode.Shown(n), "is no name that DNS or /etc/hosts could hold")
	default:
		r.p.Domain = plan.Of(strings.TrimSuffix(text, "."), n.At())
	}
}

// balancer notes what KubeKey would put in front of the API servers by itself.
func (r *reader) balancer(n yamlnode.Node, what string) {
	switch n.Text() {
	case "", "none", "local":
	case "haproxy":
		r.end.balancer = "haproxy"
		r.p.Note(plan.Changed, n.At(), what+": haproxy", "a HAProxy of its own on 127.0.0.1 of each worker; kshalb on the masters serves all hosts at one VIP, and checks /readyz each 500ms rather than each 15s")
	case "kube-vip", "kube_vip", "kubevip":
		r.end.balancer = "kube-vip"
		r.p.Note(plan.Changed, n.At(), what+": kube-vip", "kshalb holds the VIP in its place, and needs neither the API server for its election nor IPVS")
		r.p.Note(plan.Lost, n.At(), "kube-vip's addresses of Services", "KubeKey has kube-vip serve Services of type LoadBalancer too (svc_enable); kshalb does not, so use MetalLB, OpenELB or a kube-vip without cp_enable if there are such Services")
	default:
		r.p.Note(plan.Fault, n.At(), what+" "+yamlnode.Shown(n), "KubeKey knows haproxy, kube-vip and the empty one; it was taken as empty")
	}
}

func (r *reader) kubeVip(m *yamlnode.Map) {
	mode := m.Take("mode")
	switch {
	case !mode.Given() || mode.Text() == "":
	case strings.EqualFold(mode.Text(), "BGP"):
		why := "kshalb announces the VIP by ARP and NDP alone: the masters have to be in one network, without routers between them"
		if r.end.balancer != "kube-vip" {
			why = "KubeKey heeds it only together with kube-vip; and " + why
		}
		r.p.Note(plan.Lost, mode.At(), "kube-vip's mode BGP", why)
	default:
		r.p.Note(plan.Needless, mode.At(), "kube-vip's mode "+yamlnode.Shown(mode), "kshalb always announces the VIP by ARP and NDP")
	}
	m.Needless(&r.p, "kube-vip: ", "it goes with kube-vip")
}

// vip takes an address as the VIP, if it can be one.
func (r *reader) vip(n yamlnode.Node, what string) {
	const tell = "choose a free address of the masters' own network, tell it with --vip and set it here"
	at := or(n.At(), r.end.at)
	addr, ok := yamlnode.Addr(n.Text())
	why := ""
	switch owner := r.owner(addr); {
	case n.Text() == "":
		why = "KubeKey takes the first master's address then, which goes with that master; " + tell
	case strings.Contains(n.Text(), "{{"):
		why = "a template is not computed here; tell its value with --vip"
	case !ok:
		why = "is no IP address; " + tell
	case !yamlnode.Floats(addr):
		why = "cannot float between masters; " + tell
	case owner != nil:
		why = fmt.Sprintf("is the address of %s itself; %s", yamlnode.Word(owner.name), tell)
	default:
		r.p.VIPs = append(r.p.VIPs, plan.VIP{Address: plan.Of(addr, n.At())})
		return
	}
	shown := yamlnode.Shown(n)
	if !n.Given() {
		shown = `""`
	}
	r.p.Note(plan.Fault, at, what+" "+shown, why)
}

// ports makes the listener: where clients connect, and where the API servers are.
func (r *reader) ports(n yamlnode.Node) {
	l := plan.Listener{Port: plan.Because(defaultPort, or(n.At(), r.end.at), "KubeKey's default")}
	l.PeersPort = plan.Because(defaultPort, r.end.at, "KubeKey's API servers are always there")
	if port, ok := yamlnode.Port(n); ok {
		l.Port = plan.Of(port, n.At())
		if strings.HasSuffix(r.cluster.Get("apiVersion").Text(), "/v1alpha1") && port != defaultPort {
			l.PeersPort = plan.Because(port, n.At(), "KubeKey 1 has the API servers on the same port (kubekey issue 1061)")
		}
	} else if n.Text() != "" || n.Given() && !n.IsText() {
		r.p.Note(plan.Fault, n.At(), "controlPlaneEndpoint.port "+yamlnode.Shown(n), fmt.Sprintf("is no port from 1 to 65535; %d was taken", defaultPort))
	}
	r.listen(l)
}

func (r *reader) listen(l plan.Listener) {
	if len(r.p.VIPs) > 0 {
		l.Address = r.p.VIPs[0].Address
	}
	r.p.Listeners = append(r.p.Listeners, l)
}
