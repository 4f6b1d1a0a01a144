package health

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config is how the targets of one listener are probed. All intervals are between
// the starts of two probes of a target and vary by 10 %.
type Config struct {
	Name   string // the listener, for logs and metrics
	Prober Prober // how a target is asked

	Interval        time.Duration // of one that is up; 0 is 1 s
	FastInterval    time.Duration // while a verdict is pending; 0 is Interval
	DownInterval    time.Duration // of one that is draining or down; 0 is Interval
	StandbyInterval time.Duration // instead of Interval, see SetStandby; 0 is Interval
	Timeout         time.Duration // of one probe, may exceed the interval; 0 is 1 s

	Rise int // successes in a row that bring one up again; less than 1 is 1
	Fall int // failures in a row that make a suspect draining or down; less than 1 is 1

	// Heard returns how many bytes have come from a target so far, on whatever
	// connections there are. It is called from any goroutine. nil: nothing is heard.
	Heard func(target netip.AddrPort) uint64
}

// jitter is the part of the interval by which it varies either way, so that
// nodes which started together do not probe in step for ever.
const jitter = 0.1

// Checker probes the targets of one listener. Make it with New, then Run it once.
// Its other methods may be called from any goroutine, at any time.
type Checker struct {
	name    string
	now     atomic.Pointer[Config]
	notify  func(Transition)
	log     *slog.Logger
	metrics *Metrics
	standby atomic.Bool

	mu      sync.Mutex
	targets []*target
	running context.Context // nil before Run, and when it has ended
	probing sync.WaitGroup
}

// New makes a Checker of targets. notify is called for each transition, in order
// for one target, at the same time for several. A target is not probed while
// notify runs, and what is reported of it waits.
func New(cfg Config, targets []netip.AddrPort, notify func(Transition), log *slog.Logger, m *Metrics) *Checker {
	c := &Checker{name: cfg.Name, notify: notify, log: log, metrics: m}
	c.now.Store(cfg.whole())
	c.SetTargets(targets)
	return c
}

// whole has every field.
func (cfg Config) whole() *Config {
	cfg.Interval = cmp.Or(cfg.Interval, time.Second)
	cfg.FastInterval = cmp.Or(cfg.FastInterval, cfg.Interval)
	cfg.DownInterval = cmp.Or(cfg.DownInterval, cfg.Interval)
	cfg.StandbyInterval = cmp.Or(cfg.StandbyInterval, cfg.Interval)
	cfg.Timeout = cmp.Or(cfg.Timeout, time.Second)
	cfg.Rise, cfg.Fall = max(cfg.Rise, 1), max(cfg.Fall, 1)
	if cfg.Heard == nil {
		cfg.Heard = func(netip.AddrPort) uint64 { return 0 }
	}
	return &cfg
}

// SetConfig probes in another way from now on, and each target at once. What is known
// of them stays until such a probe says otherwise; what a probe says that is under way
// does not count. Name is not looked at: it stays.
func (c *Checker) SetConfig(cfg Config) {
	c.now.Store(cfg.whole())
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		select {
		case t.changed <- struct{}{}:
		default: // it will look
		}
	}
}

// Run probes until ctx ends, each target at once and then at the interval. It
// returns nil when the last probe has ended.
func (c *Checker) Run(ctx context.Context) error {
	defer c.metrics.add(c)()
	c.mu.Lock()
	c.running = ctx
	for _, t := range c.targets {
		c.start(t)
	}
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.running = nil
	c.mu.Unlock()
	c.probing.Wait()
	return nil
}

// start begins to probe t; c.mu is held.
func (c *Checker) start(t *target) {
	var ctx context.Context
	ctx, t.stop = context.WithCancel(c.running)
	c.probing.Go(func() { t.watch(ctx) })
}

// SetTargets replaces the targets; one that is given twice counts once. What is
// known of those that stay is kept, new ones are probed at once, and of those that
// go nothing is told any more once SetTargets has returned, but for a notify that
// is running.
func (c *Checker) SetTargets(addrs []netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.targets
	c.targets = nil
	for _, addr := range addrs {
		is := func(t *target) bool { return t.addr == addr }
		if slices.ContainsFunc(c.targets, is) {
			continue
		}
		if i := slices.IndexFunc(was, is); i >= 0 {
			c.targets = append(c.targets, was[i])
			continue
		}
		t := newTarget(c, addr)
		c.targets = append(c.targets, t)
		c.metrics.begin(c.name, addr)
		if c.running != nil {
			c.start(t)
		}
	}
	for _, t := range was {
		if !slices.Contains(c.targets, t) {
			t.stop()
			c.metrics.forget(c.name, t.addr)
		}
	}
}

// Report takes evidence against a target. One that is up is a suspect then, and
// asked at once. It never blocks.
func (c *Checker) Report(addr netip.AddrPort, e Evidence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		if t.addr == addr {
			t.report(e)
		}
	}
}

// SetStandby says that nobody connects to these targets through here, so that they
// may be asked more seldom. When that ends they are all asked at once.
func (c *Checker) SetStandby(standby bool) {
	if c.standby.Swap(standby) == standby || standby {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.targets {
		t.hurry()
	}
}

// Status tells what is known of each target, in the order in which they were given.
func (c *Checker) Status() []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Status, len(c.targets))
	for i, t := range c.targets {
		all[i] = *t.status.Load()
	}
	return all
}

// count counts a transition, and reports whether its target is one still: of others
// nothing is told, and no series begins anew.
func (c *Checker) count(t *target, to State) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.targets, t) {
		return false
	}
	c.metrics.transitions.WithLabelValues(c.name, t.addr.String(), to.String()).Inc()
	return true
}

func (c *Checker) logChange(tr Transition) {
	level := slog.LevelInfo
	switch tr.To {
	case Down:
		level = slog.LevelWarn
	case Suspect:
		level = slog.LevelDebug
	default:
	}
	if tr.From == Suspect && tr.To == Up {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, "backend "+tr.To.String(),
		"listener", c.name, "backend", tr.Target.String(),
		"from", tr.From.String(), "to", tr.To.String(), "reason", tr.Reason)
}
