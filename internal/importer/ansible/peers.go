package ansible

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/kube"
)

// findMasters are the hosts of the first group of masters that has some.
func (r *reader) findMasters() (hosts []*host) {
	for _, name := range groupsOfMasters {
		g := r.inventory.groups[name]
		if g == nil || !g.declared {
			continue
		}
		switch all := r.inventory.members(name); {
		case len(all) == 0:
			r.note(plan.Fault, g.at, "["+name+"] has no hosts", "there is no master in it")
		case hosts == nil:
			hosts, r.masters = all, name
		case !slices.Equal(all, hosts):
			r.note(plan.Changed, g.at, "["+name+"]", "its hosts are not those of ["+r.masters+"], which were taken for the masters")
		}
	}
	if r.masters == "" && len(r.inventory.names) > 0 {
		at := r.inventory.groups[r.inventory.names[0]].at
		r.note(plan.Fault, plan.Source{File: at.File}, "no masters", "there is no group [kube-master] or [kube_control_plane] with hosts; add it, or tell the masters by --masters")
	}
	return hosts
}

// peers are the masters, and the first of them the one that is made first.
func (r *reader) peers(hosts []*host) {
	at := make(map[netip.Addr]*host)
	for _, h := range hosts {
		r.peer(h, at)
	}
	if n := len(hosts); n > 0 && n%2 == 0 {
		r.note(plan.Changed, r.inventory.groups[r.masters].at, fmt.Sprintf("[%s] has %d hosts", r.masters, n),
			"an even number bears the loss of no more masters than one less does; add one, or a host that only votes"+r.witness(hosts))
	}
	if len(hosts) > 0 && yamlnode.IsName(hosts[0].name) {
		r.p.Bootstrap = plan.Because(hosts[0].name, hosts[0].at, "the installer makes the cluster's first master of the first host of the group")
	}
}

// witness is a member of etcd that is no master, for an example.
func (r *reader) witness(masters []*host) string {
	for _, h := range r.inventory.members("etcd") {
		if a, ok := h.address(); ok && yamlnode.IsName(h.name) && !slices.Contains(masters, h) {
			return fmt.Sprintf(", such as %s of [etcd]: --witnesses %s=%s", h.name, h.name, a.V)
		}
	}
	return ": --witnesses NAME=ADDRESS"
}

func (r *reader) peer(h *host, taken map[netip.Addr]*host) {
	var p plan.Peer
	if yamlnode.IsName(h.name) {
		p.Name = plan.Of(h.name, h.at)
	} else {
		r.note(plan.Changed, h.at, "host "+h.name, "kshalb takes no such name for a peer, and gives it one of its own")
	}
	r.unusable(h)
	a, ok := h.address()
	if other := taken[a.V]; ok && other != nil {
		r.note(plan.Fault, a.From, fmt.Sprintf("%s of %s", a.V, h.name), fmt.Sprintf("%s has it too (%s); one of them was left out", other.name, other.at))
		return
	}
	switch {
	case ok:
		p.Address = a
		taken[a.V] = h
	default:
		r.note(plan.Fault, h.at, "host "+h.name+" has no IP address", "a master is a peer of kshalb: "+tellAddress+r.meant(h))
	}
	if other, told := h.value(accessKey); told && ok && other.V != a.V.String() {
		r.note(plan.Changed, other.From, "access_ip of "+h.name, fmt.Sprintf("%s was taken, which is the host's own address; write the other one where masters reach each other by it only", a.V))
	}
	r.p.Peers = append(r.p.Peers, p)
}

// meant is a host with an address that is called nearly the same.
func (r *reader) meant(h *host) string {
	var names []string
	for _, g := range r.inventory.names {
		for _, name := range r.inventory.groups[g].hosts {
			if _, ok := r.inventory.hosts[name].address(); ok && len(names) < maxRange {
				names = append(names, name)
			}
		}
	}
	if near := yamlnode.Near(h.name, names); near != "" && len(h.vars) == 0 {
		return "; is " + near + " meant?"
	}
	return ""
}

// etcd counts its members.
func (r *reader) etcd(masters []*host) {
	g := r.inventory.groups["etcd"]
	switch {
	case g == nil && len(masters) > 0:
		r.note(plan.Fault, r.inventory.groups[r.masters].at, "no group [etcd]", "the installer needs it; add it, with an odd number of hosts")
	case g == nil:
	case len(r.inventory.members("etcd")) == 0:
		r.note(plan.Fault, g.at, "[etcd] has no hosts", "a cluster needs at least one, better three")
	default:
		kube.Even(&r.p, g.at, "[etcd]", len(r.inventory.members("etcd")))
	}
}
