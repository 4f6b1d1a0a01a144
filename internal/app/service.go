package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/health"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// service is one listener with the pool behind it and the checks of that pool.
type service struct {
	cfg      config.Listener
	log      *slog.Logger
	pool     *proxy.Pool
	listener *proxy.Listener
	beside   *proxy.Listener // at VIP:port, beside one who shares it; nil: not so
	shares   atomic.Bool     // beside serves, so VIP:port needs no redirect
	rerouted func()          // is called when shares has changed
	checker  *health.Checker
}

// newService builds the parts of one listener. changed is called after each
// transition of a backend, rerouted when VIP:port is to be redirected, or not any
// more.
func newService(cfg config.Listener, loops *proxy.Loops, m metrics, log *slog.Logger, changed, rerouted func()) (*service, error) {
	prober, err := newProber(cfg.Check, clusterCA, log.With("listener", cfg.Name))
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", cfg.Name, err)
	}
	s := &service{cfg: cfg, log: log.With("listener", cfg.Name), pool: proxy.NewPool(proxy.PoolConfig{}, proxy.Even(cfg.Backends...)), rerouted: rerouted}
	s.checker = health.New(health.Config{
		Name: cfg.Name, Prober: prober,
		Interval: cfg.Check.Interval, Timeout: cfg.Check.Timeout,
		Rise: cfg.Check.Rise, Fall: cfg.Check.Fall,
	}, cfg.Backends, func(t health.Transition) {
		s.pool.SetState(t.Target, poolState(t.To))
		changed()
	}, log, m.health)
	serve := proxy.Config{
		Name: cfg.Name, Bind: cfg.Bind, FreeBind: cfg.VIP != "",
		Timeouts: proxy.Timeouts{
			Connect: cfg.Timeouts.Connect, Idle: cfg.Timeouts.Idle, HalfClosed: cfg.Timeouts.HalfClosed,
			Drain: cfg.Timeouts.Drain, User: cfg.Timeouts.User,
		},
		MaxConnections: cfg.Connections, Allow: cfg.Allow,
	}
	s.listener = proxy.NewListener(serve, s.pool, loops, log, m.proxy)
	if cfg.PortConflict == config.ConflictAuto {
		serve.Bind, serve.Share = cfg.Address, true
		s.beside = proxy.NewListener(serve, s.pool, loops, log, m.proxy)
	}
	return s, nil
}

// poolState is what a pool is told of a backend.
func poolState(s health.State) proxy.State {
	switch s {
	case health.Up:
		return proxy.Up
	case health.Suspect:
		return proxy.Suspect
	case health.Draining:
		return proxy.Draining
	case health.Down:
		return proxy.Down
	default:
		return proxy.Unknown
	}
}

// listening is the task of all listeners. They are one, so that on stop none of
// them accepts while another one drains.
func listening(services []*service) task {
	t := task{name: "listeners", stop: stopSlack}
	for _, s := range services {
		t.stop = max(t.stop, s.cfg.Timeouts.Drain+stopSlack)
	}
	t.run = func(ctx context.Context) error {
		if len(services) == 0 { // a witness
			<-ctx.Done()
			return nil
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var runs []func(context.Context) error
		for _, s := range services {
			runs = append(runs, s.listener.Run)
			if s.beside != nil {
				runs = append(runs, s.share)
			}
		}
		ended := make(chan error, len(runs))
		for _, run := range runs {
			go func() { ended <- run(ctx) }()
		}
		var errs []error
		for range runs {
			errs = append(errs, <-ended)
			cancel()
		}
		return errors.Join(errs...)
	}
	return t
}
