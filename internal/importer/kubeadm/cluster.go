package kubeadm

import (
	"fmt"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/kube"
)

var (
	clusterKeys = []string{"clusterName", "controlPlaneEndpoint", "apiServer"}
	restKeys    = []string{
		"kubernetesVersion", "certificatesDir", "imageRepository", "controllerManager", "scheduler", "dns", "proxy",
		"etcd", "networking", "featureGates", "encryptionAlgorithm", "certificateValidityPeriod", "caCertificateValidityPeriod", "useHyperKubeImage",
	}
	serverKeys = []string{"timeoutForControlPlane", "extraVolumes", "extraEnvs"}
)

// read makes the plan of all documents.
func (r *reader) read() {
	for _, d := range r.nodes {
		r.readNode(d)
	}
	r.readStatus()
	m := yamlnode.Open(r.cluster)
	m.Doubles(&r.p)
	m.Take("apiVersion")
	m.Take("kind")
	r.name(m.Take("clusterName"))
	server := yamlnode.Open(m.Take("apiServer"))
	sans := server.Take("certSANs")
	r.endpoint(m.Take("controlPlaneEndpoint"), sans)
	r.server(server)
	etcd, networking := m.Take("etcd"), m.Take("networking")
	if external := etcd.Get("external", "endpoints"); external.IsList() {
		kube.Even(&r.p, external.At(), "etcd.external.endpoints", len(external.Items()))
	}
	for _, key := range []string{"podSubnet", "serviceSubnet"} {
		kube.Networks(&r.p, networking.Get(key), "networking."+key)
	}
	r.needless(m, "ClusterConfiguration", "a balancer in front of the API servers has no part in it", restKeys)
	r.unknown(m, "ClusterConfiguration", append(clusterKeys, restKeys...))
	if r.first != "" && yamlnode.IsName(r.first) {
		r.bootstrap()
	}
	r.steps()
}

// bootstrap names the node that kubeadm init makes.
func (r *reader) bootstrap() {
	for _, p := range r.p.Peers {
		if p.Name.V == r.first {
			r.p.Bootstrap = plan.Because(r.first, p.Name.From, "kubeadm init makes the cluster's first master of it")
		}
	}
}

func (r *reader) name(n yamlnode.Node) {
	switch {
	case !n.Given():
	case !yamlnode.IsName(n.Text()):
		r.p.Note(plan.Changed, n.At(), "clusterName "+yamlnode.Shown(n), "kshalb does not take it as the name of a cluster; choose one of up to 63 letters, digits, '.', '_' or '-'")
	default:
		r.p.ClusterName = plan.Of(n.Text(), n.At())
	}
}

// server reads apiServer, but for certSANs.
func (r *reader) server(m *yamlnode.Map) {
	m.Doubles(&r.p)
	args := m.Take("extraArgs")
	beta4 := strings.HasSuffix(r.cluster.Get("apiVersion").Text(), "/v1beta4")
	if args.IsMap() && beta4 {
		r.p.Note(plan.Fault, args.At(), "apiServer.extraArgs", "v1beta4 wants a list of {name: …, value: …}, and kubeadm refuses a mapping; it was read nevertheless")
	}
	if args.IsList() && !beta4 {
		r.p.Note(plan.Fault, args.At(), "apiServer.extraArgs", "a list is of v1beta4 and later, and kubeadm refuses it here; it was read nevertheless")
	}
	kube.Carry(&r.p, kube.Args(args), "apiServer.extraArgs")
	r.needless(m, "apiServer", "the API server's own", serverKeys)
	r.unknown(m, "apiServer", append([]string{"certSANs", "extraArgs"}, serverKeys...))
}

// certificate notes whether certSANs names what clients will call: kubeadm itself
// adds the host of controlPlaneEndpoint, be it a name or an address.
func (r *reader) certificate(sans yamlnode.Node) {
	if len(r.p.VIPs) > 0 || !r.p.Domain.Given() || !r.cluster.Given() {
		return
	}
	var other []string
	for _, n := range sans.Texts() {
		if addr, ok := yamlnode.Addr(n.Text()); ok && yamlnode.Floats(addr) && !r.isPeer(n.Text()) {
			other = append(other, addr.String())
		}
	}
	at := r.end.at
	if sans.Given() {
		at = sans.At()
	}
	if len(other) == 0 {
		r.p.Note(plan.Changed, at, "apiServer.certSANs without the VIP", "API servers are not known by the VIP's address then, only by the endpoint's name; add the address before clients use it")
		return
	}
	r.p.Note(plan.Changed, at, "apiServer.certSANs", fmt.Sprintf("it names addresses that are no master's here (%s); if the VIP is not among them, add it before clients use it", yamlnode.Words(other)))
}

func (r *reader) isPeer(text string) bool {
	addr, ok := yamlnode.Addr(text)
	for _, p := range r.p.Peers {
		if ok && p.Address.V == addr {
			return true
		}
	}
	return false
}
