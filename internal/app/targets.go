package app

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/discovery"
	"github.com/kshalb/kshalb/internal/orders"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// targets are the backends of one listener, from wherever they come: the
// configuration, DNS, and masters that joined before the configuration names them.
// It is safe for concurrent use.
type targets struct {
	local  func(netip.Addr) bool // is it an address of this host?
	orders *orders.Book
	vips   []netip.Addr // of the configuration

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

// list returns all backends, as operators want them; where an address comes from
// several sources, it is as the first of them says.
func (t *targets) list() (all []proxy.Backend) {
	t.mu.Lock()
	defer t.mu.Unlock()
	add := func(at netip.AddrPort, weight int, backup bool) {
		if !slices.ContainsFunc(all, func(b proxy.Backend) bool { return b.Address == at }) {
			o, _ := t.orders.For(t.cfg.Name, at)
			switch {
			case o.Drain || o.Maintenance:
				weight = 0
			case o.Weight != nil:
				weight = *o.Weight
			}
			all = append(all, proxy.Backend{Address: at, Weight: weight, Backup: backup, Local: t.local(at.Addr())})
		}
	}
	for _, b := range t.cfg.Backends {
		add(b.Address, b.Weight, b.Backup)
	}
	for _, n := range t.cfg.Names {
		for _, addr := range t.named[discovery.Name(n.Name)] {
			if at := netip.AddrPortFrom(addr, n.Port); !t.own(at) {
				add(at, n.Weight, n.Backup)
			}
		}
	}
	if t.cfg.PeerPort != 0 {
		for _, addr := range t.guests {
			add(netip.AddrPortFrom(addr, t.cfg.PeerPort), 1, false)
		}
	}
	return all
}

// names are those whose addresses are backends.
func (t *targets) names() (all []discovery.Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.cfg.Names {
		all = append(all, discovery.Name(n.Name))
	}
	return all
}

// loops are the addresses of names that are left out: a connection to them would
// come back to this kshalb. The configuration refuses those that it lists itself.
func (t *targets) loops() (all []netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.cfg.Names {
		for _, addr := range t.named[discovery.Name(n.Name)] {
			if at := netip.AddrPortFrom(addr, n.Port); t.own(at) && !slices.Contains(all, at) {
				all = append(all, at)
			}
		}
	}
	return all
}

// own reports whether an address is a VIP, or the listener's.
func (t *targets) own(at netip.AddrPort) bool {
	bind := t.cfg.Bind
	onAll := bind.Addr().IsUnspecified() && bind.Port() == at.Port() && t.local(at.Addr())
	return onAll || at == bind || slices.Contains(t.vips, at.Addr())
}
