package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// hostSocket is a socket of this network namespace.
type hostSocket struct {
	at, peer netip.AddrPort // peer is 0 for one that listens
	inode    uint32         // of the socket file system, by which its process is found
}

// The states of a socket (net/tcp_states.h). A UDP socket that is connected to
// nobody is in that of a closed one.
const (
	established = 1
	closed      = 7
	listening   = 10
)

// The sizes of struct inet_diag_req_v2 and inet_diag_msg, and what is where in
// them (linux/inet_diag.h). Ports and addresses are in network byte order.
const (
	diagRequest  = 56
	diagAnswer   = 72
	diagStates   = 4
	diagSource   = 8 // of a request's struct inet_diag_sockid
	diagAnswerID = 4
	diagInode    = 68
)

// hostSockets lists the sockets of a protocol (IPPROTO_TCP or IPPROTO_UDP) that are
// in a state and have a port of this host.
func hostSockets(protocol byte, state uint, port uint16) (all []hostSocket, err error) {
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the sockets of port %d: %w", port, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, diagRequest)
		request[0], request[1] = family, protocol
		binary.NativeEndian.PutUint32(request[diagStates:], 1<<state)
		binary.BigEndian.PutUint16(request[diagSource:], port)
		answers, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump}, Data: request,
		})
		if errors.Is(err, unix.ENOENT) { // the kernel has no IPv6, or no UDP to list
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask for the sockets of port %d: %w", port, err)
		}
		for _, a := range answers {
			if s, ok := parseHostSocket(a.Data); ok && s.at.Port() == port {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// parseHostSocket reads a struct inet_diag_msg.
func parseHostSocket(data []byte) (s hostSocket, ok bool) {
	if len(data) < diagAnswer {
		return s, false
	}
	id := data[diagAnswerID:]
	address := func(at int) netip.Addr {
		if data[0] == unix.AF_INET {
			return netip.AddrFrom4([4]byte(id[at : at+4]))
		}
		return netip.AddrFrom16([16]byte(id[at : at+16])).Unmap()
	}
	s.at = netip.AddrPortFrom(address(4), binary.BigEndian.Uint16(id))
	s.peer = netip.AddrPortFrom(address(20), binary.BigEndian.Uint16(id[2:]))
	s.inode = binary.NativeEndian.Uint32(data[diagInode:])
	return s, true
}

// owners finds the processes that have sockets open, by their inodes. Those that
// cannot be seen from here are not among them.
func (l *Looker) owners(sockets []hostSocket) map[uint32]process {
	wanted := make(map[string]uint32)
	for _, s := range sockets {
		wanted[fmt.Sprintf("socket:[%d]", s.inode)] = s.inode
	}
	found := make(map[uint32]process)
	folders, _ := os.ReadDir(l.path("/proc"))
	for _, folder := range folders {
		pid, err := strconv.Atoi(folder.Name())
		if err != nil || len(found) == len(wanted) {
			continue
		}
		files := l.path(filepath.Join("/proc", folder.Name(), "fd"))
		entries, _ := os.ReadDir(files)
		for _, e := range entries {
			to, _ := os.Readlink(filepath.Join(files, e.Name()))
			inode, is := wanted[to]
			if !is {
				continue
			}
			name, _ := l.hostWord(filepath.Join("/proc", folder.Name(), "comm"))
			if _, known := found[inode]; !known || name == kshalbName {
				found[inode] = process{pid: pid, name: name}
			}
		}
	}
	return found
}

// kshalbName is that of kshalb's process.
const kshalbName = "kshalb"

// Owner is who has a socket.
type Owner struct {
	At      netip.AddrPort `json:"at"`
	Process string         `json:"process,omitempty"` // its name and number; "": it cannot be seen from here
	Ours    bool           `json:"ours,omitempty"`    // it is kshalb
}

func (o Owner) String() string {
	if o.Process == "" {
		return fmt.Sprintf("a process that cannot be seen from here has %s", o.At)
	}
	return fmt.Sprintf("%s has %s", o.Process, o.At)
}

// told are sockets with who has them.
func (l *Looker) told(sockets []hostSocket) (all []Owner) {
	owners := l.owners(sockets)
	for _, s := range sockets {
		o := Owner{At: s.at}
		if p, ok := owners[s.inode]; ok {
			o.Process, o.Ours = p.String(), p.name == kshalbName || p.pid == os.Getpid()
		}
		all = append(all, o)
	}
	return all
}

// inTheWay reports whether a socket keeps another from an address: it is there, or on all
// addresses of the family.
func (s hostSocket) inTheWay(at netip.AddrPort) bool {
	own := s.at.Addr()
	both := own == netip.IPv6Unspecified() // it takes IPv4 too, as a rule
	return s.at.Port() == at.Port() && (own == at.Addr() || both || own.IsUnspecified() && own.Is4() == at.Addr().Is4())
}

// ownerList tells who has sockets.
func ownerList(all []Owner) string {
	var words []string
	for _, o := range all {
		words = append(words, o.String())
	}
	return strings.Join(words, ", ")
}
