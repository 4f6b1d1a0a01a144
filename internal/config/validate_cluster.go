package config

import (
	"log/slog"
	"net/netip"
	"slices"
)

// maxPeers bounds the voters: more only slow every vote down.
const maxPeers = 7

// config turns the raw shape into the typed one and reports what several keys
// say against each other. What it returns holds only when nothing is reported.
func (d *decoder) config(raw rawConfig) *Config {
	c := &Config{
		File:     d.file,
		Cluster:  d.cluster(raw.Cluster),
		Election: d.election(raw.Election),
		Admin:    d.admin(raw.Admin),
		Log:      logging(raw.Log),
	}
	c.VIPs = d.vips(raw.VIPs, c.Cluster)
	d.voters(c)
	c.Listeners = d.listeners(raw.Listeners, c)
	c.Hooks = d.hooks(raw.Hooks)
	d.sockets(c)
	return c
}

func (d *decoder) cluster(raw rawCluster) Cluster {
	c := Cluster{Name: raw.Name, Gossip: d.gossip(raw.Gossip), Bootstrap: raw.Bootstrap}
	names, addrs := map[string]string{}, map[netip.Addr]string{}
	loopback := 0
	for i, p := range raw.Peers {
		at := index("cluster.peers", i)
		once(d, names, p.Name, at+".name")
		d.hostAddr(at+".address", p.Address)
		once(d, addrs, p.Address, at+".address")
		if p.Address.IsLoopback() {
			loopback++
		}
		c.Peers = append(c.Peers, Peer(p))
	}
	if n := len(c.Peers); n > maxPeers {
		d.report("cluster.peers", "lists %d nodes; write %d or less, an odd number", n, maxPeers)
	}
	if loopback > 0 && loopback < len(c.Peers) {
		d.report("cluster.peers", "has a loopback address, which the other nodes cannot reach; write addresses of the network between them")
	}
	d.bootstrap(c)
	return c
}

func (d *decoder) bootstrap(c Cluster) {
	const key = "cluster.bootstrap"
	if c.Bootstrap == "" {
		return
	}
	if p, ok := d.peer(key, c.Bootstrap, c.Peers); ok && p.Witness {
		d.report(key, "%s is a witness, which never holds a VIP; name the first master", p.Name)
	}
}

func (d *decoder) gossip(raw rawGossip) Gossip {
	const key = "cluster.gossip.keyFile"
	g := Gossip{Port: uint16(raw.Port), KeyFile: raw.KeyFile, Insecure: raw.Insecure}
	switch {
	case g.Insecure && d.given[key] && g.KeyFile != "":
		d.report(key, "contradicts insecure: true; keep one of them")
	case g.Insecure:
		g.KeyFile = ""
		d.warn("cluster.gossip.insecure", "peers talk unencrypted: whoever reaches port %d can take the address; write a keyFile", g.Port)
	case g.KeyFile == "":
		d.report(key, "is empty; name a file, or write insecure: true to go without")
	}
	return g
}

func (d *decoder) election(raw rawElection) Election {
	at := "election.renew"
	if !d.given[at] {
		at = "election.lease"
	}
	if raw.Lease < 3*raw.Renew {
		d.report(at, "a lease of %v renewed every %v bears no lost message; write a lease of three times renew or more",
			raw.Lease, raw.Renew)
	}
	return Election(raw)
}

// voters holds the peers against the VIPs, which cannot be without.
func (d *decoder) voters(c *Config) {
	switch {
	case len(c.VIPs) == 0:
	case len(c.Cluster.Peers) == 0:
		d.report("cluster.peers", "is empty, but a VIP needs voters; list 1 to %d nodes", maxPeers)
	case !slices.ContainsFunc(c.Cluster.Peers, func(p Peer) bool { return !p.Witness }):
		d.report("cluster.peers", "has witnesses only, so nobody could hold the VIP; list the masters")
	case len(c.Cluster.Peers) == 2:
		d.warn("cluster.peers", "of two voters neither can hold the VIP when the other is gone; list a third,"+
			" which may be any host that only votes: {name: witness1, address: 192.168.0.4, witness: true}")
	}
}

func (d *decoder) admin(raw rawAdmin) Admin {
	http, err := parseAddrPort(raw.HTTP)
	if err != nil { // "" is off; all else has been refused before
		http = netip.AddrPort{}
	}
	return Admin{Socket: raw.Socket, HTTP: http}
}

func logging(raw rawLog) Log {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return Log{Level: levels[raw.Level], Format: raw.Format}
}
