package manifest

import (
	"net/netip"
	"slices"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer/plan"
)

// of is what a listener says of its backends and of connections to them, as far as
// that is not the default.
func of(l config.Listener, from plan.Source) (p plan.Listener) {
	usual := usualListener()
	put(&p.Balance, l.Balance, usual.Balance, from)
	put(&p.SlowStart, l.SlowStart, usual.SlowStart, from)
	if !l.Panic {
		p.Panic = plan.Of("refuse", from)
	}
	if !l.ResetOnDown {
		p.OnDown = plan.Of("keep", from)
	}
	if l.ProxyProtocol != 0 {
		p.ProxyProtocol = plan.Of([]string{"none", "v1", "v2"}[l.ProxyProtocol], from)
	}
	p.Check = check(l.Check, usual.Check, from)
	put(&p.Timeouts.Connect, l.Timeouts.Connect, usual.Timeouts.Connect, from)
	put(&p.Timeouts.Idle, l.Timeouts.Idle, usual.Timeouts.Idle, from)
	put(&p.Timeouts.HalfClosed, l.Timeouts.HalfClosed, usual.Timeouts.HalfClosed, from)
	put(&p.Timeouts.Drain, l.Timeouts.Drain, usual.Timeouts.Drain, from)
	put(&p.Timeouts.User, l.Timeouts.User, usual.Timeouts.User, from)
	return p
}

func check(c, usual config.Check, from plan.Source) (p plan.Check) {
	put(&p.Type, c.Type, usual.Type, from)
	if c.Type != config.CheckTCP {
		put(&p.Path, c.Path, usual.Path, from)
		if !slices.Equal(c.Expect, usual.Expect) {
			p.Expect = plan.Of(c.Expect, from)
		}
	}
	put(&p.Host, c.Host, usual.Host, from)
	put(&p.ServerName, c.ServerName, usual.ServerName, from)
	put(&p.Interval, c.Interval, usual.Interval, from)
	put(&p.FastInterval, c.FastInterval, usual.FastInterval, from)
	put(&p.DownInterval, c.DownInterval, usual.DownInterval, from)
	put(&p.Timeout, c.Timeout, usual.Timeout, from)
	put(&p.Rise, c.Rise, usual.Rise, from)
	put(&p.Fall, c.Fall, usual.Fall, from)
	if c.CAFile != config.ClusterCA { // which is waited for when it is not named
		put(&p.CAFile, c.CAFile, usual.CAFile, from)
	}
	put(&p.CertFile, c.CertFile, usual.CertFile, from)
	put(&p.KeyFile, c.KeyFile, usual.KeyFile, from)
	put(&p.Passive, c.Passive, usual.Passive, from)
	return p
}

// put takes a value that is not the usual one.
func put[T comparable](to *plan.Value[T], v, usual T, from plan.Source) {
	if v != usual {
		*to = plan.Of(v, from)
	}
}

// usualListener has all the defaults.
func usualListener() config.Listener {
	cfg, err := config.Parse("defaults", []byte("version: 1\nlisteners: [{name: a, bind: 127.0.0.1, port: 1, backends: {addresses: [192.0.2.1:1]}}]\n"))
	if err != nil {
		return config.Listener{} // a test sees to it that it is not
	}
	return cfg.Listeners[0]
}

// backendsOf are a listener's own, those that are peers with their names.
func backendsOf(l config.Listener, cfg *config.Config, from plan.Source) (all []plan.Backend) {
	usual := config.Backend{Weight: 1}
	add := func(name, host string, port uint16, weight int, backup bool) {
		b := plan.Backend{Name: name, Host: host, Port: int(port), From: from}
		put(&b.Weight, weight, usual.Weight, from)
		put(&b.Backup, backup, usual.Backup, from)
		all = append(all, b)
	}
	for _, b := range l.Backends {
		i := slices.IndexFunc(cfg.Cluster.Peers, func(p config.Peer) bool { return p.Address == b.Address.Addr() })
		name := ""
		if i >= 0 {
			name = cfg.Cluster.Peers[i].Name
		}
		add(name, b.Address.Addr().String(), b.Address.Port(), b.Weight, b.Backup)
	}
	for _, n := range l.Names {
		add("", n.Name, n.Port, n.Weight, n.Backup)
	}
	return all
}

// WorkerFrom is the worker of a cluster of which a plan tells the masters and the
// VIP; their API servers listen on port. The plan is that of flags.
func WorkerFrom(p plan.Plan, port int) Worker {
	w := Worker{Listen: DefaultListen, From: "--vip"}
	for _, m := range p.Peers {
		w.Masters.Backends = append(w.Masters.Backends, plan.Backend{
			Name: m.Name.V, Host: m.Address.V.String(), Port: port, From: m.Address.From,
		})
	}
	if len(p.VIPs) > 0 {
		at := netip.AddrPortFrom(p.VIPs[0].Address.V, uint16(port))
		w.VIP = &at
	}
	return w
}
