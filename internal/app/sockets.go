package app

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// socket is a TCP socket that listens in this network namespace.
type socket struct {
	at    netip.AddrPort
	inode string // of the socket file system, by which its process is found
}

// listeningOn returns the sockets that listen on a TCP port.
func listeningOn(port uint16) ([]socket, error) {
	var on []socket
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open("/proc/thread-self/net/" + table)
		if os.IsNotExist(err) && table == "tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("list the sockets that listen: %w", err)
		}
		lines := bufio.NewScanner(f)
		lines.Scan() // the heading
		for lines.Scan() {
			s, listens := parseSocket(lines.Text())
			if !listens {
				break // they come first: tcp_get_idx in net/ipv4/tcp_ipv4.c
			}
			if s.at.Port() == port {
				on = append(on, s)
			}
		}
		err = cmp.Or(lines.Err(), f.Close())
		if err != nil {
			return nil, fmt.Errorf("list the sockets that listen: %w", err)
		}
	}
	return on, nil
}

// stateListen is TCP_LISTEN of net/tcp_states.h, as /proc/net/tcp has it.
const stateListen = "0A"

// parseSocket reads one line of /proc/net/tcp or tcp6 (proc(5)). What is no
// socket that listens is none.
func parseSocket(line string) (s socket, listens bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != stateListen {
		return socket{}, false
	}
	host, port, _ := strings.Cut(fields[1], ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return socket{}, false
	}
	var bytes []byte
	for ; len(host) >= 8; host = host[8:] { // words as this machine has them in memory
		word, err := strconv.ParseUint(host[:8], 16, 32)
		if err != nil {
			return socket{}, false
		}
		bytes = binary.NativeEndian.AppendUint32(bytes, uint32(word))
	}
	addr, ok := netip.AddrFromSlice(bytes)
	return socket{netip.AddrPortFrom(addr.Unmap(), uint16(n)), fields[9]}, ok && host == ""
}

// isOnAll reports whether a socket takes the clients of all addresses of a's
// family. One on [::] may be for IPv6 only, which cannot be seen.
func (s socket) isOnAll(a netip.Addr) bool {
	return s.at.Addr().IsUnspecified() && (s.at.Addr().Is6() || a.Is4())
}

// whoHas says who keeps others from listening at an address, as far as this
// process may see it; "" when it sees nobody.
func whoHas(at netip.AddrPort) string {
	sockets, err := listeningOn(at.Port())
	if err != nil {
		return ""
	}
	for _, s := range sockets {
		if s.at == at || s.isOnAll(at.Addr()) {
			return fmt.Sprintf("%s has %s", owner(s.inode), s.at)
		}
	}
	return ""
}

// owner names a process that has a socket open.
func owner(inode string) string {
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		files = nil
	}
	for _, file := range files {
		if to, err := os.Readlink(file); err != nil || to != "socket:["+inode+"]" {
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
