package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// handshaking starts an https server that counts the handshakes it began.
func handshaking(tb testing.TB, config *tls.Config) (*httptest.Server, *atomic.Int64) {
	tb.Helper()
	var handshakes atomic.Int64
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		handshakes.Add(1)
		return nil, nil
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.TLS = config
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s, &handshakes
}

// TestHandshakes: a probe on a kept connection costs no TLS handshake.
func TestHandshakes(t *testing.T) {
	srv, handshakes := handshaking(t, &tls.Config{})
	s := https("/", nil, "").Open(address(srv))
	defer s.Close()
	for range 100 {
		probe(t, s, false)
	}
	if n := handshakes.Load(); n != 1 {
		t.Errorf("%d handshakes for 100 probes, want 1", n)
	}
	for range 3 {
		probe(t, s, true)
	}
	if n := handshakes.Load(); n != 4 {
		t.Errorf("%d handshakes after 3 fresh probes, want 4", n)
	}
}

// TestExpiry: the certificate's end is known after the first handshake.
func TestExpiry(t *testing.T) {
	srv, _ := handshaking(t, &tls.Config{})
	s := https("/", nil, "").Open(address(srv))
	defer s.Close()
	if got := s.Expiry(); !got.IsZero() {
		t.Errorf("%v before the first probe", got)
	}
	probe(t, s, true)
	if got, want := s.Expiry(), srv.Certificate().NotAfter; !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func BenchmarkProbe(b *testing.B) {
	for name, fresh := range map[string]bool{"kept": false, "fresh": true} {
		b.Run(name, func(b *testing.B) {
			srv, handshakes := handshaking(b, &tls.Config{})
			s := https("/", nil, "").Open(address(srv))
			defer s.Close()
			for b.Loop() {
				if err := s.Probe(b.Context(), fresh); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(handshakes.Load())/float64(b.N), "handshakes/op")
		})
	}
}

// TestNothingIsLeft: the connection to a target ends when the target goes, and when
// Run ends.
func TestNothingIsLeft(t *testing.T) {
	for name, end := range map[string]func(*Checker, context.CancelFunc){
		"the target goes": func(c *Checker, _ context.CancelFunc) { c.SetTargets(nil) },
		"Run ends":        func(_ *Checker, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			var open atomic.Int64
			changed, up := make(chan struct{}, 100), make(chan struct{}, 1)
			srv := server(t)
			srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				switch state {
				case http.StateNew:
					open.Add(1)
				case http.StateClosed, http.StateHijacked:
					open.Add(-1)
				default:
				}
				changed <- struct{}{}
			}
			srv.StartTLS()
			cfg := Config{Prober: https("/readyz", nil, ""), Interval: time.Hour, Timeout: time.Minute}
			c := New(cfg, []netip.AddrPort{address(srv)}, func(Transition) { up <- struct{}{} }, slog.New(slog.DiscardHandler), NewMetrics(nil))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); _ = c.Run(ctx) }()
			defer func() { cancel(); <-ended }()
			<-up
			end(c, cancel)
			for open.Load() > 0 {
				<-changed
			}
		})
	}
}

// TestClientCertificate: a server that wants one gets it, and the last one while
// there is no other. Without any, that says nothing about the server.
func TestClientCertificate(t *testing.T) {
	pair := selfSigned(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		srv, _ := handshaking(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: version})
		var unreadable error
		p := HTTP(HTTPOptions{Path: "/", TLS: &TLSOptions{
			Certificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, unreadable },
		}})
		unreadable = errors.New("read the certificate: it is half written")
		if err := once(t.Context(), p, address(srv)); verdictOf(err) != undecided || reason(err, time.Second) != unreadable.Error() {
			t.Errorf("%s: %v, want undecided", tls.VersionName(version), err)
		}
		unreadable = nil
		if err := once(t.Context(), p, address(srv)); err != nil {
			t.Errorf("%s: %v with a certificate", tls.VersionName(version), err)
		}
		unreadable = errors.New("read the certificate: it is half written")
		if err := once(t.Context(), p, address(srv)); err != nil {
			t.Errorf("%s: %v with the last certificate", tls.VersionName(version), err)
		}
		if err := once(t.Context(), https("/", nil, ""), address(srv)); err == nil || verdictOf(err) != dead {
			t.Errorf("%s: %v without a certificate, want dead", tls.VersionName(version), err)
		}
	}
}

// TestOldTLS: what is older than TLS 1.2 does not count as an answer.
func TestOldTLS(t *testing.T) {
	srv, _ := handshaking(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := once(t.Context(), https("/", nil, ""), address(srv)); err == nil || verdictOf(err) != dead {
		t.Errorf("%v, want dead", err)
	}
}

// TestLateCAs: the CAs are asked for on each connection.
func TestLateCAs(t *testing.T) {
	srv, _ := handshaking(t, &tls.Config{})
	var cas *x509.CertPool
	s := HTTP(HTTPOptions{Path: "/", TLS: &TLSOptions{Roots: func() *x509.CertPool { return cas }}}).Open(address(srv))
	defer s.Close()
	probe(t, s, true)
	cas = x509.NewCertPool()
	if err := s.Probe(t.Context(), true); err == nil || reason(err, time.Second) != "certificate signed by unknown authority" {
		t.Errorf("%v with a CA that did not sign it", err)
	}
}
