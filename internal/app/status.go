package app

import (
	"cmp"
	"fmt"
	"time"

	"github.com/kshalb/kshalb/internal/status"
	"github.com/kshalb/kshalb/pkg/election"
	"github.com/kshalb/kshalb/pkg/health"
)

// Status returns what this node says of itself now. It is safe for concurrent
// use, and waits until the election has begun.
func (a *App) Status() status.Node {
	n := status.Node{
		Name: a.self.Name, Cluster: a.cfg.Cluster.Name, Version: a.opts.Version, Started: a.started,
		VIPs: []status.VIP{}, Peers: []status.Peer{}, Listeners: []status.Listener{},
	}
	for _, s := range a.services {
		n.Listeners = append(n.Listeners, s.status())
	}
	if a.cluster != nil {
		n.Peers = a.peers()
		for i, e := range a.cluster.elector.Status() {
			n.VIPs = append(n.VIPs, a.floats[i].status(e))
		}
	}
	n.Reason = whyNotReady(n)
	if a.stopping.Load() {
		n.Reason = "it is stopping"
	}
	n.Ready = n.Reason == ""
	return n
}

// whyNotReady is "" when the node can serve: every listener has a backend, and
// it votes.
func whyNotReady(n status.Node) string {
	for _, l := range n.Listeners {
		ready := false
		for _, b := range l.Backends {
			ready = ready || b.State == health.Up.String()
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
	states := make(map[string]election.PeerState)
	for _, p := range a.cluster.gossip.Peers() {
		states[p.Name] = p.State
	}
	var peers []status.Peer
	for _, p := range a.cfg.Cluster.Peers {
		peers = append(peers, status.Peer{Name: p.Name, Address: p.Address.String(), State: cmp.Or(string(states[p.Name]), "self")})
	}
	return peers
}

const stateSilent = "silent"

func (f *float) status(e election.Status) status.VIP {
	m := f.manager.Status()
	v := status.VIP{
		Name: f.cfg.Name, Address: f.cfg.Address.String(), Interface: cmp.Or(m.Interface, f.cfg.Interface),
		Holder: e.Holder, Term: e.Term, Assigned: m.Assigned,
		State: e.Phase.String(), Reason: e.Why,
		Fence: []status.Fence{{Layer: "deadline", Active: m.Assigned}, {Layer: "lifetime", Active: m.Assigned}},
	}
	if e.Silent && e.Phase != election.Holding {
		v.State = stateSilent
	}
	if err := f.unable(); err != nil {
		v.Reason = err.Error()
	}
	if !e.Deadline.IsZero() {
		v.LeaseRemaining = max(time.Until(e.Deadline).Seconds(), 0)
	}
	return v
}

func (s *service) status() status.Listener {
	relayed := s.listener.Status()
	l := status.Listener{Name: s.cfg.Name, Address: s.cfg.Address.String(), Bind: s.listener.Addr().String(), Active: relayed.Active}
	for i, h := range s.checker.Status() {
		b := relayed.Backends[i]
		l.Backends = append(l.Backends, status.Backend{
			Address: h.Target.String(), State: h.State.String(), Since: h.Since, Reason: h.Reason,
			Active: b.Active, Connections: b.Connections,
		})
	}
	return l
}
