package app

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/health"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// service is one listener with the pool behind it and the checks of that pool.
type service struct {
	now     atomic.Pointer[config.Listener]
	base    *slog.Logger // what parts say which name the listener themselves
	log     *slog.Logger
	loops   *proxy.Loops
	front   *front
	metrics metrics
	targets *targets

	following sync.Mutex       // held while the pool and the checks follow the targets
	left      []netip.AddrPort // that were left out then

	pool    *proxy.Pool
	limiter *proxy.Limiter
	checker *health.Checker
	drains  drains // of backends that are there
	parting drains // of those that are gone
	entry   atomic.Pointer[door]

	checks, serves part // that run, of the checker and the door

	changed  func(vip string) // is called after each transition of a backend
	told     func(config.Listener, health.Transition)
	rerouted func(vip string) // is called when VIP:port is to be redirected, or not any more
}

// newService builds the parts of one listener.
func (a *App) newService(cfg config.Listener) (*service, error) {
	s := &service{
		base: a.log, log: a.log.With("listener", cfg.Name), loops: a.loops, front: a.front, metrics: a.metrics, changed: a.changed, told: a.events.backend, rerouted: a.rerouted,
		targets: &targets{local: isLocal, orders: a.orders, cfg: cfg},
	}
	for _, v := range a.cfg.VIPs {
		s.targets.vips = append(s.targets.vips, v.Address)
	}
	prober, err := s.proberFor(cfg)
	if err != nil {
		return nil, err
	}
	s.now.Store(&cfg)
	s.pool = proxy.NewPool(dealing(cfg), s.targets.list())
	s.limiter = proxy.NewLimiter(limitsOf(cfg))
	s.checker = health.New(s.checking(cfg, prober), s.probed(s.pool.Backends()), s.noted, s.base, a.metrics.health)
	s.checker.SetStandby(cfg.VIP != "")
	s.entry.Store(s.newDoor(cfg))
	return s, nil
}

func (s *service) cfg() *config.Listener { return s.now.Load() }
func (s *service) door() *door           { return s.entry.Load() }

// dealing is how connections are dealt out.
func dealing(cfg config.Listener) proxy.PoolConfig {
	return proxy.PoolConfig{
		Balance: balances[cfg.Balance], PreferLocal: cfg.PreferLocal, SlowStart: cfg.SlowStart, Panic: cfg.Panic,
	}
}

func limitsOf(cfg config.Listener) proxy.Limits { return proxy.Limits(cfg.Limits) }

func (s *service) proberFor(cfg config.Listener) (health.Prober, error) {
	prober, err := newProber(cfg.Check, config.ClusterCA, proxy.LocalHeader(cfg.ProxyProtocol), s.log)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", cfg.Name, err)
	}
	return prober, nil
}

// checking is how backends are asked.
func (s *service) checking(cfg config.Listener, prober health.Prober) health.Config {
	return health.Config{
		Name: cfg.Name, Prober: prober,
		Interval: cfg.Check.Interval, FastInterval: cfg.Check.FastInterval,
		DownInterval: cfg.Check.DownInterval, StandbyInterval: cfg.Check.StandbyInterval,
		Timeout: cfg.Check.Timeout, Rise: cfg.Check.Rise, Fall: cfg.Check.Fall,
		Heard: s.heard,
	}
}

// serving is what its sockets do.
func (s *service) serving(cfg config.Listener) proxy.Config {
	serve := proxy.Config{
		Name: cfg.Name, Bind: cfg.Bind, FreeBind: cfg.VIP != "",
		Timeouts: proxy.Timeouts(cfg.Timeouts), Limiter: s.limiter, Allow: cfg.Allow,
		Rebalance:     proxy.Rebalance(cfg.Rebalance),
		ProxyProtocol: cfg.ProxyProtocol, Advertised: cfg.Address, Transparent: cfg.Transparent,
	}
	if cfg.Check.Passive {
		serve.Report = func(b netip.AddrPort, e proxy.Evidence) { s.checker.Report(b, health.Evidence(e)) }
	}
	return serve
}

