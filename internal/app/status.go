package app

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/status"
	"github.com/kshalb/kshalb/pkg/election"
	"github.com/kshalb/kshalb/pkg/health"
)

// shownChanges is how many of the last changes a status has.
const shownChanges = 20

// Status returns what this node says of itself now. It is safe for concurrent
// use, and waits until the election has begun.
func (a *App) Status() status.Node {
	n := status.Node{
		Name: a.self.Name, Cluster: a.cfg.Cluster.Name, Version: a.opts.Version, Started: a.started, Digest: a.reloads.inForce.Load().Digest(),
		VIPs: []status.VIP{}, Peers: []status.Peer{},
	}
	n.Listeners = a.listeners()
	n.Orders = a.waiting()
	if r := a.reloads.refused.Load(); r != nil {
		n.Reload = &status.Refusal{At: r.at, Why: r.err.Error()}
	}
	if a.opts.Journal != nil {
		n.Changes, _ = a.opts.Journal.Last(shownChanges)
	}
	if a.cluster != nil {
		n.Peers = a.peers()
		for i, e := range a.cluster.elector.Status() {
			v := vipStatus(a.cfg.VIPs[i], e)
			if a.self.Witness {
				v = witnessStatus(v)
			} else {
				a.floats[i].addStatus(&v)
			}
			n.VIPs = append(n.VIPs, v)
		}
	}
	n.Reason = whyNotReady(n)
	if a.stopping.Load() {
		n.Reason = "it is stopping"
	}
	n.Ready = n.Reason == ""
	return n
}

func (a *App) listeners() []status.Listener {
	all := []status.Listener{}
	for _, s := range a.front.list() {
		all = append(all, s.status())
	}
	return all
}

// whyNotReady is "" when the node can serve: every listener has a backend, and
// it votes.
func whyNotReady(n status.Node) string {
	for _, l := range n.Listeners {
		ready := false
		for _, b := range l.Backends {
			ready = ready || b.State == health.Up.String() || b.State == health.Suspect.String()
		}
		if !ready {
			return fmt.Sprintf("listener %s has no backend that is up", l.Name)
		}
	}
	for _, v := range n.VIPs {
		if v.State == stateSilent {
			return "its vote is silent after the start"
		}
	}
	return ""
}

func (a *App) peers() []status.Peer {
	states := map[string]string{a.self.Name: "self"}
	for _, p := range a.cluster.gossip.Peers() {
		states[p.Name] = string(p.State)
	}
	differing := a.cluster.elector.Differing()
	var peers []status.Peer
	for _, p := range a.reloads.inForce.Load().Cluster.Peers {
		s := status.Peer{
			Name: p.Name, Address: p.Address.String(), Witness: p.Witness,
			State: cmp.Or(states[p.Name], string(election.PeerUnknown)),
		}
		if slices.Contains(differing, p.Name) {
			s.Reason = "has other voters: make cluster.peers the same"
		}
		peers = append(peers, s)
	}
	return peers
}

// The states of a VIP that are no phases of its election.
const (
	stateSilent  = "silent"
	stateWitness = "witness"
)

// vipStatus is what the election knows of a VIP.
func vipStatus(cfg config.VIP, e election.Status) status.VIP {
	v := status.VIP{
		Name: cfg.Name, Address: cfg.Address.String(), Interface: cfg.Interface,
		Holder: e.Holder, Term: e.Term, State: e.Phase.String(), Reason: e.Why, Fence: []status.Fence{},
	}
	if e.Silent && e.Phase != election.Holding {
		v.State = stateSilent
	}
	if !e.Deadline.IsZero() {
		v.LeaseRemaining = max(time.Until(e.Deadline).Seconds(), 0)
	}
	return v
}

// witnessStatus is that of a node which votes and has no VIP.
func witnessStatus(v status.VIP) status.VIP {
	v.Interface = ""
	if v.State != stateSilent {
		v.State = stateWitness
	}
	return v
}

// addStatus adds what the address and its fence are doing.
func (f *float) addStatus(v *status.VIP) {
	m := f.manager.Status()
	v.Interface, v.Assigned = cmp.Or(m.Interface, v.Interface), m.Assigned
	kernel := status.Fence{Layer: "kernel", Active: m.Fenced}
	if m.FenceErr != nil {
		kernel.Reason = m.FenceErr.Error()
	}
	v.Fence = []status.Fence{{Layer: "deadline", Active: m.Assigned}, kernel, {Layer: "lifetime", Active: m.Assigned}}
	if c := m.Conflict; c != nil {
		v.Conflict = &status.Conflict{MAC: c.MAC.String(), Who: c.Who(), Since: c.Since, Last: c.Last}
	}
	if err := f.obstacle.Load(); err != nil && *err != nil {
		v.Reason = (*err).Error()
	}
}

func (s *service) status() status.Listener {
	cfg, d := s.cfg(), s.door()
	l := status.Listener{Name: cfg.Name, Address: cfg.Address.String(), Bind: d.listener.Addr().String(), Balance: cfg.Balance, Limits: status.Limits(cfg.Limits)}
	if d.shares.Load() {
		l.Bind = d.beside.Addr().String()
	}
	checked := make(map[string]health.Status)
	for _, h := range s.checker.Status() {
		checked[h.Target.String()] = h
	}
	places := make(map[string]int)
	for i, b := range s.pool.Backends() {
		at := b.Address.String()
		h := checked[at] // one in maintenance is unknown
		places[at] = i
		l.Backends = append(l.Backends, status.Backend{
			Address: at, State: h.State.String(), Since: h.Since, Reason: h.Reason,
			Weight: b.Weight, Backup: b.Backup, Order: s.orderOf(b.Address),
			Probe: h.LastProbe.Seconds(), Expiry: h.Expiry,
		})
	}
	for _, at := range s.listeners() {
		relayed := at.Status()
		l.Active += relayed.Active
		l.Refused = relayed.Refused // all count together
		for _, b := range relayed.Backends {
			if i, is := places[b.Backend.String()]; is {
				l.Backends[i].Active += b.Active
				l.Backends[i].Connections = b.Connections // all count together
				l.Backends[i].BytesIn, l.Backends[i].BytesOut = b.BytesIn, b.BytesOut
			}
		}
	}
	return l
}
