package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/pkg/health"
)

// apiServer is a TLS server on loopback with a certificate of ca.
func apiServer(t *testing.T, ca *pki.CA) netip.AddrPort {
	t.Helper()
	pair, err := ca.Issue(pki.Names{CommonName: "apiserver", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return netip.MustParseAddrPort(srv.Listener.Addr().String())
}

func newCA(t *testing.T) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA("test")
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func writeFile(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func probe(ctx context.Context, p health.Prober, target netip.AddrPort) error {
	s := p.Open(target)
	defer s.Close()
	return s.Probe(ctx, true)
}

// verdict probes once and says how it went.
func verdict(t *testing.T, check config.Check, clusterCA string, target netip.AddrPort) (said, log string, err error) {
	t.Helper()
	var text strings.Builder
	prober, err := newProber(check, clusterCA, nil, slog.New(slog.NewTextHandler(&text, nil)))
	if err != nil {
		return "", text.String(), err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := probe(ctx, prober, target); err != nil {
		return err.Error(), text.String(), nil
	}
	return "ok", text.String(), nil
}

func TestProberVerifies(t *testing.T) {
	dir, ca := t.TempDir(), newCA(t)
	good, other := writeFile(t, dir, "ca.crt", ca.PEM), writeFile(t, dir, "other.crt", newCA(t).PEM)
	junk, missing := writeFile(t, dir, "junk.crt", []byte("no certificate\n")), filepath.Join(dir, "missing.crt")
	target := apiServer(t, ca)

	for name, test := range map[string]struct {
		file, clusterCA string
		probe, log, err string
	}{
		"by the cluster's":          {clusterCA: good, probe: "ok"},
		"not by the cluster's":      {clusterCA: other, probe: "unknown authority"},
		"by the named one":          {file: good, clusterCA: other, probe: "ok"},
		"not by the named one":      {file: other, clusterCA: good, probe: "unknown authority"},
		"the cluster's is missing":  {clusterCA: missing, probe: "ok", log: "are not verified"},
		"the cluster's is junk":     {clusterCA: junk, err: junk + " has no certificate in PEM form"},
		"the named one is missing":  {file: missing, clusterCA: good, err: missing + ": no such file"},
		"the named one is junk":     {file: junk, clusterCA: good, err: junk + " has no certificate in PEM form"},
		"the named one is a folder": {file: dir, clusterCA: good, err: "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			check := config.Check{Type: config.CheckHTTPS, Path: "/readyz", CAFile: test.file}
			said, log, err := verdict(t, check, test.clusterCA, target)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if !strings.Contains(said, test.probe) || !strings.Contains(log, test.log) || (test.log == "") != (log == "") {
				t.Errorf("probe says %q and log %q, want %q and %q", said, log, test.probe, test.log)
			}
		})
	}
}

// kshalb starts before kubeadm has made the CA, and verifies once it is there.
func TestProberWaitsForTheCA(t *testing.T) {
	dir, ca := t.TempDir(), newCA(t)
	path := filepath.Join(dir, "ca.crt")
	var log strings.Builder
	prober, err := newProber(config.Check{Type: config.CheckHTTPS, Path: "/readyz"}, path, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := apiServer(t, ca), apiServer(t, newCA(t))
	ask := func(target netip.AddrPort) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		return probe(ctx, prober, target)
	}
	if err := ask(theirs); err != nil {
		t.Errorf("without a CA: %v", err)
	}
	writeFile(t, dir, "ca.crt", ca.PEM[:len(ca.PEM)/2])
	if err := ask(theirs); err != nil {
		t.Errorf("with half a CA: %v", err)
	}
	writeFile(t, dir, "ca.crt", ca.PEM)
	if err := ask(theirs); err == nil {
		t.Error("with the CA: a stranger's certificate was taken")
	}
	if err := ask(ours); err != nil {
		t.Errorf("with the CA: %v", err)
	}
	if n := strings.Count(log.String(), "verified from now on"); n != 1 {
		t.Errorf("said %d times that it verifies, want once: %s", n, log.String())
	}
}
