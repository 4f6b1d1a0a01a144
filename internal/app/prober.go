package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/health"
)

// clusterCA is where kubeadm puts the CA of the API servers' certificates.
const clusterCA = "/etc/kubernetes/pki/ca.crt"

// newProber returns how check asks a backend. An https check verifies against
// caFile, else against clusterCA as soon as it is there.
func newProber(check config.Check, clusterCA string, log *slog.Logger) (health.Prober, error) {
	switch {
	case check.Type == config.CheckTCP:
		return health.TCP(), nil
	case check.Type == config.CheckHTTP:
		return health.HTTP(check.Path), nil
	case check.CAFile != "":
		cas, err := readCAs(check.CAFile)
		return health.HTTPS(check.Path, cas, ""), err
	}
	cas, err := readCAs(clusterCA)
	if errors.Is(err, fs.ErrNotExist) {
		log.Warn("backends' certificates are not verified: there is no check.caFile, and no " + clusterCA + " yet")
		return &lateCA{path: clusterCA, get: check.Path, log: log}, nil
	}
	return health.HTTPS(check.Path, cas, ""), err
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

// lateCA is an https check that waits for its CA: kshalb runs before kubeadm
// has made one. Until then nothing is verified.
type lateCA struct {
	path, get string
	log       *slog.Logger
	verified  atomic.Pointer[health.Prober]
}

// Probe implements [health.Prober].
func (p *lateCA) Probe(ctx context.Context, target netip.AddrPort) error {
	if v := p.verified.Load(); v != nil {
		return (*v).Probe(ctx, target)
	}
	cas, err := readCAs(p.path)
	if err != nil { // not there, or half written
		return health.HTTPS(p.get, nil, "").Probe(ctx, target)
	}
	prober := health.HTTPS(p.get, cas, "")
	if p.verified.CompareAndSwap(nil, &prober) {
		p.log.Info("backends' certificates are verified from now on", "ca", p.path)
	}
	return prober.Probe(ctx, target)
}
