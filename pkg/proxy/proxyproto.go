package proxy

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// proxyHeader is what a connection from a client to an address begins with, in
// version 1 or 2 of the PROXY protocol (haproxy.org, doc/proxy-protocol.txt).
// IPv4 in IPv6 form is IPv4; a zone means nothing on another host, and is left
// out. Addresses of two families are an error: the header has room for one.
func proxyHeader(version int, from, to netip.AddrPort) ([]byte, error) {
	from, to = plain(from), plain(to)
	family := proxyproto.TCPv4
	if from.Addr().Is6() {
		family = proxyproto.TCPv6
	}
	if from.Addr().BitLen() != to.Addr().BitLen() || !from.IsValid() {
		return nil, fmt.Errorf("say who connects: %s and %s are not of one family", from, to)
	}
	h := proxyproto.Header{
		Version: byte(version), Command: proxyproto.PROXY, TransportProtocol: family,
		SourceAddr: tcpAddr(from), DestinationAddr: tcpAddr(to),
	}
	b, err := h.Format()
	if err != nil {
		return nil, fmt.Errorf("say in version %d that %s connects to %s: %w", version, from, to, err)
	}
	return b, nil
}

func tcpAddr(a netip.AddrPort) *net.TCPAddr {
	return &net.TCPAddr{IP: a.Addr().AsSlice(), Port: int(a.Port())}
}

// LocalHeader returns what a connection of this host's own, such as a probe, has
// to begin with at a backend that is spoken to with Config.ProxyProtocol version:
// it says that there is no client. That is "LOCAL" in version 2 and "UNKNOWN" in
// version 1, where the backend takes the connection's own addresses instead
// (doc/proxy-protocol.txt, 2.1 and 2.2). For any other version it is nil.
func LocalHeader(version int) []byte {
	if version != 1 && version != 2 {
		return nil
	}
	h := proxyproto.Header{Version: byte(version), Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
	b, err := h.Format()
	if err != nil { // only addresses can be wrong
		return nil
	}
	return b
}
