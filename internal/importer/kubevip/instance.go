package kubevip

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

const (
	defaultPort = 6443
	tellVIP     = "tell the VIP with --vip"
)

// instance is one kube-vip.
type instance struct {
	workload
	at     plan.Source
	set    map[string]setting // by variable
	names  []string           // in order
	mode   string             // manager, service, start
	shells bool               // it is started in a way that is not looked through
}

// setting is a variable, or a flag by its variable's name.
type setting struct {
	yamlnode.Node
	at plan.Source
}

func (i *instance) add(name string, value yamlnode.Node, at plan.Source) {
	if _, there := i.set[name]; !there {
		i.names = append(i.names, name)
	}
	i.set[name] = setting{value, at}
}

// on reports whether a switch is on.
func (i *instance) on(name string) bool {
	on, _ := yamlnode.Bool(i.set[name].Node)
	return on
}

// differs notes what of a further kube-vip for the same address is not as in the
// first.
func (r *reader) differs(first, i *instance) {
	for _, name := range i.names {
		a, b := first.set[name], i.set[name]
		if a.Text() == b.Text() || ofNode[name] {
			continue
		}
		why := "the kube-vip at %s has another value, which was taken; kshalb's configuration is the same on every node"
		if name == "vip_interface" {
			why = "the kube-vip at %s has another one; kshalb finds it by itself, as the one whose route holds the VIP"
			r.anyInterface(first)
		}
		if a.at == (plan.Source{}) {
			a.at = first.at
			why = "the kube-vip at %s has none, and was taken; kshalb's configuration is the same on every node"
		}
		r.p.Note(plan.Changed, b.at, yamlnode.Word(name), fmt.Sprintf(why, a.at))
	}
	for _, name := range first.names {
		if _, there := i.set[name]; !there && !ofNode[name] {
			r.p.Note(plan.Changed, i.at, yamlnode.Word(name)+" is missing", fmt.Sprintf("the kube-vip at %s has it, and was taken; kshalb's configuration is the same on every node", first.set[name].at))
		}
	}
}

// ofNode are variables that are of one node each.
var ofNode = map[string]bool{"vip_nodename": true, "vip_localpeer": true, "vip_peers": true, "vip_remotepeers": true, "vip_startleader": true, "bgp_routerid": true, "bgp_sourceip": true}

// anyInterface takes back the interface of the VIPs of an instance.
func (r *reader) anyInterface(first *instance) {
	for v := range r.p.VIPs {
		if r.p.VIPs[v].Interface.From == first.set["vip_interface"].at {
			r.p.VIPs[v].Interface = plan.Value[string]{}
		}
	}
}

// instance makes VIPs and listeners of a kube-vip, or compares it with one for
// the same address.
func (r *reader) instance(i *instance) {
	r.services = r.services || i.on("svc_enable")
	r.peers(i)
	for _, first := range r.done {
		if i.address().Text() == first.address().Text() {
			r.differs(first, i)
			return
		}
	}
	r.done = append(r.done, i)
	r.grouped(i, valued)
	if file, given := i.set["config_file"]; given {
		r.p.Note(plan.Fault, file.at, "a configuration file", "kube-vip reads more from there, which is not looked at here; tell what matters by flags of `kshalb init`")
	}
	r.switches(i)
	if !r.serves(i) {
		return
	}
	vips := r.vips(i)
	r.loadBalanc = r.loadBalanc || i.on("lb_enable")
	l := r.listener(i)
	if len(vips) == 0 {
		r.p.Listeners = append(r.p.Listeners, l)
	}
	for _, v := range vips {
		r.p.VIPs = append(r.p.VIPs, v)
		l.Address = v.Address
		r.p.Listeners = append(r.p.Listeners, l)
	}
}

// address is where the VIP stands: in address, or in its older name.
func (i *instance) address() setting {
	if a := i.set["address"]; a.Given() {
		return a
	}
	return i.set["vip_address"]
}

// peers takes masters from the raft of old releases, ID:ADDRESS:PORT each.
func (r *reader) peers(i *instance) {
	for _, name := range []string{"vip_localpeer", "vip_peers", "vip_remotepeers"} {
		s := i.set[name]
		for part := range strings.SplitSeq(s.Text(), ",") {
			id, rest, _ := strings.Cut(strings.TrimSpace(part), ":")
			end := strings.LastIndexByte(rest, ':')
			addr, ok := yamlnode.Addr(strings.Trim(rest[:max(end, 0)], "[]"))
			switch {
			case part == "":
			case !ok || !yamlnode.IsName(id):
				r.p.Note(plan.Fault, s.at, name, "has a peer that is not NAME:ADDRESS:PORT; tell the masters with --masters")
			default:
				r.peer(id, addr, s)
			}
		}
	}
}

func (r *reader) peer(id string, addr netip.Addr, s setting) {
	for _, p := range r.p.Peers {
		if p.Address.V == addr || p.Name.V == id || len(r.p.Peers) >= maxInstances {
			return
		}
	}
	r.p.Peers = append(r.p.Peers, plan.Peer{Name: plan.Of(id, s.at), Address: plan.Of(addr, s.at)})
}
