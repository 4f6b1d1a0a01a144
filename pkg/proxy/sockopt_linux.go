package proxy

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// control is the form in which package net takes socket options.
type control func(network, address string, rc syscall.RawConn) error

// keepalive is when probes start on a silent leg, how far they are apart
// (both whole seconds) and how many may go unanswered.
type keepalive struct {
	idle, interval time.Duration
	count          int
}

// keepaliveFor returns the probing that finds a dead peer of a silent leg
// within about user, as TCP_USER_TIMEOUT (which ends probing too, see
// tcp_keepalive_timer in net/ipv4/tcp_timer.c) does for a leg with unanswered
// bytes. Without user, or with a long one: a minute.
func keepaliveFor(user time.Duration) keepalive {
	k := keepalive{idle: 30 * time.Second, interval: 10 * time.Second, count: 3}
	if third := max(user/3, time.Second).Truncate(time.Second); user > 0 {
		k.idle, k.interval = min(k.idle, third), min(k.interval, third)
	}
	return k
}

// legOptions sets what both legs of a connection have: keepalive and
// TCP_USER_TIMEOUT. Set on a listening socket, accepted ones inherit them.
// (TCP_NODELAY is set by package net on every connection.)
func legOptions(user time.Duration) control {
	k := keepaliveFor(user)
	opts := []option{
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(k.idle / time.Second)},
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(k.interval / time.Second)},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, k.count},
	}
	if user > 0 {
		ms := max(user/time.Millisecond, 1) // the option's unit; 0 would be "off"
		opts = append(opts, option{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(ms)})
	}
	return setAll(opts)
}

// listenOptions is legOptions, plus leave to bind an address that no interface
// has yet.
func listenOptions(bind netip.Addr, freeBind bool, user time.Duration) control {
	leg := legOptions(user)
	if !freeBind {
		return leg
	}
	free := option{"IP_FREEBIND", unix.IPPROTO_IP, unix.IP_FREEBIND, 1}
	if bind.Is6() {
		free = option{"IPV6_FREEBIND", unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1}
	}
	return func(network, address string, rc syscall.RawConn) error {
		if err := setAll([]option{free})(network, address, rc); err != nil {
			return err
		}
		return leg(network, address, rc)
	}
}

// option is one integer socket option.
type option struct {
	name       string
	level, opt int
	value      int
}

func setAll(opts []option) control {
	return func(_, _ string, rc syscall.RawConn) error {
		var err error
		cerr := rc.Control(func(fd uintptr) {
			for _, o := range opts {
				if e := unix.SetsockoptInt(int(fd), o.level, o.opt, o.value); e != nil {
					err = fmt.Errorf("set %s to %d: %w", o.name, o.value, e)
					return
				}
			}
		})
		if cerr != nil {
			return cerr
		}
		return err
	}
}

// resetLeg closes c with a RST instead of a FIN; bytes not yet sent are thrown
// away.
//
// SO_LINGER 0 makes close(2) do that, but the descriptor is closed only when
// the last goroutine has left its system call on it. connect(2) to AF_UNSPEC
// runs the very same code (tcp_disconnect, net/ipv4/tcp.c) now, so the RST is
// out before the caller goes on, say to take the address away.
func resetLeg(c *net.TCPConn) error {
	_ = c.SetLinger(0) // fails only on a socket that is closed already
	if rc, err := c.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) {
			unspec := unix.RawSockaddr{Family: unix.AF_UNSPEC}
			// x/sys has no Sockaddr for AF_UNSPEC. An error changes nothing:
			// the close below does the same a little later.
			_, _, _ = unix.Syscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&unspec)), unsafe.Sizeof(unspec))
		})
	}
	return c.Close()
}

// tcpInfo returns the kernel's view of a connection.
func tcpInfo(c *net.TCPConn) (*unix.TCPInfo, error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var info *unix.TCPInfo
	var ierr error
	if err := rc.Control(func(fd uintptr) {
		info, ierr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); err != nil {
		return nil, err
	}
	return info, ierr
}

// moved returns a number that grows whenever a peer of one of the legs sent
// bytes or acknowledged some. The kernel counts, so it sees also a slow reader
// on whom one large write has been waiting for long.
func moved(legs ...*net.TCPConn) (uint64, error) {
	var sum uint64
	for _, c := range legs {
		info, err := tcpInfo(c)
		if err != nil {
			return 0, err
		}
		sum += info.Bytes_acked + info.Bytes_received
	}
	return sum, nil
}

// tcpClose is TCP_CLOSE of include/net/tcp_states.h.
const tcpClose = unix.BPF_TCP_CLOSE

// awaitReset blocks until c, whose peer has sent its FIN, is reset by the peer
// or given up by the kernel (nil), or closed by this process (an error).
func awaitReset(c *net.TCPConn) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return rc.Read(func(fd uintptr) bool {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		return err != nil || info.State == tcpClose
	})
}

// queued returns how many bytes can be read from the socket without waiting,
// up to the next urgent byte.
func queued(fd int) (int, error) {
	return unix.IoctlGetInt(fd, unix.SIOCINQ)
}
