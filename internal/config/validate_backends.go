package config

import (
	"net/netip"
	"slices"
)

// backends are the targets of a listener, with the peers written out.
func (d *decoder) backends(at string, raw rawBackends, c *Config, l *Listener) {
	switch listed := d.given[at+".addresses"]; {
	case d.bad[at] || d.bad[at+".peers"] || d.bad[at+".addresses"] || !d.given[at]:
	case raw.Peers && listed:
		d.report(at, "has both peers and addresses; keep one of them")
	case raw.Peers:
		d.peerBackends(at, raw.Port, c.Cluster.Peers, l)
	case listed:
		d.listedBackends(at, raw.Addresses, c, l)
	default:
		d.report(at, "has neither peers nor addresses; write {peers: true, port: 6443} or {addresses: [192.168.0.1:6443]}")
	}
}

func (d *decoder) peerBackends(at string, port int, peers []Peer, l *Listener) {
	if len(peers) == 0 {
		d.report(at+".peers", "there are no cluster.peers; list them, or write addresses")
	}
	if !d.given[at+".port"] {
		d.report(at+".port", "is missing; write the port where the peers serve, such as 6443")
	}
	l.PeerPort = uint16(port)
	for _, p := range peers {
		if !p.Witness {
			l.Backends = append(l.Backends, Backend{netip.AddrPortFrom(p.Address, l.PeerPort), 1, false})
		}
	}
	if len(l.Backends) == 0 && len(peers) > 0 {
		d.report(at+".peers", "each of cluster.peers is a witness, and no backend; write addresses")
	}
}

func (d *decoder) listedBackends(at string, raws []rawBackend, c *Config, l *Listener) {
	if d.given[at+".port"] {
		d.report(at+".port", "goes with peers: true only; write the port with each address")
	}
	if len(raws) == 0 {
		d.report(at+".addresses", "is empty; write one like 192.168.0.1:6443")
	}
	seen := map[endpoint]string{}
	for i, b := range raws {
		path := index(at+".addresses", i)
		once(d, seen, b.Address, path)
		if b.Address.name != "" {
			l.Names = append(l.Names, NamedBackend{b.Address.name, b.Address.at.Port(), b.Weight, b.Backup})
			continue
		}
		d.hostAddr(path, b.Address.at.Addr())
		for _, v := range c.VIPs {
			if b.Address.at.IsValid() && v.Address == b.Address.at.Addr() {
				d.report(path, "%s is a VIP, so kshalb would serve itself; write a backend's own address", v.Address)
			}
		}
		l.Backends = append(l.Backends, Backend{b.Address.at, b.Weight, b.Backup})
	}
	if len(raws) > 0 && !slices.ContainsFunc(raws, func(b rawBackend) bool { return !b.Backup }) {
		d.report(at+".addresses", "each of them is a backup; leave backup out for those that are to serve")
	}
}

// identity is what backends learn of clients.
func (d *decoder) identity(at string, raw rawListener, l Listener) {
	if !l.Transparent {
		return
	}
	for _, b := range l.Backends {
		if l.Bind.IsValid() && b.Address.IsValid() && l.Bind.Addr().Is4() != b.Address.Addr().Is4() {
			d.report(at+".source", "client cannot be: clients of %s have addresses of another family than backend %s; write source: node", l.Address, b.Address)
		}
	}
	if raw.Backends.Peers {
		d.report(at+".source", "client cannot be with peers: they answer clients directly, and one of them is this host; write source: node")
	}
}
