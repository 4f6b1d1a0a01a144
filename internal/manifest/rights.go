package manifest

import (
	"slices"

	"github.com/kshalb/kshalb/internal/config"
)

// right is a capability, and what it is for.
type right struct{ Name, Why string }

// firstFree is the first port that needs no capability.
const firstFree = 1024

// Rights are the capabilities that kshalb cannot do without on the host. Everything
// else it does as anybody may: what it could do better with more (longer buffers of
// sockets, larger pipes) it does as far as the system lets it.
func (p pod) Rights() (all []right) {
	transparent := slices.ContainsFunc(p.listeners(), func(l config.Listener) bool { return l.Transparent })
	switch {
	case p.Floats():
		all = append(all,
			right{"NET_ADMIN", "add and remove the address, and the nftables table that sends its port to ours"},
			right{"NET_RAW", "announce the address: ARP goes through a packet socket"})
	case transparent:
		all = append(all, right{"NET_ADMIN", "connect with clients' addresses (source: client), and take the answers"})
	}
	if p.bindsLow() {
		all = append(all, right{"NET_BIND_SERVICE", "listen on a port below 1024"})
	}
	return all
}

// bindsLow reports whether a socket is on a port of the system's. One of a VIP that
// is shared with another process is on VIP:port itself, besides its private one.
func (p pod) bindsLow() bool {
	ports := []uint16{}
	if p.cfg.Admin.HTTP.IsValid() {
		ports = append(ports, p.cfg.Admin.HTTP.Port())
	}
	if p.Votes() {
		ports = append(ports, p.cfg.Cluster.Gossip.Port)
	}
	for _, l := range p.listeners() {
		ports = append(ports, l.Bind.Port())
		if l.PortConflict == config.ConflictAuto {
			ports = append(ports, l.Address.Port())
		}
	}
	return slices.Min(append(ports, firstFree)) < firstFree
}
