package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Tickle has clients notice that their connections to vip, which an earlier holder
// had, are over: one that only waits for bytes would wait until its own keepalive.
// Each is sent a segment that fits no connection; a client that has one answers with
// an acknowledgement (RFC 9293, section 3.10.7.4, the first check), and this host,
// which knows of no connection, resets that. Samba's CTDB calls it a tickle. The VIP
// has to be on this host.
//
// The error is of the first segment that could not be sent; the others are tried.
func Tickle(vip netip.AddrPort, clients []netip.AddrPort) (err error) {
	family, bind := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte(vip.Addr().AsSlice()[:4])})
	if vip.Addr().Is6() {
		family, bind = unix.AF_INET6, &unix.SockaddrInet6{Addr: vip.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("tickle the clients of %s: make a socket: %w", vip, err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := unix.Bind(fd, bind); err != nil {
		return fmt.Errorf("tickle the clients of %s: bind: %w", vip, err)
	}
	if vip.Addr().Is6() {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_CHECKSUM, tcpChecksum); err != nil {
			return fmt.Errorf("tickle the clients of %s: %w", vip, err)
		}
	}
	var first error
	for _, c := range clients {
		if c.Addr().Is4() != vip.Addr().Is4() {
			continue
		}
		var to unix.Sockaddr = &unix.SockaddrInet6{Addr: c.Addr().As16()}
		if c.Addr().Is4() {
			to = &unix.SockaddrInet4{Addr: c.Addr().As4()}
		}
		if err := unix.Sendto(fd, tickle(vip, c), 0, to); err != nil && first == nil {
			first = fmt.Errorf("tickle %s, a client of %s: %w", c, vip, err)
		}
	}
	return first
}

// The layout of a TCP header (RFC 9293, section 3.1).
const (
	tcpHeader   = 20
	tcpOffset   = 12 // of its length in words of four bytes, in the upper half
	tcpFlags    = 13
	tcpWindow   = 14
	tcpChecksum = 16
	tcpACK      = 0x10
)

// tickle is an acknowledgement of nothing.
func tickle(from, to netip.AddrPort) []byte {
	h := make([]byte, tcpHeader)
	binary.BigEndian.PutUint16(h, from.Port())
	binary.BigEndian.PutUint16(h[2:], to.Port())
	h[tcpOffset], h[tcpFlags] = tcpHeader/4<<4, tcpACK
	binary.BigEndian.PutUint16(h[tcpWindow:], 1)
	if from.Addr().Is4() { // of IPv6 the kernel does it
		binary.BigEndian.PutUint16(h[tcpChecksum:], checksum4(from.Addr(), to.Addr(), h))
	}
	return h
}

// checksum4 is that of a segment over IPv4 (RFC 9293, section 3.1).
func checksum4(from, to netip.Addr, segment []byte) uint16 {
	pseudo := append(from.AsSlice(), to.AsSlice()...)
	pseudo = append(pseudo, 0, unix.IPPROTO_TCP, 0, byte(len(segment)))
	sum := uint32(0)
	for _, part := range [][]byte{pseudo, segment} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
