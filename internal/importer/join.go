package importer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// defaultPort is where API servers listen.
const defaultPort = 6443

// maxVoters is how many peers a configuration may have.
const maxVoters = 7

// What no configuration can be made without.
var (
	errNoVIP = errors.New("there is no address for clients in what was given: tell one with --vip ADDRESS," +
		" a free one of the masters' network")
	errNoMasters = errors.New("the masters are not all there in what was given: tell them with --masters NAME=ADDRESS and so on")
)

// join makes one plan of several; of two that say different things the earlier
// one holds.
func join(plans []plan.Plan) (plan.Plan, error) {
	var j plan.Plan
	for _, p := range plans {
		pick(&j, &j.ClusterName, p.ClusterName, "the cluster's name")
		pick(&j, &j.GossipPort, p.GossipPort, "the gossip port")
		pick(&j, &j.Bootstrap, p.Bootstrap, "the first master")
		pick(&j, &j.Lease, p.Lease, "the lease")
		pick(&j, &j.Renew, p.Renew, "the time between renewals")
		pick(&j, &j.Domain, p.Domain, "the name of the control plane")
		j.Notes = append(j.Notes, p.Notes...)
		for _, s := range p.Steps {
			if !slices.Contains(j.Steps, s) {
				j.Steps = append(j.Steps, s)
			}
		}
	}
	moved := joinVIPs(&j, plans)
	listeners := joinListeners(plans, moved)
	j.Peers = peers(&j, plans, listeners)
	dropOwn(&j, plans[0].VIPs)
	if len(j.VIPs) == 0 {
		adoptVIP(&j, listeners)
	}
	if len(j.VIPs) == 0 {
		return j, errNoVIP
	}
	if len(j.Peers) == 0 {
		return j, errNoMasters
	}
	if err := addressless(j.Peers, plans); err != nil {
		return j, err
	}
	namePeers(&j)
	nameVIPs(&j)
	fillIn(j.Steps, j.VIPs[0].Address.V)
	tellMoved(&j, moved)
	place(&j, listeners)
	complete(&j)
	j.Notes = plan.Sort(j.Notes)
	if len(j.Steps) == 0 {
		j.Steps = append(plan.NewCluster("the installer", "", j.Bootstrap.Given()), plan.RunningCluster())
	}
	return j, nil
}

// pick takes a value if there is none yet, and notes one that says otherwise.
func pick[T comparable](j *plan.Plan, have *plan.Value[T], v plan.Value[T], what string) {
	switch {
	case !v.Given():
	case !have.Given():
		*have = v
	case have.V != v.V:
		j.Note(plan.Changed, v.From, fmt.Sprintf("%s %v", what, v.V), fmt.Sprintf("%s says %v, which holds", have.From, have.V))
	}
}

