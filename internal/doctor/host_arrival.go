package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// stranger is an address of documentation (RFC 5737): whoever has one like it is
// in none of this host's networks.
var stranger = netip.MustParseAddr("203.0.113.7")

// refusesStrangers asks the kernel whether it would drop what comes by an interface
// from a stranger to one of this host's addresses there, because its own way to them
// leaves by another (rp_filter; net/ipv4/fib_frontend.c, fib_validate_source). That
// it lets a neighbour's packets in is the proof that nothing else is in the way.
func refusesStrangers(link string, own netip.Prefix) (bool, error) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return false, err
	}
	neighbour := own.Addr().Next()
	if !own.Contains(neighbour) {
		neighbour = own.Addr().Prev()
	}
	near, err := refusesArrival(i.Index, neighbour, own.Addr())
	if err != nil || near {
		return false, err
	}
	return refusesArrival(i.Index, stranger, own.Addr())
}

// refusesArrival asks as "ip route get TO from FROM iif LINK" does. A refusal is
// EXDEV, and since Linux 6.13 EINVAL.
func refusesArrival(link int, from, to netip.Addr) (bool, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return false, fmt.Errorf("open netlink: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Sendto(fd, arrival(link, from, to), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, fmt.Errorf("ask for a route: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0) // the kernel has answered before Sendto returns
	switch {
	case err != nil:
		return false, fmt.Errorf("ask for a route: %w", err)
	case n < unix.SizeofNlMsghdr+4:
		return false, errors.New("ask for a route: the kernel's answer is not understood")
	case binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR:
		return false, nil // a route
	}
	refusal := unix.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])))
	return refusal == unix.EXDEV || refusal == unix.EINVAL, nil
}

// arrival is an RTM_GETROUTE message (rtnetlink(7)) of IPv4.
func arrival(link int, from, to netip.Addr) []byte {
	msg := make([]byte, unix.SizeofNlMsghdr, 64)
	msg = append(msg, unix.AF_INET, 32, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0) // struct rtmsg
	attr := func(kind uint16, value []byte) {
		msg = binary.NativeEndian.AppendUint16(msg, uint16(unix.SizeofRtAttr+len(value)))
		msg = binary.NativeEndian.AppendUint16(msg, kind)
		msg = append(msg, value...)
	}
	attr(unix.RTA_DST, to.AsSlice())
	attr(unix.RTA_SRC, from.AsSlice())
	attr(unix.RTA_IIF, binary.NativeEndian.AppendUint32(nil, uint32(link)))
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], unix.RTM_GETROUTE)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST)
	return msg
}
