package config

import (
	"net/netip"
	"slices"
)

// privateOffset is the distance from a VIP's port to the port where its socket
// is; from there on down when up would leave the range.
const privateOffset = 20000

func (d *decoder) listeners(raws []rawListener, c *Config) []Listener {
	if len(raws) == 0 {
		d.report("listeners", "is empty; write one like {name: apiserver, vip: apiserver, port: 6443, ...}")
	}
	names, served := map[string]string{}, map[string]bool{}
	var ls []Listener
	for i, raw := range raws {
		at := index("listeners", i)
		once(d, names, raw.Name, at+".name")
		l := Listener{
			Name: raw.Name, VIP: raw.VIP, Allow: raw.Allow,
			Balance: raw.Balance, PreferLocal: raw.PreferLocal, SlowStart: raw.SlowStart,
			Panic: raw.Panic == "tcp", ResetOnDown: raw.OnDown == "reset",
			ProxyProtocol: map[string]int{"v1": 1, "v2": 2}[raw.Proxy], Transparent: raw.Source == "client",
			Rebalance: Rebalance(raw.Rebalance), Limits: Limits(raw.Limits),
			Check: d.check(at+".check", raw.Check), Timeouts: d.timeouts(at+".timeouts", raw.Timeouts),
		}
		l.Address, l.Bind = d.place(at, raw, c)
		if l.VIP != "" {
			l.PortConflict = raw.PortConflict
		}
		// Diff is to see a default as what it comes to, or as one.
		raws[i].Check, raws[i].Timeouts = inEffect(raw.Check, l.Check), rawTimeouts(l.Timeouts)
		if raw.PrivatePort == defaultPrivate(raw.Port) {
			raws[i].PrivatePort = 0
		}
		d.backends(at+".backends", raw.Backends, c, &l)
		d.sharing(at, raw)
		d.identity(at, raw, l)
		d.allow(at+".allow", raw.Allow)
		served[raw.VIP] = true
		ls = append(ls, l)
	}
	for i, v := range c.VIPs {
		if !served[v.Name] {
			d.warn(index("vips", i), "no listener serves it; write one with vip: %s", v.Name)
		}
	}
	return ls
}

// place is where clients connect to a listener, and where its socket is.
func (d *decoder) place(at string, raw rawListener, c *Config) (address, bind netip.AddrPort) {
	switch hasVIP, hasBind := d.given[at+".vip"], d.given[at+".bind"]; {
	case hasVIP && hasBind:
		d.report(at+".bind", "contradicts vip: %s; keep one of them", raw.VIP)
	case hasVIP:
		return d.placeAtVIP(at, raw, c.VIPs)
	case hasBind:
		return d.placeHere(at, raw, c.VIPs)
	case !d.bad[at+".vip"] && !d.bad[at+".bind"]:
		d.report(at, "has neither vip nor bind; write vip: NAME, or bind: ADDRESS for an address of this host")
	}
	return
}

func (d *decoder) placeAtVIP(at string, raw rawListener, vips []VIP) (address, bind netip.AddrPort) {
	var names []string
	for _, v := range vips {
		names = append(names, v.Name)
	}
	i := slices.Index(names, raw.VIP)
	if i < 0 {
		d.unknownName(at+".vip", "VIP", raw.VIP, names)
		return
	}
	if !vips[i].Address.IsValid() {
		return // reported before
	}
	address = netip.AddrPortFrom(vips[i].Address, uint16(raw.Port))
	private := raw.PrivatePort
	switch {
	case raw.PortConflict == ConflictFail:
		if d.given[at+".privatePort"] {
			d.report(at+".privatePort", "contradicts portConflict: fail, which binds the port itself; keep one of them")
		}
		return address, address
	case raw.Port == 0: // reported before
	case private == raw.Port:
		d.report(at+".privatePort", "%d is the port itself, which an apiserver of this host may need; write another or leave it out", private)
	case private == 0:
		private = defaultPrivate(raw.Port)
	}
	return address, netip.AddrPortFrom(address.Addr(), uint16(private))
}

func defaultPrivate(port int) int {
	if port+privateOffset > 65535 {
		return port - privateOffset
	}
	return port + privateOffset
}

func (d *decoder) placeHere(at string, raw rawListener, vips []VIP) (address, bind netip.AddrPort) {
	if raw.Bind.IsMulticast() {
		d.hostAddr(at+".bind", raw.Bind)
	}
	for _, v := range vips {
		if raw.Bind.IsValid() && v.Address == raw.Bind {
			d.report(at+".bind", "%s is a VIP; write vip: %s instead", raw.Bind, v.Name)
		}
	}
	for _, key := range []string{".privatePort", ".portConflict"} {
		if d.given[at+key] {
			d.report(at+key, "goes with vip only; leave it out")
		}
	}
	address = netip.AddrPortFrom(raw.Bind, uint16(raw.Port))
	return address, address
}

func (d *decoder) allow(at string, prefixes []netip.Prefix) {
	seen := map[netip.Prefix]string{}
	for i, p := range prefixes {
		once(d, seen, p, index(at, i))
	}
}
