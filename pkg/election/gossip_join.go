package election

import (
	"context"
	"sync"
	"time"
)

// maxJoins bounds the joins at one time; a join is one TCP exchange.
const maxJoins = 8

// joins is the joins that are under way.
type joins struct {
	running sync.WaitGroup
	mu      sync.Mutex
	peers   map[string]bool
}

// begin reports whether a join of peer may start: not beside another one of the
// same peer, nor as one too many. Then end must follow.
func (j *joins) begin(peer string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.peers[peer] || len(j.peers) >= maxJoins {
		return false
	}
	if j.peers == nil {
		j.peers = make(map[string]bool)
	}
	j.peers[peer] = true
	return true
}

func (j *joins) end(peer string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.peers, peer)
}

func (j *joins) wait() { j.running.Wait() }

// keepJoining joins lost peers at once and then at each tick, for ever:
// memberlist forgets the dead, so a partition would never heal by itself.
func (g *Gossip) keepJoining(ctx context.Context) {
	ticker := time.NewTicker(g.rejoin)
	defer ticker.Stop()
	for ctx.Err() == nil {
		g.joinLost()
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// joinLost starts to talk to every peer that is not alive. A host that is gone
// costs joinTimeout, so each has a goroutine of its own; which of more than
// maxJoins peers come first changes with the tick.
func (g *Gossip) joinLost() {
	peers := g.Peers()
	first := 0
	if len(peers) > maxJoins {
		first = int(time.Now().Unix()) % len(peers)
	}
	for i := range peers {
		p := peers[(first+i)%len(peers)]
		if p.State != PeerAlive && g.joins.begin(p.Name) {
			g.joins.running.Go(func() {
				defer g.joins.end(p.Name)
				g.join(p)
			})
		}
	}
}

func (g *Gossip) join(p Peer) {
	if _, err := g.list.Join([]string{p.Name + "/" + p.Address.String()}); err != nil {
		g.cfg.Log.Debug("cannot join a peer yet", "peer", p.Name, "address", p.Address.String(), "err", err)
	}
}
