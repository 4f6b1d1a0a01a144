package app

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// socket is a TCP socket of this network namespace, as the kernel tells of it.
type socket struct {
	at, peer netip.AddrPort
	inode    uint32 // of the socket file system, by which its process is found
}

// The sizes of struct inet_diag_req_v2 and inet_diag_msg, and what is where in
// them (linux/inet_diag.h). Ports and addresses are in network byte order.
const (
	diagRequest  = 56
	diagStates   = 4
	diagSource   = 8  // of a request's struct inet_diag_sockid
	diagCookie   = 48 // of it, too
	diagAnswer   = 72
	diagAnswerID = 4
	diagInode    = 68

	// In an inet_diag_sockid.
	diagPeerPort = 2
	diagAddress  = 4
	diagPeer     = 20
)

// diag is a request about TCP sockets to the kernel (sock_diag(7)).
type diag struct {
	do     netlink.HeaderType // SOCK_DIAG_BY_FAMILY or SOCK_DESTROY
	flags  netlink.HeaderFlags
	states uint32         // of a dump
	at     netip.AddrPort // of the socket
	peer   netip.AddrPort // of it
}

// sockets asks the kernel; it has privileged answers for this namespace alone.
func (d diag) sockets() (all []socket, err error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: d.do, Flags: netlink.Request | d.flags}, Data: d.marshal(),
	})
	if err != nil {
		return nil, err
	}
	for _, a := range answers {
		if len(a.Data) >= diagAnswer {
			all = append(all, parseSocket(a.Data))
		}
	}
	return all, nil
}

func (d diag) marshal() []byte {
	request := make([]byte, diagRequest)
	request[0], request[1] = unix.AF_INET, unix.IPPROTO_TCP
	if d.at.Addr().Is6() {
		request[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(request[diagStates:], d.states)
	id := request[diagSource:]
	binary.BigEndian.PutUint16(id, d.at.Port())
	binary.BigEndian.PutUint16(id[diagPeerPort:], d.peer.Port())
	copy(id[diagAddress:diagPeer], d.at.Addr().AsSlice())
	copy(id[diagPeer:], d.peer.Addr().AsSlice())
	for i := range 8 { // INET_DIAG_NOCOOKIE, twice
		request[diagCookie+i] = 0xff
	}
	return request
}

// parseSocket reads a struct inet_diag_msg.
func parseSocket(data []byte) socket {
	id := data[diagAnswerID:]
	addr := func(offset int) netip.Addr {
		if data[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(id[offset : offset+4]))
		}
		return netip.AddrFrom16([16]byte(id[offset : offset+16])).Unmap()
	}
	return socket{
		at:    netip.AddrPortFrom(addr(diagAddress), binary.BigEndian.Uint16(id)),
		peer:  netip.AddrPortFrom(addr(diagPeer), binary.BigEndian.Uint16(id[diagPeerPort:])),
		inode: binary.NativeEndian.Uint32(data[diagInode:]),
	}
}

// listenerOf returns the socket to which the kernel would give a new client of an
// address, or errNobody. It is one look into its hash tables, whatever the number
// of sockets (inet_diag_find_one_icsk, net/ipv4/inet_diag.c); /proc/net/tcp walks
// through all of them, which takes milliseconds.
func listenerOf(at netip.AddrPort) (socket, error) {
	anyClient := netip.AddrPortFrom(netip.Addr{}, 1)
	found, err := diag{do: unix.SOCK_DIAG_BY_FAMILY, at: at, peer: anyClient}.sockets()
	switch {
	case errors.Is(err, unix.ENOENT):
		return socket{}, errNobody
	case err != nil:
		return socket{}, fmt.Errorf("ask who listens on %s: %w", at, err)
	case len(found) != 1:
		return socket{}, fmt.Errorf("ask who listens on %s: the kernel's answer is not understood", at)
	}
	return found[0], nil
}

// clientsOf returns who has a connection to a socket that listens at an address here,
// as the kernel knows it.
func clientsOf(at netip.AddrPort) (all []netip.AddrPort, err error) {
	found, err := diag{
		do: unix.SOCK_DIAG_BY_FAMILY, flags: netlink.Dump, states: 1 << unix.BPF_TCP_ESTABLISHED, at: at,
	}.sockets()
	if err != nil {
		return nil, fmt.Errorf("list the clients of %s: %w", at, err)
	}
	for _, s := range found {
		if s.at == at {
			all = append(all, s.peer)
		}
	}
	return all, nil
}

// abort ends a connection of a process on this host, which gets ECONNABORTED: what
// Android does when an address goes, for what that kernel option was made
// (CONFIG_INET_DIAG_DESTROY, Linux 4.5; tcp_abort, net/ipv4/tcp.c). One that is not
// there is no error.
func abort(at, peer netip.AddrPort) error {
	_, err := diag{do: unix.SOCK_DESTROY, flags: netlink.Acknowledge, at: at, peer: peer}.sockets()
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("end the connection of %s to %s: %w", at, peer, err)
	}
	return nil
}
