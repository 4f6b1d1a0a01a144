package proxy

import (
	"net/netip"
	"time"
)

// Config is what a Listener does.
type Config struct {
	Name string // label of metrics and logs

	// Bind is where the socket is; port 0 lets the kernel choose. An IPv4
	// address takes IPv4 only; [::] takes both families.
	Bind netip.AddrPort
	// FreeBind allows an address that is not on this host yet (IP_FREEBIND,
	// IPV6_FREEBIND): standbys wait on the VIP before they hold it.
	FreeBind bool
	// Share binds beside a socket that another process of the same user listens
	// on with SO_REUSEPORT, on all addresses: Bind is the more specific one and
	// gets all its clients. Without such a socket Listen fails with ErrNotShared,
	// since then nobody's leave is known for the next one who wants the port.
	Share bool

	Timeouts Timeouts

	Limiter *Limiter       // what clients may have; nil is no limit
	Allow   []netip.Prefix // client addresses that are served; empty is everybody

	// ProxyProtocol is the version of the PROXY protocol in which each connection
	// to a backend begins by saying whose it is (haproxy.org,
	// doc/proxy-protocol.txt): 1, a line of text, or 2; 0 is not at all. A backend
	// has to expect it. What is said is not counted as a client's bytes; a probe of
	// such a backend begins with LocalHeader.
	ProxyProtocol int
	// Advertised is where clients connect in their own eyes, when that is not
	// Bind's port: what is said to a backend. When it is invalid, or of another
	// family than the client, that is the socket's own address.
	Advertised netip.AddrPort

	// Transparent has backends see the client's own address as the source of the
	// connection, with another port (IP_TRANSPARENT; ip(7)). It needs
	// CAP_NET_ADMIN, answers of the backends that come back to this host, and
	// rules by which the host takes those for its own. A client whose address is
	// of another family than the backend's, or a loopback one, can't connect to
	// it: such an attempt counts as failed, and nobody appears at a backend as
	// somebody else instead.
	Transparent bool

	// Rebalance has clients leave a backend that has too many of them.
	Rebalance Rebalance

	// Report is told what connections find out about a backend. It is called from
	// the loops and must not block. nil: nobody wants to know.
	Report func(backend netip.AddrPort, e Evidence)
}

// Evidence is what speaks against a backend.
type Evidence struct {
	Reason string
	// Provocable says that a client can have caused it.
	Provocable bool
}

// Timeouts bound the phases of a connection.
type Timeouts struct {
	// Connect bounds one attempt to connect to a backend; 0 is 2 s.
	Connect time.Duration
	// Retry does so while there is another backend to try; 0 is Connect.
	Retry time.Duration
	// Idle ends a connection (RST) when no byte has moved in either direction
	// for it (measured to a quarter of it, never early); 0 is never.
	Idle time.Duration
	// HalfClosed is the same for a connection of which one direction has
	// ended; the shorter one counts. A transfer that still moves, however
	// slowly, is not cut. 0 is never.
	HalfClosed time.Duration
	// Drain is how long live connections may go on after Run's context has
	// ended; 0 resets them at once.
	Drain time.Duration
	// User is how long a peer may leave sent bytes unacknowledged, or refuse
	// to take bytes that wait for it, before the connection is given up:
	// TCP_USER_TIMEOUT (RFC 5482; tcp(7)) on both legs. Keepalive is tuned to
	// find dead peers of silent legs within about the same time. In
	// milliseconds; 0 leaves both to the kernel, with a keepalive of a minute.
	User time.Duration
}
