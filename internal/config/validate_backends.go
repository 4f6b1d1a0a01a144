package config

import "net/netip"

// backends are the targets of a listener, with the peers written out.
func (d *decoder) backends(at string, raw rawBackends, c *Config) []netip.AddrPort {
	switch listed := d.given[at+".addresses"]; {
	case d.bad[at] || d.bad[at+".peers"] || d.bad[at+".addresses"] || !d.given[at]:
		return nil
	case raw.Peers && listed:
		d.report(at, "has both peers and addresses; keep one of them")
	case raw.Peers:
		return d.peerBackends(at, raw.Port, c.Cluster.Peers)
	case listed:
		return d.listedBackends(at, raw.Addresses, c)
	default:
		d.report(at, "has neither peers nor addresses; write {peers: true, port: 6443} or {addresses: [192.168.0.1:6443]}")
	}
	return nil
}

func (d *decoder) peerBackends(at string, port int, peers []Peer) []netip.AddrPort {
	if len(peers) == 0 {
		d.report(at+".peers", "there are no cluster.peers; list them, or write addresses")
	}
	if !d.given[at+".port"] {
		d.report(at+".port", "is missing; write the port where the peers serve, such as 6443")
	}
	var targets []netip.AddrPort
	for _, p := range peers {
		if !p.Witness {
			targets = append(targets, netip.AddrPortFrom(p.Address, uint16(port)))
		}
	}
	if len(targets) == 0 && len(peers) > 0 {
		d.report(at+".peers", "each of cluster.peers is a witness, and no backend; write addresses")
	}
	return targets
}

func (d *decoder) listedBackends(at string, raws []rawBackend, c *Config) []netip.AddrPort {
	if d.given[at+".port"] {
		d.report(at+".port", "goes with peers: true only; write the port with each address")
	}
	if len(raws) == 0 {
		d.report(at+".addresses", "is empty; write one like 192.168.0.1:6443")
	}
	seen := map[netip.AddrPort]string{}
	var targets []netip.AddrPort
	for i, b := range raws {
		path := index(at+".addresses", i)
		d.hostAddr(path, b.Address.Addr())
		for _, v := range c.VIPs {
			if b.Address.IsValid() && v.Address == b.Address.Addr() {
				d.report(path, "%s is a VIP, so kshalb would serve itself; write a backend's own address", v.Address)
			}
		}
		once(d, seen, b.Address, path)
		targets = append(targets, b.Address)
	}
	return targets
}
