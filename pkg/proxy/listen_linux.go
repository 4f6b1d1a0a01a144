package proxy

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// backlog is cut by the kernel to net.core.somaxconn.
const backlog = 1<<16 - 1

// listen opens n sockets on the address of cfg, among which the kernel deals
// out clients (SO_REUSEPORT; socket(7)).
func listen(cfg Config, n int) (sockets []int32, err error) {
	defer func() {
		if err != nil {
			closeAll(sockets)
		}
	}()
	at := netip.AddrPortFrom(cfg.Bind.Addr().Unmap(), cfg.Bind.Port())
	if cfg.Share {
		if err := shared(cfg, at); err != nil {
			return nil, err
		}
	}
	for range n {
		fd, err := bound(cfg, at, cfg.Share || len(sockets) > 0)
		if errors.Is(err, unix.EAFNOSUPPORT) && at.Addr() == netip.IPv6Unspecified() {
			// [::] is everybody, also on a host without IPv6.
			at = netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())
			fd, err = bound(cfg, at, len(sockets) > 0)
		}
		if err != nil {
			return sockets, err
		}
		sockets = append(sockets, fd)
		at = netip.AddrPortFrom(at.Addr(), boundTo(fd).Port())
	}
	for _, fd := range sockets {
		if err := unix.Listen(int(fd), backlog); err != nil {
			return sockets, fmt.Errorf("listen: %w", err)
		}
	}
	return sockets, nil
}

// shared returns nil when somebody has the port of at: what is bound without
// leave to share tells it from a port that nobody has.
func shared(cfg Config, at netip.AddrPort) error {
	fd, err := bound(cfg, at, false)
	switch {
	case err == nil:
		closeFD(fd)
		return ErrNotShared
	case errors.Is(err, unix.EADDRINUSE):
		return nil
	}
	return err
}

// bound makes a socket with all its options and binds it. The first of an
// address shares it only once it is bound: so another process of the same user
// that shares its ports as well is met with EADDRINUSE, instead of taking part
// of the clients.
func bound(cfg Config, at netip.AddrPort, share bool) (int32, error) {
	var to sockaddr
	sa, family, err := to.of(at)
	if err != nil {
		return noFD, err
	}
	sock, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return noFD, fmt.Errorf("make a socket: %w", err)
	}
	fd := int32(sock)
	reuse := []option{{"SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, 1}}
	before := append(listenOptions(at.Addr(), cfg.FreeBind), legOptions(cfg.Timeouts.User)...)
	after := reuse
	if share {
		before, after = append(before, reuse...), nil
	}
	if err := setAll(fd, before); err != nil {
		closeFD(fd)
		return noFD, err
	}
	if err = unix.Bind(sock, sa); err == nil {
		err = setAll(fd, after)
	}
	if err != nil {
		closeFD(fd)
		return noFD, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

func closeAll(fds []int32) {
	for _, fd := range fds {
		closeFD(fd)
	}
}
