package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/health"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// clusterCA is where kubeadm puts the CA of the API servers' certificates.
const clusterCA = "/etc/kubernetes/pki/ca.crt"

// service is one listener with the pool behind it and the checks of that pool.
type service struct {
	cfg      config.Listener
	pool     *proxy.Pool
	listener *proxy.Listener
	checker  *health.Checker
}

// newService builds the parts of one listener. changed is called after each
// transition of a backend.
func newService(cfg config.Listener, m metrics, log *slog.Logger, changed func()) (*service, error) {
	prober, err := newProber(cfg.Check, cfg.Name, log)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", cfg.Name, err)
	}
	s := &service{cfg: cfg, pool: proxy.NewPool(cfg.Backends)}
	s.checker = health.New(health.Config{
		Name: cfg.Name, Prober: prober,
		Interval: cfg.Check.Interval, Timeout: cfg.Check.Timeout,
		Rise: cfg.Check.Rise, Fall: cfg.Check.Fall,
	}, cfg.Backends, func(t health.Transition) {
		s.pool.SetReady(t.Target, t.To == health.Up)
		changed()
	}, log, m.health)
	s.listener = proxy.NewListener(proxy.Config{
		Name: cfg.Name, Bind: cfg.Bind, FreeBind: cfg.VIP != "",
		Timeouts:       proxy.Timeouts(cfg.Timeouts),
		MaxConnections: cfg.Connections, Allow: cfg.Allow,
	}, s.pool, log, m.proxy)
	return s, nil
}

func newProber(check config.Check, listener string, log *slog.Logger) (health.Prober, error) {
	switch check.Type {
	case config.CheckTCP:
		return health.TCP(), nil
	case config.CheckHTTP:
		return health.HTTP(check.Path), nil
	}
	cas, err := loadCAs(check, clusterCA, log.With("listener", listener))
	return health.HTTPS(check.Path, cas, ""), err
}

// loadCAs returns what an https check verifies against: caFile, else the
// cluster's CA where it is there, else nothing, with a warning.
func loadCAs(check config.Check, clusterCA string, log *slog.Logger) (*x509.CertPool, error) {
	path := check.CAFile
	if path == "" {
		path = clusterCA
	}
	pem, err := os.ReadFile(path)
	if check.CAFile == "" && errors.Is(err, fs.ErrNotExist) {
		log.Warn("backends' certificates are not verified: there is no check.caFile and no " + clusterCA)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the CA of the checks: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the CA of the checks: %s has no certificate in PEM form", path)
	}
	return roots, nil
}

// listening is the task of all listeners. They are one, so that on stop none of
// them accepts while another one drains.
func listening(services []*service) task {
	t := task{name: "listeners", stop: stopSlack}
	for _, s := range services {
		t.stop = max(t.stop, s.cfg.Timeouts.Drain+stopSlack)
	}
	t.run = func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ended := make(chan error, len(services))
		for _, s := range services {
			go func() { ended <- s.listener.Run(ctx) }()
		}
		var errs []error
		for range services {
			errs = append(errs, <-ended)
			cancel()
		}
		return errors.Join(errs...)
	}
	return t
}
