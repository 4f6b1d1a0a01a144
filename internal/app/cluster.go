package app

import (
	"context"
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/internal/calls"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/election"
)

// cluster is this node's part among its peers.
type cluster struct {
	gossip  *election.Gossip
	elector *election.Elector
	memory  *memory
	calls   *calls.Calls
	keys    [][]byte // those that gossip uses now
}

// newCluster builds the election of the VIPs and the wire under it.
func (a *App) newCluster(m metrics) (*cluster, error) {
	keys, err := loadKeys(a.cfg.Cluster.Gossip)
	if err != nil {
		return nil, err
	}
	mem, err := newMemory(a.opts.State, a.cfg, a.log)
	if err != nil {
		return nil, err
	}
	c := &cluster{memory: mem, keys: keys}
	c.gossip = election.NewGossip(election.GossipConfig{
		Cluster: a.cfg.Cluster.Name, Node: a.self.Name, Bind: netip.AddrPortFrom(a.self.Address, a.cfg.Cluster.Gossip.Port),
		Peers: others(a.cfg, a.self.Name), Keys: keys, Log: a.log, Metrics: m.election,
		Changed: a.learnMeta,
	}, a.heard)
	c.calls = a.newCalls(c.gossip.SendWhole)
	c.elector, err = election.NewElector(election.ElectorConfig{
		Node: a.self.Name, Voters: voters(a.cfg), Bootstrap: a.cfg.Cluster.Bootstrap,
		Remembered: mem.remembered(), Remember: mem.remember,
		Timing: election.Timing{Lease: a.cfg.Election.Lease, Renew: a.cfg.Election.Renew},
		VIPs:   a.electionVIPs(), Arm: a.arm(), Send: c.gossip.Send, Log: a.log, Metrics: m.election,
	})
	return c, err
}

// electionVIPs are the VIPs to elect a holder for, and what holding means here.
// A witness never holds.
func (a *App) electionVIPs() []election.VIP {
	var vips []election.VIP
	for i, v := range a.cfg.VIPs {
		e := election.VIP{
			Name: v.Name, Priorities: v.Priorities, Preempt: v.Preempt,
			Hold: func(election.Lease) {}, Withdraw: func(context.Context) error { return nil },
			Held: func(node string, term uint64) { a.events.held(v, node, term) },
		}
		if !a.self.Witness {
			f := a.floats[i]
			e.Hold, e.Withdraw, e.Announce = f.hold, f.withdraw, f.manager.Announce
			e.Resigning = func(why string) { a.events.resigning(v.Name, why) }
			e.Held = func(node string, term uint64) {
				f.manager.Settle() // nobody need ask any more whether the address is free
				a.events.held(v, node, term)
			}
		}
		vips = append(vips, e)
	}
	return vips
}

// arm has the kernel close the fence of some VIPs by itself, a lease from now; nil
// is a witness, which has none.
func (a *App) arm() func(attempts map[string]uint64) (linger time.Duration, err error) {
	if a.fence == nil {
		return nil
	}
	return func(attempts map[string]uint64) (time.Duration, error) {
		return a.fence.Arm(attempts, a.cfg.Election.Lease)
	}
}

// loadKeys reads the keys of gossip; nil is none, on purpose.
func loadKeys(g config.Gossip) ([][]byte, error) {
	if g.Insecure {
		return nil, nil
	}
	return config.LoadKeys(g.KeyFile)
}

func voters(cfg *config.Config) []election.Voter {
	var all []election.Voter
	for _, p := range cfg.Cluster.Peers {
		all = append(all, election.Voter{Name: p.Name, Witness: p.Witness})
	}
	return all
}

// others are the peers save self.
func others(cfg *config.Config, self string) []election.Peer {
	var all []election.Peer
	for _, p := range cfg.Cluster.Peers {
		if p.Name != self {
			all = append(all, election.Peer{Name: p.Name, Address: netip.AddrPortFrom(p.Address, cfg.Cluster.Gossip.Port)})
		}
	}
	return all
}

// preferences are who should hold each VIP.
func preferences(cfg *config.Config) map[string]election.Preference {
	all := make(map[string]election.Preference)
	for _, v := range cfg.VIPs {
		all[v.Name] = election.Preference{Priorities: v.Priorities, Preempt: v.Preempt}
	}
	return all
}
