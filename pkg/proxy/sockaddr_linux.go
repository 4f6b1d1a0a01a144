package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// sockaddr is memory for one address as package unix has it, which also writes
// into it whenever it is used.
type sockaddr struct {
	in4 unix.SockaddrInet4
	in6 unix.SockaddrInet6
}

// of returns an address, valid until the next call, and its family. A zone is
// the name or the number of an interface, which must be there.
func (s *sockaddr) of(a netip.AddrPort) (sa unix.Sockaddr, family int, err error) {
	addr := a.Addr().Unmap()
	if addr.Is4() {
		s.in4.Addr, s.in4.Port = addr.As4(), int(a.Port())
		return &s.in4, unix.AF_INET, nil
	}
	s.in6.Addr, s.in6.Port = addr.As16(), int(a.Port())
	s.in6.ZoneId, err = scope(addr.Zone())
	return &s.in6, unix.AF_INET6, err
}

// scope returns the number of the interface of a zone, 0 for none.
func scope(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	in, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", zone, unix.ENODEV)
	}
	return uint32(in.Index), nil
}

// boundTo returns the address of a socket, invalid when it has none.
func boundTo(fd int32) netip.AddrPort {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return netip.AddrPort{}
	}
	return addrPort(sa)
}

// addrPort returns an address of package unix, invalid when it is of no family
// that is known here.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return netip.AddrPortFrom(addr, uint16(sa.Port))
	}
	return netip.AddrPort{}
}
