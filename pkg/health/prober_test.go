package health

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// server is a real server on the loopback that has an answer of each kind.
func server(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	handle := func(path string, status int, body string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("User-Agent") != "kshalb" || r.TLS != nil && r.TLS.ServerName != "" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, "ok")
	})
	handle("/503", 503, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
	handle("/rude", 500, "\x1b[2Jgone\u202e\n"+strings.Repeat("x", 200))
	handle("/long", 500, strings.Repeat("é", 200))
	handle("/empty", 404, "")
	mux.Handle("/redirect", http.RedirectHandler("/readyz", http.StatusFound))
	mux.HandleFunc("/huge", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for err := error(nil); err == nil; _, err = io.WriteString(w, strings.Repeat("big ", 1000)) {
		}
	})
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	return s
}

func address(s *httptest.Server) netip.AddrPort {
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

func pool(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

func https(path string, cas *x509.CertPool, name string) Prober {
	return HTTP(HTTPOptions{Path: path, TLS: &TLSOptions{ServerName: name, Roots: func() *x509.CertPool { return cas }}})
}

// once asks a target in a session of its own.
func once(ctx context.Context, p Prober, target netip.AddrPort) error {
	s := p.Open(target)
	defer s.Close()
	return s.Probe(ctx, true)
}

func TestProbers(t *testing.T) {
	plain, secure, stale := server(t), server(t), server(t)
	plain.Start()
	secure.StartTLS()
	cert := selfSigned(t)
	stale.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	stale.StartTLS()
	right, wrong := pool(secure.Certificate()), pool(cert.Leaf)

	for _, tt := range []struct {
		name   string
		prober Prober
		server *httptest.Server
		want   string // the reason; "" is success
	}{
		{"tcp", TCP(nil), plain, ""},
		{"http", HTTP(HTTPOptions{Path: "/readyz"}), plain, ""},
		{"query", HTTP(HTTPOptions{Path: "/readyz?verbose"}), plain, ""},
		{"https", https("/readyz", right, ""), secure, ""},
		{"https by name", https("/empty", right, "example.com"), secure, "status 404 from /empty"},
		{"https unverified", https("/readyz", nil, ""), stale, ""},
		{"wrong CA", https("/readyz", wrong, ""), secure, "certificate signed by unknown authority"},
		{"wrong name", https("/readyz", right, "kubernetes"), secure, "certificate is not for kubernetes"},
		{"expired", https("/readyz", wrong, ""), stale, "certificate has expired or is not yet valid"},
		{"http to https", HTTP(HTTPOptions{Path: "/readyz"}), secure, "status 400 from /readyz: Client sent an HTTP request to an HTTPS server."},
		{"https to http", https("/readyz", nil, ""), plain, "answer is not TLS"},
		{"503", https("/503", right, ""), secure, "status 503 from /503: [-]etcd failed: reason withheld"},
		{"redirect", https("/redirect", right, ""), secure, `status 302 from /redirect: <a href="/readyz">Found</a>.`},
		{"huge", https("/huge", right, ""), secure, "status 500 from /huge: " + strings.TrimSpace(strings.Repeat("big ", 20))},
		{"rude", HTTP(HTTPOptions{Path: "/rude"}), plain, "status 500 from /rude: ?[2Jgone?"},
		{"long", HTTP(HTTPOptions{Path: "/long"}), plain, "status 500 from /long: " + strings.Repeat("é", 80)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := once(ctx, tt.prober, address(tt.server))
			got := ""
			if err != nil {
				got = reason(err, time.Minute)
			}
			if got != tt.want {
				t.Errorf("reason %q (%v)\nwant   %q", got, err, tt.want)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	plain := server(t)
	plain.Start()
	silent, _ := listen(t, nil)
	half, _ := listen(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nServer: ")
		_, _ = io.Copy(io.Discard, c) // until the probe gives up
	})
	for name, tt := range map[string]struct {
		prober Prober
		target netip.AddrPort
	}{
		"no answer":      {HTTP(HTTPOptions{Path: "/hang"}), address(plain)},
		"no handshake":   {https("/readyz", nil, ""), silent},
		"nobody accepts": {HTTP(HTTPOptions{Path: "/readyz"}), silent},
		"half an answer": {HTTP(HTTPOptions{Path: "/readyz"}), half},
	} {
		t.Run(name, func(t *testing.T) {
			const timeout = 50 * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			err := once(ctx, tt.prober, tt.target)
			if err == nil || reason(err, timeout) != "timeout after 50ms" {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestBroken: connections that fail before there is an answer.
func TestBroken(t *testing.T) {
	refused, l := listen(t, nil)
	_ = l.Close()
	closing, _ := listen(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 4096))
	})
	resetting, _ := listen(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 4096))
		_ = c.SetLinger(0)
	})
	odd, _ := listen(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH\r\n\r\n")
	})
	for _, tt := range []struct {
		name   string
		prober Prober
		target netip.AddrPort
		want   string
	}{
		{"tcp refused", TCP(nil), refused, "connection refused"},
		{"https refused", https("/readyz", nil, ""), refused, "connection refused"},
		{"closed", HTTP(HTTPOptions{Path: "/readyz"}), closing, "connection closed before the answer"},
		{"closed in the handshake", https("/readyz", nil, ""), closing, "connection closed before the answer"},
		{"reset", HTTP(HTTPOptions{Path: "/readyz"}), resetting, "connection reset by peer"},
		{"not HTTP", HTTP(HTTPOptions{Path: "/readyz"}), odd, `malformed HTTP response "SSH-2.0-OpenSSH"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := once(t.Context(), tt.prober, tt.target)
			if err == nil || reason(err, time.Second) != tt.want {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// TestTCPClose: the server sees an end, not a reset.
func TestTCPClose(t *testing.T) {
	end := make(chan error, 1)
	target, _ := listen(t, func(c *net.TCPConn) {
		_, err := c.Read(make([]byte, 1))
		end <- err
	})
	if err := once(t.Context(), TCP(nil), target); err != nil {
		t.Fatal(err)
	}
	if err := <-end; !errors.Is(err, io.EOF) {
		t.Errorf("the server read %v, want EOF", err)
	}
}

// listen serves each connection with serve and then closes it; without serve
// none is accepted. All ends with the test.
func listen(t *testing.T, serve func(*net.TCPConn)) (netip.AddrPort, net.Listener) {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	accept := func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			serve(c)
			_ = c.Close()
		}
	}
	if serve != nil {
		go accept()
	}
	return l.Addr().(*net.TCPAddr).AddrPort(), l
}

// selfSigned is a certificate for 127.0.0.1 that has expired.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(-time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// FuzzTelling: whatever a server says, one short line that a terminal bears.
func FuzzTelling(f *testing.F) {
	f.Add([]byte("[+]ping ok\n[-]etcd failed: reason withheld\n"))
	f.Add([]byte("\x1b[2J\xff\xfe\r\n\u202e"))
	f.Fuzz(func(t *testing.T, body []byte) {
		line := telling(body)
		if n := utf8.RuneCountInString(line); n > 80 || !utf8.ValidString(line) {
			t.Errorf("%d characters: %q", n, line)
		}
		if i := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q has one that does not print at %d", line, i)
		}
	})
}
