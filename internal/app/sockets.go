package app

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

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
