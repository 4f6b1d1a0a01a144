package kubekey

import (
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/kube"
)

var specKeys = []string{
	"hosts", "roleGroups", "controlPlaneEndpoint", "system", "etcd", "dns", "kubernetes",
	"network", "storage", "registry", "addons", "kubesphere",
}

// readCluster reads a Cluster of v1alpha1 or v1alpha2.
func (r *reader) readCluster() {
	spec := yamlnode.Open(r.head(r.cluster))
	spec.Doubles(&r.p)
	r.readHosts(spec.Take("hosts"))
	etcd := spec.Take("etcd")
	r.roleGroups(spec.Take("roleGroups"), etcd.Get("type").Text())
	if external := etcd.Get("external", "endpoints"); external.IsList() && etcd.Get("type").Text() == "external" {
		kube.Even(&r.p, external.At(), "etcd.external.endpoints", len(external.Items()))
	}
	r.readEndpoint(spec.Take("controlPlaneEndpoint"))
	system := spec.Take("system")
	if skip := system.Get("skipConfigureOS"); skip.Text() == "true" {
		r.end.noHosts = true
		r.p.Note(plan.Changed, skip.At(), "system.skipConfigureOS", "KubeKey writes no /etc/hosts then, so the nodes have to learn the domain in another way")
	}
	r.kubernetes(spec.Take("kubernetes"))
	network := spec.Take("network")
	for _, key := range []string{"kubePodsCIDR", "kubeServiceCIDR", "podNetworkCidr", "serviceNetworkCidr"} {
		kube.Networks(&r.p, network.Get(key), "network."+key)
	}
	r.restOfHosts()
	r.restOfSpec(spec, etcd, system, network)
}

// restOfSpec notes what KubeKey installs besides.
func (r *reader) restOfSpec(spec *yamlnode.Map, parts ...yamlnode.Node) {
	var keys []string
	var at plan.Source
	add := func(key string, where plan.Source) {
		if keys == nil || where.Line < at.Line {
			at = where
		}
		keys = append(keys, key)
	}
	for i, key := range []string{"etcd", "system", "network"} {
		if parts[i].Given() {
			add(key, parts[i].At())
		}
	}
	for _, key := range specKeys {
		if n := spec.Take(key); n.Given() && slices.Contains([]string{"dns", "storage", "registry", "addons", "kubesphere"}, key) {
			add(key, n.At())
		}
	}
	if keys != nil {
		r.p.Note(plan.Needless, at, yamlnode.Words(keys), "what KubeKey installs besides; it stays in KubeKey's file, and passwords in it were not read")
	}
	r.unknown(spec, "spec.", specKeys)
}

// roleGroups reads who is a master, and counts the members of etcd.
func (r *reader) roleGroups(n yamlnode.Node, etcdType string) {
	groups := yamlnode.Open(n)
	groups.Doubles(&r.p)
	var masters []*host
	var at plan.Source
	for _, key := range []string{"master", "control-plane", "controlplane"} {
		list := groups.Take(key)
		if list.Given() && at.Line == 0 {
			at = list.At()
		}
		for _, h := range r.group(list, "roleGroups."+key) {
			if slices.Contains(masters, h) {
				r.p.Note(plan.Changed, list.At(), "roleGroups."+key+": "+yamlnode.Word(h.name), "it is in master already, and was taken once")
				continue
			}
			masters = append(masters, h)
		}
	}
	if len(masters) == 0 {
		r.p.Note(plan.Fault, or(n.At(), r.cluster.At()), "roleGroups: no master", "KubeKey needs one, in roleGroups.master or roleGroups.control-plane")
	}
	r.masters(masters, at)
	kube.Masters(&r.p, at, "roleGroups", len(masters))
	etcd := groups.Take("etcd")
	members := r.group(etcd, "roleGroups.etcd")
	if etcdType != "external" && etcdType != "kubeadm" {
		kube.Even(&r.p, etcd.At(), "roleGroups.etcd", len(members))
	}
	r.misspelt(groups, []string{"master", "control-plane", "worker", "etcd", "registry", "k8s"})
	groups.Needless(&r.p, "roleGroups: ", "kshalb runs on the masters; other groups are KubeKey's alone")
}

func or(a, b plan.Source) plan.Source {
	if a == (plan.Source{}) {
		return b
	}
	return a
}

// kubernetes reads what of spec.kubernetes matters to a balancer.
func (r *reader) kubernetes(n yamlnode.Node) {
	m := yamlnode.Open(n)
	m.Doubles(&r.p)
	version, kind := m.Take("version"), m.Take("type")
	for _, flavour := range []string{"k3s", "k8e"} {
		if kind.Text() == flavour || strings.HasSuffix(version.Text(), "-"+flavour) {
			r.flavour(flavour, or(kind.At(), version.At()))
		}
	}
	m.Take("apiserverCertExtraSans")
	kube.Carry(&r.p, kube.Args(m.Take("apiserverArgs")), "kubernetes.apiserverArgs")
	if exclude := n.Get("kubeProxyConfiguration", "ipvs", "excludeCIDRs"); exclude.Given() {
		r.p.Note(plan.Needless, exclude.At(), "kubernetes.kubeProxyConfiguration.ipvs.excludeCIDRs", "it keeps kube-proxy from kube-vip's IPVS rules; kshalb has none")
	}
	m.Needless(&r.p, "kubernetes: ", "what KubeKey installs; a balancer in front has no part in it")
}

// flavour is a distribution that has its files elsewhere, and an API server that
// tells nothing to strangers.
func (r *reader) flavour(name string, at plan.Source) {
	r.end.manifests = map[string]string{"k3s": "/var/lib/rancher/k3s/agent/pod-manifests", "k8e": "/var/lib/k8e/agent/pod-manifests"}[name]
	for i := range r.p.Listeners {
		r.p.Listeners[i].Check.Expect = plan.Because([]int{200, 401}, at, name+" has anonymous-auth off")
	}
	r.p.Note(plan.Changed, at, "kubernetes: "+name, "its API server answers 401 to /readyz without credentials, so the check takes that for an answer too; its static pods are in "+r.end.manifests)
}
