package config

import (
	"net/netip"
	"strings"
)

// identity is what backends learn of clients.
func (d *decoder) identity(at string, raw rawListener, l Listener) {
	if l.ProxyProtocol > 0 && ofAPIServer(l.Check) {
		d.warn(at+".proxyProtocol", "a kube-apiserver, which is what %s is asked of, does not speak the PROXY protocol"+
			" and drops every such connection; write none", l.Check.Path)
	}
	if !l.Transparent {
		return
	}
	if raw.Backends.Peers {
		d.report(at+".source", "client cannot be with peers: they answer clients directly, and one of them is this host; write source: node")
	}
	for _, b := range l.Backends {
		if why := unreachableAs(l, b); why != "" {
			d.report(at+".source", "client cannot be: clients of %s have addresses %s backend %s; write source: node", l.Address, why, b.Address)
		}
	}
}

// unreachableAs says why a backend can't be reached with the address of any
// client of the listener; "" is that it may be. Clients of :: are of both families.
func unreachableAs(l Listener, b Backend) string {
	here, there := l.Bind.Addr(), b.Address.Addr()
	switch {
	case !here.IsValid() || !there.IsValid():
		return "" // reported before
	case here.Is4() != there.Is4() && here != netip.IPv6Unspecified():
		return "of another family than"
	case here.IsLoopback() && !there.IsLoopback():
		return "of this host alone, which cannot reach"
	}
	return ""
}

// ofAPIServer tells checks that hardly anything but a kube-apiserver passes.
func ofAPIServer(c Check) bool {
	path, _, _ := strings.Cut(c.Path, "?")
	return c.Type == CheckHTTPS && (path == "/readyz" || path == "/livez")
}
