package proxy_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// What a client says first: the beginning of a TLS connection, or something that must
// not be said twice.
const (
	clientHello = "\x16\x03\x01\x00\x05\x01wxyz"
	halfHello   = "\x16\x03\x01\x00\x05\x01"
	request     = "POST / HTTP/1.1\r\n"
)

// endsFirst returns a backend that ends its first connection in a way once it has heard
// something, and is well after that.
func endsFirst(t *testing.T, what string, end func(testing.TB, *net.TCPConn)) netip.AddrPort {
	t.Helper()
	b := newBackend(t)
	go func() {
		c, err := b.AcceptTCP()
		if err != nil {
			return
		}
		_, _ = io.ReadFull(c, make([]byte, len(what)))
		end(t, c)
	}()
	return b.addr
}

// repeats is a backend that says what it hears.
func repeats(n int) func(*net.TCPConn) {
	return func(c *net.TCPConn) { _, _ = io.CopyN(c, c, int64(n)) }
}

// TestStartOver: a client whose backend goes before it has answered gets another
// one, if what it has said asks for nothing.
func TestStartOver(t *testing.T) {
	shut := func(t testing.TB, c *net.TCPConn) {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for name, tt := range map[string]struct {
		said string
		end  func(testing.TB, *net.TCPConn)
		over bool
	}{
		"a hello, and a reset":              {clientHello, abort, true},
		"a hello, and an end":               {clientHello, shut, true},
		"half a hello, and a reset":         {halfHello, abort, true},
		"a request, and a reset":            {request, abort, false},
		"a hello with more, and a reset":    {clientHello + "early data", abort, false},
		"an end instead of a server's word": {"", shut, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := reporting()
			f := open(t, cfg, endsFirst(t, tt.said, tt.end), serving(t, repeats(len(tt.said))))
			client := f.dial(t)
			if tt.said != "" {
				say(t, client, tt.said)
			}
			heard, err := io.ReadAll(client)
			if over := string(heard) == tt.said && err == nil && tt.said != ""; over != tt.over {
				t.Errorf("heard %q and %v; started over: %t, want %t", heard, err, over, tt.over)
			}
		})
	}
}

// TestStartOverUnheard: a backend that ends a connection on which nobody has said
// anything was as good as not there, while there is another one. The last one's end is
// told.
func TestStartOverUnheard(t *testing.T) {
	shuts := func(*net.TCPConn) {}
	f := open(t, proxy.Config{}, serving(t, shuts), serving(t, shuts), serving(t, echo))
	for range 3 * rounds {
		client := f.dial(t)
		eventually(t, "it is with the one that stays", func() bool { return f.Status().Backends[2].Active == 1 })
		say(t, client, request)
		hear(t, client, request)
		client.Close()
		holds(t, f, 0)
	}
	f = open(t, proxy.Config{}, serving(t, shuts), serving(t, shuts))
	for range rounds {
		client := f.dial(t)
		hearEOF(t, client)
		client.Close()
	}
	holds(t, f, 0)
}

// TestResetBackendUnanswered: of the clients of a backend that is found dead, those that
// it has answered are told; the others get another one, if what they have said asks
// for nothing.
func TestResetBackendUnanswered(t *testing.T) {
	for name, tt := range map[string]struct {
		said, answer string
		over         bool
	}{
		"nothing":            {"", "", true},
		"half a hello":       {halfHello, "", true},
		"a hello":            {clientHello, "", true},
		"a hello, an answer": {clientHello, "hello", false},
		"a request":          {request, "", false},
		"a banner":           {"", "SSH-2.0", false},
	} {
		t.Run(name, func(t *testing.T) {
			dying := newBackend(t)
			f := open(t, proxy.Config{}, dying.addr, serving(t, echo))
			client, server := f.connect(t, dying)
			for from, what := range map[*net.TCPConn]string{client: tt.said, server: tt.answer} {
				if what != "" {
					say(t, from, what)
				}
			}
			hear(t, server, tt.said)
			hear(t, client, tt.answer)
			f.pool.SetState(dying.addr, proxy.Down)
			if n := f.ResetBackend(dying.addr); n > 0 == tt.over {
				t.Errorf("%d clients were reset; to start over: %t", n, tt.over)
			}
			hearReset(t, server)
			if !tt.over {
				hearReset(t, client)
				return
			}
			say(t, client, "!")
			hear(t, client, tt.said+"!")
		})
	}
}

// TestStartOverTLS: real clients do not notice that every other backend resets them
// in their handshake.
func TestStartOverTLS(t *testing.T) {
	dying := serving(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.SetLinger(0)
	})
	well := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "well") }))
	t.Cleanup(well.Close)
	f := open(t, proxy.Config{}, dying, netip.MustParseAddrPort(well.Listener.Addr().String()))
	pool := well.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for range 50 {
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "example.com", MinVersion: tls.VersionTLS12},
		}}
		resp, err := client.Get("https://" + f.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, b := range f.Status().Backends {
		if b.Connections < 20 {
			t.Errorf("%s had %d connections: it was not tried", b.Backend, b.Connections)
		}
	}
}
