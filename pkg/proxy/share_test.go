package proxy_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// everywhere listens on all addresses, with leave to share or without.
func everywhere(t *testing.T, network string, share int) (port uint16) {
	t.Helper()
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		ctlErr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, share) })
		return errors.Join(ctlErr, err)
	}}
	ln, err := lc.Listen(t.Context(), network, ":0")
	if err != nil {
		t.Skipf("listen on all addresses of %s: %v", network, err)
	}
	t.Cleanup(func() { ln.Close() })
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}

// TestShare: of a port that another shares, the more specific address gets every
// client. (Both are in this process, so the user is the same.)
func TestShare(t *testing.T) {
	for _, tc := range []struct{ name, network, at string }{
		{"0.0.0.0", "tcp4", "127.0.0.1"},
		{"[::]", "tcp", "127.0.0.1"},
		{"IPv6", "tcp", "::1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at := netip.AddrPortFrom(netip.MustParseAddr(tc.at), everywhere(t, tc.network, 1))
			b := newBackend(t)
			f := open(t, proxy.Config{Bind: at, FreeBind: true, Share: true}, b.addr)
			for range 40 {
				client, server := f.connect(t, b)
				talk(t, client, server)
			}
			if got := f.Status().Backends[0].Connections; got != 40 {
				t.Errorf("%d of 40 connections were relayed", got)
			}
		})
	}
}

func TestShareIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		at   netip.AddrPort
		want error
	}{
		"nobody is there":    {netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 6443), proxy.ErrNotShared},
		"it is not shared":   {netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), everywhere(t, "tcp4", 0)), syscall.EADDRINUSE},
		"nor is [::] shared": {netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), everywhere(t, "tcp", 0)), syscall.EADDRINUSE},
	} {
		l := listener(proxy.Config{Bind: tc.at, FreeBind: true, Share: true})
		if err := l.Listen(); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
			if err == nil {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_ = l.Run(ctx)
			}
		}
	}
}
