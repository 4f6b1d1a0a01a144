package election

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// metaTimeout is how long this node waits for its new metadata to have been said.
const metaTimeout = time.Second

// SetMeta sets what the peers learn of this node besides its name, in place of
// what it was: up to [MaxMeta] bytes, whose meaning is the caller's. It does not
// block; the peers know it within a second or two, each after its next join at the
// latest.
func (g *Gossip) SetMeta(b []byte) error {
	if len(b) > MaxMeta {
		return fmt.Errorf("set metadata: %d bytes are more than %d", len(b), MaxMeta)
	}
	b = bytes.Clone(b)
	if was := g.meta.Swap(&b); was != nil && bytes.Equal(*was, b) {
		return nil
	}
	select {
	case g.metaSet <- struct{}{}:
	default: // it will be said already
	}
	return nil
}

// MaxMeta is the limit of metadata in bytes: memberlist's.
const MaxMeta = memberlist.MetaMaxSize

// NodeMeta is what memberlist tells the others.
func (d delegate) NodeMeta(int) []byte {
	if b := d.g.meta.Load(); b != nil {
		return *b
	}
	return nil
}

// sayMeta tells the peers of new metadata, until ctx ends.
func (g *Gossip) sayMeta(ctx context.Context) {
	for {
		select {
		case <-g.metaSet:
			if err := errors.Join(g.list.UpdateNode(metaTimeout), g.lobby.update(metaTimeout)); err != nil {
				g.cfg.Log.Debug("could not tell all peers of new metadata", "err", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// heardOf keeps what a peer says of itself, and wakes who wants to know.
func (g *Gossip) heardOf(n *memberlist.Node, state PeerState) {
	g.see(n.Name, sighting{addrPort(n.Addr, n.Port), state, string(n.Meta)})
	if g.cfg.Changed != nil {
		g.cfg.Changed()
	}
}
