package app

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/election"
	"github.com/kshalb/kshalb/pkg/vip"
)

// cluster is this node's part among its peers.
type cluster struct {
	gossip  *election.Gossip
	elector *election.Elector
}

// newCluster builds the election of floats and the wire under it.
func newCluster(cfg *config.Config, self config.Peer, floats []*float, m metrics, log *slog.Logger) (*cluster, error) {
	var keys [][]byte
	if !cfg.Cluster.Gossip.Insecure {
		var err error
		if keys, err = config.LoadKeys(cfg.Cluster.Gossip.KeyFile); err != nil {
			return nil, err
		}
	}
	c := new(cluster)
	var voters []string
	var others []election.Peer
	for _, p := range cfg.Cluster.Peers {
		voters = append(voters, p.Name)
		if p != self {
			others = append(others, election.Peer{Name: p.Name, Address: netip.AddrPortFrom(p.Address, cfg.Cluster.Gossip.Port)})
		}
	}
	c.gossip = election.NewGossip(election.GossipConfig{
		Cluster: cfg.Cluster.Name, Node: self.Name, Bind: netip.AddrPortFrom(self.Address, cfg.Cluster.Gossip.Port),
		Peers: others, Keys: keys, Log: log, Metrics: m.election,
	}, func(b []byte) { c.elector.Receive(b) })

	var vips []election.VIP
	for _, f := range floats {
		vips = append(vips, election.VIP{
			Name: f.cfg.Name, Rank: rank(f.cfg, cfg.Cluster.Peers, self.Name),
			Hold: func(term uint64, deadline time.Time) { f.manager.Hold(term, 0, deadline) }, Withdraw: f.withdraw,
		})
	}
	var err error
	c.elector, err = election.NewElector(election.ElectorConfig{
		Node: self.Name, Voters: voters, VIPs: vips, Send: c.gossip.Send, Log: log, Metrics: m.election,
		Timing: election.Timing{
			Lease: cfg.Election.Lease, Renew: cfg.Election.Renew,
			Linger: vip.Linger(lifetime(cfg.Election.Lease)),
		},
	})
	return c, err
}
