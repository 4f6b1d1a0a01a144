package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/orders"
	"github.com/kshalb/kshalb/pkg/health"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// service is one listener with the pool behind it and the checks of that pool.
type service struct {
	cfg     config.Listener
	log     *slog.Logger
	targets *targets

	following sync.Mutex       // held while the pool and the checks follow the targets
	loops     []netip.AddrPort // that were left out then

	pool     *proxy.Pool
	listener *proxy.Listener
	beside   *proxy.Listener // at VIP:port, beside one who shares it; nil: not so
	shares   atomic.Bool     // beside serves, so VIP:port needs no redirect
	checker  *health.Checker
	drains   drains
	changed  func() // is called after each transition of a backend
	told     func(health.Transition)
	rerouted func() // is called when shares has changed
}

// newService builds the parts of one listener. changed is called after each
// transition of a backend, rerouted when VIP:port is to be redirected, or not any
// more.
func newService(cfg config.Listener, book *orders.Book, loops *proxy.Loops, m metrics, log *slog.Logger, changed, rerouted func()) (*service, error) {
	prober, err := newProber(cfg.Check, config.ClusterCA, proxy.LocalHeader(cfg.ProxyProtocol), log.With("listener", cfg.Name))
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", cfg.Name, err)
	}
	s := &service{
		cfg: cfg, log: log.With("listener", cfg.Name), changed: changed, rerouted: rerouted,
		told:    func(health.Transition) {},
		targets: &targets{local: isLocal, orders: book, cfg: cfg},
	}
	s.pool = proxy.NewPool(proxy.PoolConfig{
		Balance: balances[cfg.Balance], PreferLocal: cfg.PreferLocal, SlowStart: cfg.SlowStart, Panic: cfg.Panic,
	}, s.targets.list())
	s.checker = health.New(health.Config{
		Name: cfg.Name, Prober: prober,
		Interval: cfg.Check.Interval, FastInterval: cfg.Check.FastInterval,
		DownInterval: cfg.Check.DownInterval, StandbyInterval: cfg.Check.StandbyInterval,
		Timeout: cfg.Check.Timeout, Rise: cfg.Check.Rise, Fall: cfg.Check.Fall,
		Heard: s.heard,
	}, s.probed(s.pool.Backends()), s.noted, log, m.health)
	s.checker.SetStandby(cfg.VIP != "")
	serve := proxy.Config{
		Name: cfg.Name, Bind: cfg.Bind, FreeBind: cfg.VIP != "",
		Timeouts: proxy.Timeouts(cfg.Timeouts),
		Limiter:  proxy.NewLimiter(proxy.Limits(cfg.Limits)), Allow: cfg.Allow,
		Rebalance:     proxy.Rebalance(cfg.Rebalance),
		ProxyProtocol: cfg.ProxyProtocol, Advertised: cfg.Address, Transparent: cfg.Transparent,
	}
	if cfg.Check.Passive {
		serve.Report = func(b netip.AddrPort, e proxy.Evidence) { s.checker.Report(b, health.Evidence(e)) }
	}
	s.listener = proxy.NewListener(serve, s.pool, loops, log, m.proxy)
	if cfg.PortConflict == config.ConflictAuto {
		serve.Bind, serve.Share = cfg.Address, true
		s.beside = proxy.NewListener(serve, s.pool, loops, log, m.proxy)
	}
	return s, nil
}

var balances = map[string]proxy.Balance{
	config.BalanceRoundRobin: proxy.RoundRobin, config.BalanceLeastConn: proxy.LeastConn,
	config.BalanceRandom2: proxy.Random2, config.BalanceSource: proxy.Source,
}

// retarget has the pool and the checks follow the targets.
func (s *service) retarget(change func(*targets)) {
	s.follow(change)
	s.changed()
}

// follow does one change at a time, or an older list could come last.
func (s *service) follow(change func(*targets)) {
	s.following.Lock()
	defer s.following.Unlock()
	s.targets.set(change)
	s.tellLoops()
	all := s.targets.list()
	s.pool.Set(all)
	s.checker.SetTargets(s.probed(all))
	for _, b := range all {
		if s.inMaintenance(b.Address) {
			s.pool.SetState(b.Address, proxy.Unknown)
			s.drains.begin(b.Address, s.cfg.Timeouts.Drain, func() { s.resetBackend(b.Address, "it is in maintenance") })
		}
	}
}

// tellLoops says once what is left out; s.following is held.
func (s *service) tellLoops() {
	was := s.loops
	s.loops = s.targets.loops()
	if len(s.loops) > 0 && !slices.Equal(s.loops, was) {
		s.log.Warn("a name of backends stands for this kshalb itself, too: that address is left out", "addresses", s.loops)
	}
}

func (s *service) inMaintenance(b netip.AddrPort) bool {
	o, _ := s.targets.orders.For(s.cfg.Name, b)
	return o.Maintenance
}

// probed are the backends that are asked: all that are in service.
func (s *service) probed(backends []proxy.Backend) (all []netip.AddrPort) {
	for _, b := range backends {
		if !s.inMaintenance(b.Address) {
			all = append(all, b.Address)
		}
	}
	return all
}

// noted passes a transition on. New connections go elsewhere first.
func (s *service) noted(t health.Transition) {
	s.pool.SetState(t.Target, poolStates[t.To])
	switch {
	case t.To == health.Down && s.cfg.ResetOnDown:
		s.resetBackend(t.Target, "it is down")
	case t.To == health.Draining:
		s.drains.begin(t.Target, s.cfg.Timeouts.Drain, func() { s.resetBackend(t.Target, "its drain is over") })
	}
	if t.To != health.Draining {
		s.drains.end(t.Target)
	}
	s.changed()
	s.told(t)
}

// poolStates are what a pool is told of a backend.
var poolStates = map[health.State]proxy.State{
	health.Unknown: proxy.Unknown, health.Up: proxy.Up, health.Suspect: proxy.Suspect,
	health.Draining: proxy.Draining, health.Down: proxy.Down,
}

// heard is how many bytes have come from a backend.
func (s *service) heard(b netip.AddrPort) (n uint64) {
	for _, l := range s.listeners() {
		n += l.Received(b)
	}
	return n
}

func (s *service) resetBackend(b netip.AddrPort, why string) {
	n := 0
	for _, l := range s.listeners() {
		n += l.ResetBackend(b)
	}
	if n > 0 {
		s.log.Info("connections were reset", "backend", b.String(), "connections", n, "reason", why)
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
