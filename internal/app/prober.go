package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/health"
)

// newProber returns how check asks a backend. An https check verifies against
// caFile, else against clusterCA as soon as that is there. preface is what each
// connection has to begin with.
func newProber(check config.Check, clusterCA string, preface []byte, log *slog.Logger) (health.Prober, error) {
	if check.Type == config.CheckTCP {
		return health.TCP(preface), nil
	}
	o := health.HTTPOptions{Path: check.Path, Host: check.Host, Expect: check.Expect, Preface: preface}
	if check.Type == config.CheckHTTP {
		return health.HTTP(o), nil
	}
	roots, err := newRoots(check.CAFile, clusterCA, log)
	if err != nil {
		return nil, err
	}
	o.TLS = &health.TLSOptions{ServerName: check.ServerName, Roots: roots.get}
	if check.CertFile != "" {
		o.TLS.Certificate = certificate(check.CertFile, check.KeyFile)
		_, err = o.TLS.Certificate(nil)
	}
	return health.HTTP(o), err
}

// certificate returns a client certificate from its files as they are then: it may
// be renewed while kshalb runs.
func certificate(cert, key string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate of the checks, %s with %s: %w", cert, key, err)
		}
		return &pair, nil
	}
}

// roots are the CAs of an https check. The cluster's may come late: kshalb runs
// before kubeadm has made it. Until then nothing is verified.
type roots struct {
	late string // the path that is still to be read; "" is none
	log  *slog.Logger

	mu  sync.Mutex
	cas *x509.CertPool
}

func newRoots(caFile, clusterCA string, log *slog.Logger) (*roots, error) {
	if caFile != "" {
		cas, err := readCAs(caFile)
		return &roots{cas: cas}, err
	}
	cas, err := readCAs(clusterCA)
	if errors.Is(err, fs.ErrNotExist) {
		log.Warn("backends' certificates are not verified: there is no check.caFile, and no " + clusterCA + " yet")
		return &roots{late: clusterCA, log: log}, nil
	}
	return &roots{cas: cas}, err
}

// get returns the CAs, nil when there are none yet.
func (r *roots) get() *x509.CertPool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late == "" {
		return r.cas
	}
	cas, err := readCAs(r.late)
	if err != nil { // not there, or half written
		return nil
	}
	r.log.Info("backends' certificates are verified from now on", "ca", r.late)
	r.cas, r.late = cas, ""
	return cas
}

func readCAs(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the CA of the checks: %w", err)
	}
	cas := x509.NewCertPool()
	if !cas.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the CA of the checks: %s has no certificate in PEM form", path)
	}
	return cas, nil
}
