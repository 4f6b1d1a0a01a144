package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Self is the peer that this node is: the one called name, or, when name is
// "", the only one whose address is among local, the addresses of this host.
// The error names what was compared and how to say it outright.
func (c *Config) Self(name string, local []netip.Addr) (Peer, error) {
	is := func(p Peer) bool { return p.Name == name }
	if name == "" {
		local = unmapped(local)
		is = func(p Peer) bool { return slices.Contains(local, p.Address) }
	}
	var found []Peer
	for _, p := range c.Cluster.Peers {
		if is(p) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case name != "":
		return Peer{}, fmt.Errorf("find node %q among the peers: %s has %s", name, c.File, peerList(c.Cluster.Peers))
	case len(found) == 0:
		return Peer{}, fmt.Errorf("find this node among the peers: its addresses are %s, %s has %s; say it with --node NAME",
			addrList(local), c.File, peerList(c.Cluster.Peers))
	default:
		return Peer{}, fmt.Errorf("find this node among the peers: its addresses %s are those of %s; say it with --node NAME",
			addrList(local), peerList(found))
	}
}

func unmapped(addrs []netip.Addr) []netip.Addr {
	out := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		out[i] = a.Unmap()
	}
	return out
}

func addrList(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "none"
	}
	words := make([]string, len(addrs))
	for i, a := range addrs {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

func peerList(peers []Peer) string {
	if len(peers) == 0 {
		return "no peers"
	}
	words := make([]string, len(peers))
	for i, p := range peers {
		words[i] = fmt.Sprintf("%s (%s)", p.Name, p.Address)
	}
	return strings.Join(words, ", ")
}
