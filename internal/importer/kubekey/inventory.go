package kubekey

import (
	"fmt"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/kube"
)

// readV4 reads an Inventory and a Config, or the one that is there.
func (r *reader) readV4() {
	r.end.v4 = true
	if r.config.Given() {
		r.clusterName(r.config.Get("spec", "kubernetes", "cluster_name"))
	}
	if r.inventory.Given() {
		r.readInventory(r.head(r.inventory))
	} else {
		r.p.Note(plan.Fault, r.config.At(), "no Inventory", "it names the masters; give inventory.yaml too, or tell them with --masters")
	}
	if r.config.Given() {
		r.readConfig(r.head(r.config))
	} else {
		r.end.at = r.inventory.At()
		r.p.Domain = plan.Because(defaultDomain, r.end.at, "KubeKey's default")
		r.listen(plan.Listener{
			Port:      plan.Because(defaultPort, r.end.at, "KubeKey's default"),
			PeersPort: plan.Because(defaultPort, r.end.at, "KubeKey's default"),
		})
		r.p.Note(plan.Fault, r.inventory.At(), "no Config", "it tells the VIP and the ports; give config.yaml too, or tell the VIP with --vip")
	}
	r.restOfHosts()
}

func (r *reader) clusterName(n yamlnode.Node) {
	if yamlnode.IsName(n.Text()) {
		r.p.ClusterName = plan.Of(n.Text(), n.At())
	}
}

func (r *reader) readInventory(spec yamlnode.Node) {
	m := yamlnode.Open(spec)
	m.Doubles(&r.p)
	hosts := yamlnode.Open(m.Take("hosts"))
	hosts.Doubles(&r.p)
	for _, pair := range hosts.Rest() {
		if r.hosts[pair.Key] == nil {
			r.readHost(r.addHost(pair.Key, pair.At), pair.Value)
		}
	}
	if vars := m.Take("vars"); len(vars.Pairs()) > 0 {
		r.p.Note(plan.Changed, vars.At(), "vars of the inventory", "they are not read; a control_plane_endpoint among them belongs in the Config for kshalb to see it")
	}
	r.groups(m.Take("groups"))
	r.unknown(m, "spec.", []string{"hosts", "groups", "vars"})
}

// readHost reads a host of an Inventory.
func (r *reader) readHost(h *host, n yamlnode.Node) {
	m := yamlnode.Open(n)
	m.Doubles(&r.p)
	connector := yamlnode.Open(m.Take("connector"))
	v4, v6, login := m.Take("internal_ipv4"), m.Take("internal_ipv6"), connector.Take("host")
	h.login, _ = yamlnode.Addr(login.Text())
	r.takeAddress(h, v4, "")
	r.takeAddress(h, v6, "")
	if !h.addr.Given() {
		r.takeAddress(h, login, "the connector's, as there is no internal_ipv4 or internal_ipv6")
	}
	if _, ok := yamlnode.Addr(h.name); ok && !h.addr.Given() {
		r.takeAddress(h, named(h), "the host's name")
	}
	for _, pair := range connector.Rest() {
		r.logsIn(connector, pair.Key)
	}
	m.Needless(&r.p, "hosts: "+yamlnode.Word(h.name)+": ", "KubeKey's own variables of that host")
}

// named is the name of a host as a value.
func named(h *host) yamlnode.Node { return yamlnode.Text(h.name, h.at) }

// groups reads who is a master, and who a member of etcd.
func (r *reader) groups(n yamlnode.Node) {
	groups := yamlnode.Open(n)
	groups.Doubles(&r.p)
	control := groups.Take("kube_control_plane")
	masters := r.members(n, "kube_control_plane", nil, make(map[string]bool))
	if len(masters) == 0 {
		r.p.Note(plan.Fault, or(control.At(), or(n.At(), r.inventory.At())), "groups: no host in kube_control_plane", "it has to name the masters")
	}
	r.masters(masters, control.At())
	kube.Masters(&r.p, control.At(), "groups.kube_control_plane", len(masters))
	etcd := groups.Take("etcd")
	kube.Even(&r.p, etcd.At(), "groups.etcd", len(r.members(n, "etcd", nil, make(map[string]bool))))
	r.misspelt(groups, []string{"kube_control_plane", "kube_worker", "k8s_cluster", "etcd", "image_registry", "nfs"})
	groups.Needless(&r.p, "groups: ", "kshalb runs on the masters; other groups are KubeKey's alone")
}

// members are the hosts of a group and of the groups in it. within are the groups
// that it is in itself, read those that are done.
func (r *reader) members(groups yamlnode.Node, name string, within []string, read map[string]bool) []*host {
	read[name] = true
	group := yamlnode.Open(groups.Get(name))
	what := "groups." + yamlnode.Word(name)
	group.Doubles(&r.p)
	hosts := r.group(group.Take("hosts"), what)
	for _, child := range group.Take("groups").Items() {
		inner := child.Text()
		switch {
		case slices.Contains(within, inner) || inner == name:
			r.p.Note(plan.Fault, child.At(), what+": "+yamlnode.Word(inner), "the group is in itself")
			continue
		case !groups.Get(inner).Given():
			r.p.Note(plan.Fault, child.At(), what+": "+yamlnode.Word(inner), "there is no such group")
			continue
		case read[inner]:
			continue
		}
		for _, h := range r.members(groups, inner, append(within, name), read) {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
	}
	if vars := group.Take("vars"); len(vars.Pairs()) > 0 {
		r.p.Note(plan.Needless, vars.At(), what+".vars", "KubeKey's own variables of that group")
	}
	for _, pair := range group.Rest() {
		r.p.Note(plan.Fault, pair.At, what+": "+yamlnode.Word(pair.Key), fmt.Sprintf("%s is no key of a group; hosts, groups and vars are", yamlnode.Word(pair.Key)))
	}
	return hosts
}
