package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
)

// Digest is a short hexadecimal word, of 12 digits, for what has to be equal
// on all nodes: the cluster with its bootstrap node, the election, and the VIPs
// with their listeners.
// The order of lists does not matter, nor do comments and keys that repeat a
// default. What may differ from host to host is left out: interfaces, paths of
// files, listeners bound to a host's own address, hooks, admin and log.
func (c *Config) Digest() string {
	same := struct {
		Cluster   Cluster
		Election  Election
		VIPs      []VIP
		Listeners []Listener
	}{c.Cluster, c.Election, nil, nil}
	same.Cluster.Gossip.KeyFile = ""
	same.Cluster.Peers = slices.SortedFunc(slices.Values(c.Cluster.Peers),
		func(a, b Peer) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range c.VIPs {
		v.Interface = ""
		same.VIPs = append(same.VIPs, v)
	}
	slices.SortFunc(same.VIPs, func(a, b VIP) int { return cmp.Compare(a.Name, b.Name) })
	for _, l := range c.Listeners {
		if l.VIP != "" {
			same.Listeners = append(same.Listeners, canonical(l))
		}
	}
	slices.SortFunc(same.Listeners, func(a, b Listener) int { return cmp.Compare(a.Name, b.Name) })
	text, err := json.Marshal(same)
	if err != nil {
		return "" // cannot be: the types above all have a JSON form
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

func canonical(l Listener) Listener {
	l.Check.CAFile, l.Check.CertFile, l.Check.KeyFile, l.PeerPort = "", "", "", 0
	l.Backends = slices.SortedFunc(slices.Values(l.Backends), func(a, b Backend) int { return a.Address.Compare(b.Address) })
	l.Names = slices.SortedFunc(slices.Values(l.Names), func(a, b NamedBackend) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port))
	})
	l.Check.Expect = slices.Sorted(slices.Values(l.Check.Expect))
	l.Allow = slices.SortedFunc(slices.Values(l.Allow), netip.Prefix.Compare)
	return l
}
