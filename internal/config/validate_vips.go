package config

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// maxVIPs is as many as one message between two nodes speaks of.
const maxVIPs = 64

func (d *decoder) vips(raws []rawVIP, cluster Cluster) []VIP {
	names, addrs := map[string]string{}, map[netip.Addr]string{}
	for i, p := range cluster.Peers {
		addrs[p.Address] = index("cluster.peers", i) + ".address"
	}
	if n := len(raws); n > maxVIPs {
		d.report("vips", "lists %d addresses; write %d or less", n, maxVIPs)
	}
	var vips []VIP
	for i, raw := range raws {
		at := index("vips", i)
		once(d, names, raw.Name, at+".name")
		d.hostAddr(at+".address", raw.Address)
		switch {
		case raw.Address.IsLinkLocalUnicast():
			d.report(at+".address", "%s is valid on one link only, which clients would have to name; write an address of the nodes' subnet", raw.Address)
		case raw.Address.IsLoopback():
			d.report(at+".address", "%s never leaves this host; write a free address of the nodes' network", raw.Address)
		}
		once(d, addrs, raw.Address, at+".address")
		d.priorities(at+".priorities", raw.Priorities, cluster.Peers)
		vips = append(vips, VIP(raw))
		if raw.Preempt && !differ(raw.Priorities, cluster.Peers) {
			d.warn(at+".preempt", "moves nothing: all peers have the same priority; write priorities that differ")
		}
	}
	return vips
}

func (d *decoder) priorities(path string, priorities map[string]int, peers []Peer) {
	for _, name := range slices.Sorted(maps.Keys(priorities)) {
		p, ok := d.peer(join(path, name), name, peers)
		if ok && p.Witness {
			d.report(join(path, name), "%s is a witness, which never holds a VIP; leave it out", name)
		}
	}
}

// peer finds a peer by its name, or reports that there is none.
func (d *decoder) peer(path, name string, peers []Peer) (p Peer, ok bool) {
	var names []string
	for _, p := range peers {
		if p.Name == name {
			return p, true
		}
		names = append(names, p.Name)
	}
	d.unknownName(path, "peer", name, names)
	return Peer{}, false
}

// differ tells whether some peer has a higher priority than another one.
func differ(priorities map[string]int, peers []Peer) bool {
	seen := map[int]bool{}
	for _, p := range peers {
		if !p.Witness {
			seen[priorities[p.Name]] = true
		}
	}
	return len(seen) > 1
}

// unknownName reports a reference to something that is not in the file.
func (d *decoder) unknownName(path, what, name string, known []string) {
	switch k := nearest(name, known); {
	case k != "":
		d.report(path, "there is no %s %s; did you mean %s?", what, quote(name), k)
	case len(known) == 0:
		d.report(path, "there is no %s %s, nor any other", what, quote(name))
	default:
		d.report(path, "there is no %s %s; write %s", what, quote(name), wordList(known[:min(len(known), maxPeers)]))
	}
}

// hostAddr refuses what is no address of one host.
func (d *decoder) hostAddr(path string, a netip.Addr) {
	if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		d.report(path, "%s is not the address of a host; write one like 192.168.0.10", a)
	}
}

// once reports the second and every later place of a value. The zero value is
// that of a key which could not be read.
func once[K comparable](d *decoder, places map[K]string, value K, path string) {
	var zero K
	if value == zero {
		return
	}
	if first, ok := places[value]; ok {
		d.report(path, "%s is taken by %s; write another", show(value), d.where(first))
		return
	}
	places[value] = path
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
