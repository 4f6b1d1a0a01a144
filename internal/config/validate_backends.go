package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
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
	for i := range raws {
		path := index(at+".addresses", i)
		d.named(path, &raws[i])
		b := raws[i]
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
	d.roles(at+".addresses", raws)
}

// named makes the long form of a name the same as its short one.
func (d *decoder) named(at string, raw *rawBackend) {
	hasAddress, hasDNS, hasPort := d.given[at+".address"], d.given[at+".dns"], d.given[at+".port"]
	switch {
	case hasAddress && hasDNS:
		d.report(at+".dns", "contradicts address: %s; keep one of them", raw.Address)
	case hasPort && !hasDNS:
		d.report(at+".port", "goes with dns only; write the port with the address, as in 192.168.0.1:6443")
	case hasDNS && raw.DNS == "" && !d.bad[at+".dns"]:
		d.report(at+".dns", "is empty; write a name like api.example.org")
	case hasDNS && !hasPort:
		d.report(at+".port", "is missing; write it as in port: 6443")
	case hasDNS:
		raw.Address = endpoint{strings.ToLower(raw.DNS), netip.AddrPortFrom(netip.Addr{}, uint16(raw.Port))}
		raw.DNS, raw.Port = "", 0
	case raw.Address == endpoint{} && !d.bad[at] && !hasAddress:
		d.report(at+".address", "is missing; write it as in address: 192.168.0.1:6443, or a name as in dns: api.example.org, port: 6443")
	}
}

// roles tells when nobody is to serve.
func (d *decoder) roles(at string, raws []rawBackend) {
	if len(raws) == 0 {
		return
	}
	if !slices.ContainsFunc(raws, func(b rawBackend) bool { return !b.Backup }) {
		d.report(at, "each of them is a backup; leave backup out for those that are to serve")
	}
	if !slices.ContainsFunc(raws, func(b rawBackend) bool { return b.Weight > 0 }) {
		d.warn(at, "each of them has weight 0, so that none gets a connection; write a weight of 1 or more for those that are to serve")
	}
}

// sharing is how connections are shared between backends.
func (d *decoder) sharing(at string, raw rawListener) {
	if raw.Balance == BalanceSource && raw.SlowStart > 0 {
		d.report(at+".slowStart", "contradicts balance: source, which sends a client to the same backend at any time; keep one of them")
	}
	if within := raw.Rebalance.Within; within > 0 && within < time.Second {
		d.report(at+".rebalance.within", "%s is too short to be gentle; write 1s to 24h, or 0s for no rebalancing", within)
	}
}
