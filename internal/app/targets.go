package app

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/discovery"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// targets are the backends of one listener, from wherever they come: the
// configuration, DNS, and masters that joined before the configuration names them.
// It is safe for concurrent use.
type targets struct {
	local func(netip.Addr) bool // is it an address of this host?

	mu     sync.Mutex
	cfg    config.Listener // of which the backends may be replaced
	named  map[discovery.Name][]netip.Addr
	guests []netip.Addr
}

// set changes one of the sources.
func (t *targets) set(change func(*targets)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(t)
}

// list returns all backends; where an address comes from several sources, as the
// first of them says.
func (t *targets) list() (all []proxy.Backend) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add := func(at netip.AddrPort, weight int, backup bool) {
		if !slices.ContainsFunc(all, func(b proxy.Backend) bool { return b.Address == at }) {
			all = append(all, proxy.Backend{Address: at, Weight: weight, Backup: backup, Local: t.local(at.Addr())})
		}
	}
	for _, b := range t.cfg.Backends {
		add(b.Address, b.Weight, b.Backup)
	}
	for _, n := range t.cfg.Names {
		for _, addr := range t.named[discovery.Name(n.Name)] {
			add(netip.AddrPortFrom(addr, n.Port), n.Weight, n.Backup)
		}
	}
	if t.cfg.PeerPort != 0 {
		for _, addr := range t.guests {
			add(netip.AddrPortFrom(addr, t.cfg.PeerPort), 1, false)
		}
	}
	return all
}
