package proxy

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// What a socket has that speaks with an address that is not of this host. Its
// port is chosen when it connects, and so has to differ only from those with the
// same address at both ends (IP_BIND_ADDRESS_NO_PORT; ip(7)).
var (
	transparent4 = []option{
		{"IP_TRANSPARENT", unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1},
		{"IP_BIND_ADDRESS_NO_PORT", unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1},
	}
	transparent6 = []option{
		{"IPV6_TRANSPARENT", unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1},
		{"IP_BIND_ADDRESS_NO_PORT", unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1},
	}
)

// speaksAs is whose address the backend of c is to see; an invalid one is this
// host's. The backend has to be of its family, and one of the loopback means
// another host elsewhere.
func (lp *loop) speaksAs(c *conn) (as netip.Addr, err error) {
	if !c.from.l.now.Load().Transparent {
		return as, nil
	}
	client, _, err := lp.kernel.ends(c.legs[clientSide].fd)
	as = client.Addr().Unmap()
	switch {
	case err != nil:
		return as, err
	case as.Is4() != c.target.address.Addr().Is4():
		return as, unix.EAFNOSUPPORT
	case as.IsLoopback():
		return as, unix.EADDRNOTAVAIL
	}
	return as, nil
}

// impersonate binds a socket that is to be connected to an address of anybody's.
func (k *linux) impersonate(fd int32, as netip.Addr) error {
	opts := transparent4
	if as.Is6() {
		opts = transparent6
	}
	sa, _, err := k.as.of(netip.AddrPortFrom(as, 0))
	if err == nil {
		err = setAll(fd, opts)
	}
	if err == nil {
		err = unix.Bind(int(fd), sa)
	}
	return err
}

// mayImpersonate tries whether this process may.
func mayImpersonate() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("make a socket: %w", err)
	}
	defer closeFD(int32(fd))
	return setAll(int32(fd), transparent4)
}
