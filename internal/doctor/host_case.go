package doctor

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/kshalb/kshalb/internal/config"
)

// peer is the peer of a name; false: it is none.
func (c Case) peer(node string) (config.Peer, bool) {
	i := slices.IndexFunc(c.Config.Cluster.Peers, func(p config.Peer) bool { return p.Name == node })
	if i < 0 {
		return config.Peer{}, false
	}
	return c.Config.Cluster.Peers[i], true
}

// holds reports whether a node may hold VIPs.
func (c Case) holds(node string) bool {
	p, ok := c.peer(node)
	return ok && !p.Witness && len(c.Config.VIPs) > 0
}

// vipAt is the VIP with an address; false: there is none.
func (c Case) vipAt(a netip.Addr) (config.VIP, bool) {
	i := slices.IndexFunc(c.Config.VIPs, func(v config.VIP) bool { return v.Address == a.Unmap() })
	if i < 0 {
		return config.VIP{}, false
	}
	return c.Config.VIPs[i], true
}

// peerAt is the peer with an address; false: there is none.
func (c Case) peerAt(a netip.Addr) (config.Peer, bool) {
	i := slices.IndexFunc(c.Config.Cluster.Peers, func(p config.Peer) bool { return p.Address == a.Unmap() })
	if i < 0 {
		return config.Peer{}, false
	}
	return c.Config.Cluster.Peers[i], true
}

// orFine is what was found on a node, or, when that is nothing, that it is well.
func orFine(found []Finding, node, saw string) []Finding {
	if len(found) == 0 {
		found = []Finding{{Level: Fine, Saw: saw}}
	}
	for i := range found {
		found[i].Node = node
	}
	return found
}

// sortedKeys are the keys of a map in their order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
