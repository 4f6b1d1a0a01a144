package proxy

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

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

// option is one integer socket option.
type option struct {
	name       string
	level, opt int
	value      int
}

// legOptions are what both legs of a connection have: no delay, keepalive and
// TCP_USER_TIMEOUT. Set on a listening socket, accepted ones inherit them.
func legOptions(user time.Duration) []option {
	k := keepaliveFor(user)
	ms := 0 // the option's unit; 0 is "off"
	if user > 0 {
		ms = int(max(user/time.Millisecond, 1))
	}
	return []option{
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(k.idle / time.Second)},
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(k.interval / time.Second)},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, k.count},
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms},
	}
}

// listenOptions are what a listening socket has besides before it is bound:
// leave to follow a predecessor whose connections are not all gone, and to bind
// an address that no interface has yet; an IPv6 wildcard takes IPv4 too.
func listenOptions(bind netip.Addr, freeBind bool) []option {
	opts := []option{{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}}
	if bind.Is6() {
		opts = append(opts, option{"IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0})
	}
	switch {
	case freeBind && bind.Is6():
		opts = append(opts, option{"IPV6_FREEBIND", unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1})
	case freeBind:
		opts = append(opts, option{"IP_FREEBIND", unix.IPPROTO_IP, unix.IP_FREEBIND, 1})
	}
	return opts
}

func setAll(fd int32, opts []option) error {
	for i := range opts {
		o := &opts[i]
		if err := unix.SetsockoptInt(int(fd), o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("set %s to %d: %w", o.name, o.value, err)
		}
	}
	return nil
}
