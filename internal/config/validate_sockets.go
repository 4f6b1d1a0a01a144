package config

import "net/netip"

// sockets reports what cannot be bound side by side on one host, and what
// would send a listener's connections back to itself.
func (d *decoder) sockets(c *Config) {
	t := taken{d: d, places: map[uint16][]place{}}
	for _, p := range c.Cluster.Peers {
		if len(c.VIPs) > 0 {
			t.add(netip.AddrPortFrom(p.Address, c.Cluster.Gossip.Port), "cluster.gossip.port")
		}
	}
	if c.Admin.HTTP.IsValid() {
		t.take(c.Admin.HTTP, "admin.http")
	}
	for i, l := range c.Listeners {
		at := index("listeners", i)
		t.take(l.Address, at+".port")
		if l.Bind != l.Address {
			t.take(l.Bind, at+".privatePort")
		}
	}
	for i, l := range c.Listeners {
		d.loop(index("listeners", i), l, c)
	}
}

// taken are the addresses in use, by port.
type taken struct {
	d      *decoder
	places map[uint16][]place
}

type place struct {
	at   netip.AddrPort
	path string
}

// take adds an address, or reports the one that stands in its way.
func (t taken) take(at netip.AddrPort, path string) {
	if !at.IsValid() || at.Port() == 0 {
		return // reported before
	}
	for _, p := range t.places[at.Port()] {
		if p.at == at || unspecified(p.at) || unspecified(at) {
			t.d.report(path, "%s is taken by %s; write another port", at, t.d.where(p.path))
			return
		}
	}
	t.add(at, path)
}

func (t taken) add(at netip.AddrPort, path string) {
	t.places[at.Port()] = append(t.places[at.Port()], place{at, path})
}

// loop reports a listener that is among its own backends: on an address of its
// own, or on every address of a host that is a peer.
func (d *decoder) loop(at string, l Listener, c *Config) {
	here := func(b netip.Addr) bool {
		if !unspecified(l.Bind) {
			return b == l.Bind.Addr()
		}
		for _, p := range c.Cluster.Peers {
			if p.Address == b {
				return true
			}
		}
		return b.IsLoopback()
	}
	for _, b := range l.Backends {
		if b.Address.Port() == l.Bind.Port() && here(b.Address.Addr()) {
			d.report(at+".backends", "%s is this listener itself, so kshalb would serve itself; write another port or address", b.Address)
		}
	}
}

// unspecified tells 0.0.0.0 and ::, which stand for every address of a host.
func unspecified(ap netip.AddrPort) bool { return ap.Addr().IsUnspecified() }
