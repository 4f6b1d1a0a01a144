package proxy

import (
	"fmt"
	"net/netip"
)

// introduce has the backend told first who its client is: what it is told waits
// to be sent ahead of all that the client says. It returns false when the client
// has gone meanwhile, and so has no address.
func (lp *loop) introduce(c *conn) bool {
	cfg := &c.from.l.now.Load().Config
	if cfg.ProxyProtocol == 0 {
		return true
	}
	from, own, err := lp.kernel.ends(c.legs[clientSide].fd)
	if err != nil {
		return false
	}
	header, err := proxyHeader(cfg.ProxyProtocol, from, connectedTo(cfg.Advertised, own))
	if err != nil {
		return false
	}
	f := &c.flows[clientSide]
	f.block = lp.takeBlock()
	f.off, f.pending = 0, int32(copy(f.block[:], header))
	c.unsaid = uint8(f.pending)
	return true
}

// connectedTo is where a client connected, in its own eyes: to what is advertised,
// or to the address of the socket, own, when there is nothing else or the client
// is of another family and can't have meant that.
func connectedTo(advertised, own netip.AddrPort) netip.AddrPort {
	if advertised.IsValid() && advertised.Addr().Unmap().Is4() == own.Addr().Unmap().Is4() {
		return advertised
	}
	return own
}

// unaddressed takes out of n bytes to the backend those that no client sent.
func (c *conn) unaddressed(n int) int {
	ours := min(n, int(c.unsaid))
	c.unsaid -= uint8(ours)
	return n - ours
}

// Check says what is wrong with how backends are to be told who connects, or what this
// host lacks for it. Listen and SetConfig do so, too.
func (cfg Config) Check() error {
	if v := cfg.ProxyProtocol; v < 0 || v > 2 {
		return fmt.Errorf("listen on %s: there is no version %d of the PROXY protocol: use 1 or 2, or 0 for none", cfg.Bind, v)
	}
	if !cfg.Transparent {
		return nil
	}
	if err := mayImpersonate(); err != nil {
		return fmt.Errorf("listen on %s: speak to backends with clients' addresses: %w; run as root or with CAP_NET_ADMIN,"+
			" or let them see this host's address (`source: node`)", cfg.Bind, err)
	}
	return nil
}