// joinListeners are those of all plans; the ones with backends of their own,
// which say more, come first. Some addresses were moved to others.
func joinListeners(plans []plan.Plan, moved map[netip.Addr]netip.Addr) (all []plan.Listener) {
	for _, p := range plans {
		all = append(all, p.Listeners...)
	}
	for i, l := range all {
		if to, ok := moved[l.Address.V]; ok {
			all[i].Address.V = to
		}
	}
	slices.SortStableFunc(all, func(a, b plan.Listener) int {
		return btoi(len(a.Backends) == 0) - btoi(len(b.Backends) == 0)
	})
	return all
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// place gives each listener its VIP or address, and there is at least one for
// each VIP.
func place(j *plan.Plan, listeners []plan.Listener) {
	for _, l := range listeners {
		a := l.Address.V
		switch {
		case a.IsUnspecified() || !l.Address.Given(): // all of them, or the one that was not known there
			for _, v := range j.VIPs {
				at := l
				at.VIP = plan.Because(v.Name.V, or(l.Address.From, l.Port.From), "where clients connect")
				keep(j, at)
			}
			if a.IsUnspecified() && l.Address.From.Line > 0 {
				j.Note(plan.Changed, l.Address.From, "listens on all addresses",
					"kshalb listens on the floating address; a listener with bind: ADDRESS would have another one")
			}
		case hasVIP(j.VIPs, a):
			i := slices.IndexFunc(j.VIPs, func(v plan.VIP) bool { return v.Address.V == a })
			l.VIP = plan.Of(j.VIPs[i].Name.V, l.Address.From)
			keep(j, l)
		case a.IsLoopback():
			l.Bind = plan.Of(a, l.Address.From)
			keep(j, l)
		case isPeer(j.Peers, a):
			j.Note(plan.Lost, l.Address.From, fmt.Sprintf("listens on %s", netip.AddrPortFrom(a, uint16(l.Port.V))),
				"that is one master's own address, and the file is the same on all; clients use the floating one")
		default:
			v := nearest(j.VIPs, a)
			l.VIP = plan.Because(v.Name.V, l.Address.From, fmt.Sprintf("in place of %s", a))
			j.Note(plan.Changed, l.Address.From, fmt.Sprintf("listens on %s", a), fmt.Sprintf("clients use %s (%s)", v.Address.V, v.Address.From))
			keep(j, l)
		}
	}
	for _, v := range j.VIPs {
		if !slices.ContainsFunc(j.Listeners, func(l plan.Listener) bool { return l.VIP.V == v.Name.V }) {
			j.Listeners = append(j.Listeners, plan.Listener{
				VIP: plan.Of(v.Name.V, v.Address.From), Port: plan.Because(defaultPort, v.Address.From, "no port is told: the usual one"),
			})
		}
	}
}

// keep adds a listener, unless its place is taken.
func keep(j *plan.Plan, l plan.Listener) {
	for _, have := range j.Listeners {
		if have.VIP.V != l.VIP.V || have.Bind.V != l.Bind.V || have.Port.V != l.Port.V {
			continue
		}
		if have.Port.From != l.Port.From {
			j.Note(plan.Needless, l.Port.From, fmt.Sprintf("port %d", l.Port.V), fmt.Sprintf("%s says the same, and more", have.Port.From))
		}
		return
	}
	j.Listeners = append(j.Listeners, l)
}

// complete gives listeners their backends and names.
func complete(j *plan.Plan) {
	taken := make(map[string]bool)
	for i := range j.Listeners {
		l := &j.Listeners[i]
		peersAsBackends(j, l)
		if len(l.Backends) == 0 && !l.PeersPort.Given() {
			l.PeersPort = plan.Because(defaultPort, l.Port.From, "no server is told: the masters' API servers")
		}
		if l.PeersPort.Given() && l.SourceAddress.V == "client" {
			j.Note(plan.Lost, l.SourceAddress.From, "the client's address towards servers", "the servers are the masters, which would answer clients directly; they see the node's address")
			l.SourceAddress = plan.Value[string]{}
		}
		l.Name = plan.Because(unique(taken, nameOf(l.Name.V, "apiserver")), or(l.Name.From, l.Port.From), l.Name.Why)
	}
}

// peersAsBackends writes backends that are just the masters as such, so that a
// master that joins or leaves is changed in one place.
func peersAsBackends(j *plan.Plan, l *plan.Listener) {
	if len(l.Backends) == 0 || len(l.Backends) != len(j.Peers) {
		return
	}
	for _, b := range l.Backends {
		a, err := netip.ParseAddr(b.Host)
		if err != nil || !isPeer(j.Peers, a) || b.Port != l.Backends[0].Port || b.Weight.Given() && b.Weight.V != 1 || b.Backup.V {
			return
		}
	}
	l.PeersPort = plan.Because(l.Backends[0].Port, l.Backends[0].From, "its servers are the masters")
	l.Backends = nil
}

func or(a, b plan.Source) plan.Source {
	if a == (plan.Source{}) {
		return b
	}
	return a
}
