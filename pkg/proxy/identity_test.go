package proxy_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// introduction is what a backend is told of a connection, and what comes after.
type introduction struct {
	*proxyproto.Header
	*bufio.Reader
}

// meet accepts a connection and reads who it is from, as a decoder does that is
// not ours.
func (b *backend) meet(t *testing.T) (*net.TCPConn, introduction) {
	t.Helper()
	c := b.accept(t)
	r := bufio.NewReader(c)
	h, err := proxyproto.Read(r)
	if err != nil {
		t.Fatal("read the header:", err)
	}
	return c, introduction{h, r}
}

func (in introduction) expect(t *testing.T, version byte, from, to netip.AddrPort) {
	t.Helper()
	src, dst, ok := in.TCPAddrs()
	if !ok || in.Version != version || in.Command != proxyproto.PROXY || src.AddrPort() != from || dst.AddrPort() != to {
		t.Errorf("introduced in version %d as %v from %v to %v, want version %d from %s to %s",
			in.Version, in.Command, in.SourceAddr, in.DestinationAddr, version, from, to)
	}
}

func local(c net.Conn) netip.AddrPort { return c.LocalAddr().(*net.TCPAddr).AddrPort() }

func TestIntroduced(t *testing.T) {
	advertised := netip.MustParseAddrPort("192.0.2.10:6443")
	advertised6 := netip.MustParseAddrPort("[2001:db8::10]:6443")
	unbound := netip.AddrPort{}
	for name, c := range map[string]struct {
		bind, advertised string // what clients dial is bind's address, or loopback
		dial             string
		to               netip.AddrPort // invalid: where the client connected
	}{
		"ipv4":                                   {bind: "127.0.0.1:0", to: unbound},
		"ipv6":                                   {bind: "[::1]:0", to: unbound},
		"ipv4 on the wildcard":                   {bind: "0.0.0.0:0", dial: "127.0.0.2", to: unbound},
		"ipv4 on the wildcard of both":           {bind: "[::]:0", dial: "127.0.0.2", to: unbound},
		"ipv6 on the wildcard of both":           {bind: "[::]:0", dial: "::1", to: unbound},
		"advertised":                             {bind: "127.0.0.1:0", advertised: "192.0.2.10:6443", to: advertised},
		"advertised, ipv6":                       {bind: "[::1]:0", advertised: "[2001:db8::10%lo]:6443", to: advertised6},
		"advertised, in ipv6 form":               {bind: "127.0.0.1:0", advertised: "[::ffff:192.0.2.10]:6443", to: advertised},
		"advertised, the client of other family": {bind: "[::]:0", dial: "127.0.0.2", advertised: "[2001:db8::10]:6443", to: unbound},
	} {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, version %d", name, version), func(t *testing.T) {
				if strings.HasPrefix(c.bind, "[") {
					needIPv6(t)
				}
				cfg := proxy.Config{Bind: netip.MustParseAddrPort(c.bind), ProxyProtocol: version}
				if c.advertised != "" {
					cfg.Advertised = netip.MustParseAddrPort(c.advertised)
				}
				b := newBackend(t)
				f := open(t, cfg, b.addr)
				at := f.Addr()
				if c.dial != "" {
					at = netip.AddrPortFrom(netip.MustParseAddr(c.dial), at.Port())
				}
				client := dial(t, at)
				to := c.to
				if !to.IsValid() {
					to = at
				}
				server, in := b.meet(t)
				in.expect(t, byte(version), local(client), to)
				says(t, client, server, in)
				if n := f.value(t, "kshalb_proxy_bytes_total", "in"); n != 5 {
					t.Errorf("%v bytes of the client are counted, it sent 5", n)
				}
			})
		}
	}
}

// says has both sides say something and end.
func says(t *testing.T, client, server *net.TCPConn, in introduction) {
	t.Helper()
	say(t, client, "hello")
	finish(t, client)
	if got, err := io.ReadAll(in); err != nil || string(got) != "hello" {
		t.Errorf("after who it is from came %q, %v", got, err)
	}
	say(t, server, "bye")
	server.Close()
	hear(t, client, "bye")
	hearEOF(t, client)
}

// TestIntroducedFirst: a backend hears who connects before the client says
// anything, or when it says nothing at all.
func TestIntroducedFirst(t *testing.T) {
	b := newBackend(t)
	f := open(t, proxy.Config{ProxyProtocol: 1}, b.addr)
	client := f.dial(t)
	server, in := b.meet(t)
	in.expect(t, 1, local(client), f.Addr())
	say(t, server, "welcome")
	hear(t, client, "welcome")
	finish(t, client)
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the header came %v, want the end", err)
	}
	server.Close()
	hearEOF(t, client)
	if n := f.value(t, "kshalb_proxy_bytes_total", "in"); n != 0 {
		t.Errorf("%v bytes of the client are counted, it sent none", n)
	}
}

// TestIntroducedAgain: the next backend is told as the first one would have been.
func TestIntroducedAgain(t *testing.T) {
	b := newBackend(t)
	f := open(t, proxy.Config{ProxyProtocol: 2}, refusing(t), b.addr)
	for range 4 {
		client := f.dial(t)
		server, in := b.meet(t)
		in.expect(t, 2, local(client), f.Addr())
		says(t, client, server, in)
	}
	if n := f.value(t, "kshalb_proxy_connections_total", "connect_refused"); n == 0 {
		t.Error("no connection was retried")
	}
}

// TestLocalHeader: a probe says that it is nobody's connection.
func TestLocalHeader(t *testing.T) {
	for _, version := range []int{1, 2} {
		a, b := net.Pipe()
		go func() {
			defer a.Close()
			_, _ = a.Write(append(proxy.LocalHeader(version), "GET"...))
		}()
		r := bufio.NewReader(b)
		h, err := proxyproto.Read(r)
		if err != nil || h.Command != proxyproto.LOCAL || h.Version != byte(version) {
			t.Errorf("version %d: %+v, %v", version, h, err)
		}
		if rest, err := io.ReadAll(r); string(rest) != "GET" {
			t.Errorf("version %d: after the header came %q, %v", version, rest, err)
		}
	}
	for _, version := range []int{-1, 0, 3} {
		if h := proxy.LocalHeader(version); h != nil {
			t.Errorf("version %d is %q", version, h)
		}
	}
}

func TestUnknownVersion(t *testing.T) {
	l := proxy.NewListener(proxy.Config{Name: "test", Bind: loopback, ProxyProtocol: 3},
		proxy.NewPool(proxy.PoolConfig{}, nil), proxy.NewLoops(1), slog.New(slog.DiscardHandler), proxy.NewMetrics(nil))
	const want = "listen on 127.0.0.1:0: there is no version 3 of the PROXY protocol: use 1 or 2, or 0 for none"
	if err := l.Listen(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