var balances = map[string]proxy.Balance{
	config.BalanceRoundRobin: proxy.RoundRobin, config.BalanceLeastConn: proxy.LeastConn,
	config.BalanceRandom2: proxy.Random2, config.BalanceSource: proxy.Source,
}

// retarget has the pool and the checks follow the targets.
func (s *service) retarget(change func(*targets)) {
	s.follow(change)
	s.changed(s.cfg().VIP)
}

// follow does one change at a time, or an older list could come last.
func (s *service) follow(change func(*targets)) {
	s.following.Lock()
	defer s.following.Unlock()
	s.targets.set(change)
	s.tellLoops()
	was, all := s.pool.Backends(), s.targets.list()
	s.pool.Set(all)
	s.part(was, all)
	s.checker.SetTargets(s.probed(all))
	for _, b := range all {
		if s.inMaintenance(b.Address) {
			s.pool.SetState(b.Address, proxy.Unknown)
			s.drains.begin(b.Address, s.cfg().Timeouts.Drain, func() { s.resetBackend(b.Address, "it is in maintenance") })
		}
	}
}

// part gives the connections of backends that have gone the time of a drain, unless
// they come back; s.following is held.
func (s *service) part(was, all []proxy.Backend) {
	for _, b := range was {
		if !has(all, b) {
			s.parting.begin(b.Address, s.cfg().Timeouts.Drain, func() { s.parted(b) })
		}
	}
	for _, b := range all {
		s.parting.end(b.Address)
	}
}

// parted resets what is left, if the backend has not come back this moment.
func (s *service) parted(b proxy.Backend) {
	s.following.Lock()
	defer s.following.Unlock()
	s.parting.end(b.Address)
	if !has(s.pool.Backends(), b) {
		s.resetBackend(b.Address, "it is no backend any more")
	}
}

func has(backends []proxy.Backend, one proxy.Backend) bool {
	return slices.ContainsFunc(backends, func(b proxy.Backend) bool { return b.Address == one.Address })
}

// tellLoops says once what is left out; s.following is held.
func (s *service) tellLoops() {
	was := s.left
	s.left = s.targets.loops()
	if len(s.left) > 0 && !slices.Equal(s.left, was) {
		s.log.Warn("a name of backends stands for this kshalb itself, too: that address is left out", "addresses", s.left)
	}
}

func (s *service) inMaintenance(b netip.AddrPort) bool {
	o, _ := s.targets.orders.For(s.cfg().Name, b)
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
	case t.To == health.Down && s.cfg().ResetOnDown:
		s.resetBackend(t.Target, "it is down")
	case t.To == health.Draining:
		s.drains.begin(t.Target, s.cfg().Timeouts.Drain, func() { s.resetBackend(t.Target, "its drain is over") })
	}
	if t.To != health.Draining {
		s.drains.end(t.Target)
	}
	s.changed(s.cfg().VIP)
	s.told(*s.cfg(), t)
}

// poolStates are what a pool is told of a backend.
var poolStates = map[health.State]proxy.State{
	health.Unknown: proxy.Unknown, health.Up: proxy.Up, health.Suspect: proxy.Suspect,
	health.Draining: proxy.Draining, health.Down: proxy.Down,
}

// heard is how many bytes have come from a backend, through whatever door.
func (s *service) heard(b netip.AddrPort) uint64 { return s.door().listener.Received(b) }

func (s *service) resetBackend(b netip.AddrPort, why string) {
	n := 0
	for _, l := range s.listeners() {
		n += l.ResetBackend(b)
	}
	if n > 0 {
		s.log.Info("connections were reset", "backend", b.String(), "connections", n, "reason", why)
	}
}

// listeners are all through which there may be clients: closing ones, and that of now.
func (s *service) listeners() (all []*proxy.Listener) {
	now := s.door()
	for _, d := range s.front.open() {
		if d != now && d.cfg.Name == now.cfg.Name {
			all = append(all, d.listeners()...)
		}
	}
	return append(all, now.listeners()...)
}
