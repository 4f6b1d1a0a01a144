package app

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// socket is a TCP socket that listens in this network namespace.
type socket struct {
	at    netip.AddrPort
	inode uint32 // of the socket file system, by which its process is found
}

// errNobody says that no socket listens.
var errNobody = errors.New("nobody listens there")

// Addresses of documentation (RFC 5737, RFC 3849), which nobody has: only a
// socket on all addresses takes their clients.
var (
	nowhere4 = netip.MustParseAddr("192.0.2.1")
	nowhere6 = netip.MustParseAddr("2001:db8::1")
)

// onAll returns the socket that takes the clients of all addresses of a family
// on a port, or errNobody.
func onAll(family netip.Addr, port uint16) (socket, error) {
	nowhere := nowhere4
	if family.Is6() {
		nowhere = nowhere6
	}
	s, err := listenerOf(netip.AddrPortFrom(nowhere, port))
	if err == nil && !s.at.Addr().IsUnspecified() {
		err = errNobody
	}
	return s, err
}

// The sizes of struct inet_diag_req_v2 and inet_diag_msg, and what is where in
// them (linux/inet_diag.h). Ports and addresses are in network byte order.
const (
	diagRequest  = 56
	diagAnswer   = 72
	diagSource   = 8  // of a request's struct inet_diag_sockid
	diagCookie   = 48 // of it, too
	diagAnswerID = 4
	diagInode    = 68
)

// listenerOf returns the socket to which the kernel would give a new client of an
// address, or errNobody. It is one look into its hash tables, whatever the number
// of sockets (inet_diag_find_one_icsk, net/ipv4/inet_diag.c); /proc/net/tcp walks
// through all of them, which takes milliseconds.
func listenerOf(at netip.AddrPort) (s socket, err error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return s, fmt.Errorf("ask who listens on %s: %w", at, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	request := make([]byte, diagRequest)
	request[0], request[1] = unix.AF_INET, unix.IPPROTO_TCP
	if at.Addr().Is6() {
		request[0] = unix.AF_INET6
	}
	id := request[diagSource:]
	binary.BigEndian.PutUint16(id[0:], at.Port())
	binary.BigEndian.PutUint16(id[2:], 1) // the client's; any
	copy(id[4:], at.Addr().AsSlice())
	for i := range 8 { // INET_DIAG_NOCOOKIE, twice
		request[diagCookie+i] = 0xff
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request}, Data: request,
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return s, errNobody
	case err != nil:
		return s, fmt.Errorf("ask who listens on %s: %w", at, err)
	case len(answers) != 1 || len(answers[0].Data) < diagAnswer:
		return s, fmt.Errorf("ask who listens on %s: the kernel's answer is not understood", at)
	}
	return parseSocket(answers[0].Data), nil
}

// parseSocket reads a struct inet_diag_msg.
func parseSocket(data []byte) socket {
	id := data[diagAnswerID:]
	addr := netip.AddrFrom16([16]byte(id[4:20])).Unmap()
	if data[0] == unix.AF_INET {
		addr = netip.AddrFrom4([4]byte(id[4:8]))
	}
	return socket{netip.AddrPortFrom(addr, binary.BigEndian.Uint16(id)), binary.NativeEndian.Uint32(data[diagInode:])}
}

// clientsOf returns who has a connection to a socket that listens at an address here,
// as the kernel knows it.
func clientsOf(at netip.AddrPort) (all []netip.AddrPort, err error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, fmt.Errorf("list the clients of %s: %w", at, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	request := make([]byte, diagRequest)
	request[0], request[1] = unix.AF_INET, unix.IPPROTO_TCP
	if at.Addr().Is6() {
		request[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(request[diagStates:], 1<<unix.BPF_TCP_ESTABLISHED)
	binary.BigEndian.PutUint16(request[diagSource:], at.Port())
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump}, Data: request,
	})
	if err != nil {
		return nil, fmt.Errorf("list the clients of %s: %w", at, err)
	}
	for _, a := range answers {
		if len(a.Data) >= diagAnswer && parseSocket(a.Data).at == at {
			all = append(all, parsePeer(a.Data))
		}
	}
	return all, nil
}

// Where the states are in a request, and the peer in an answer's sockid.
const (
	diagStates   = 4
	diagPeerPort = 2
	diagPeer     = 20
)

// parsePeer reads who a socket is connected to.
func parsePeer(data []byte) netip.AddrPort {
	id := data[diagAnswerID:]
	addr := netip.AddrFrom16([16]byte(id[diagPeer : diagPeer+16])).Unmap()
	if data[0] == unix.AF_INET {
		addr = netip.AddrFrom4([4]byte(id[diagPeer : diagPeer+4]))
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(id[diagPeerPort:]))
}

// whoHas says who keeps others from listening at an address, as far as this
// process may see it; "" when it sees nobody.
func whoHas(at netip.AddrPort) string {
	s, err := listenerOf(at)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s has %s", owner(s.inode), s.at)
}

// owner names a process that has a socket open.
func owner(inode uint32) string {
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		files = nil
	}
	for _, file := range files {
		if to, err := os.Readlink(file); err != nil || to != fmt.Sprintf("socket:[%d]", inode) {
			continue
		}
		process := filepath.Dir(filepath.Dir(file))
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		if err == nil {
			return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), filepath.Base(process))
		}
	}
	return "a process that cannot be seen from here"
}
