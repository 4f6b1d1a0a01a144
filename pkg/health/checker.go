package health

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Config is how the targets of one listener are probed.
type Config struct {
	Name     string        // the listener, for logs and metrics
	Prober   Prober        // how a target is asked
	Interval time.Duration // between the starts of two probes of a target, ±10 %; 0 is 1 s
	Timeout  time.Duration // of one probe, may exceed Interval; 0 is 1 s
	Rise     int           // successes in a row that turn Down to Up; less than 1 is 1
	Fall     int           // failures in a row that turn Up to Down; less than 1 is 1
}

// jitter is the part of the interval by which it varies either way, so that
// nodes which started together do not probe in step for ever.
const jitter = 0.1

// Checker probes the targets of one listener.
type Checker struct {
	cfg     Config
	targets []*target
	notify  func(Transition)
	log     *slog.Logger
	metrics *Metrics
}

// target is one backend. Its goroutine alone writes; mu is for those who read.
type target struct {
	addr  netip.AddrPort
	tally tally

	mu     sync.Mutex
	status Status
}

// New makes a Checker of targets, which are unique. notify is called for each
// transition from the goroutine of its target: in order for one target, at the
// same time for several. It must not block: the target is not probed meanwhile.
func New(cfg Config, targets []netip.AddrPort, notify func(Transition), log *slog.Logger, m *Metrics) *Checker {
	cfg.Interval = cmp.Or(cfg.Interval, time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, time.Second)
	c := &Checker{cfg: cfg, notify: notify, log: log, metrics: m}
	for _, addr := range targets {
		c.targets = append(c.targets, &target{
			addr:   addr,
			tally:  tally{rise: max(1, cfg.Rise), fall: max(1, cfg.Fall)},
			status: Status{Target: addr},
		})
	}
	return c
}

// Run probes until ctx ends, each target at once and then at the interval. It
// returns nil when the last probe has ended. It may be called once.
func (c *Checker) Run(ctx context.Context) error {
	defer c.metrics.add(c)()
	var wg sync.WaitGroup
	for _, t := range c.targets {
		wg.Go(func() { c.watch(ctx, t) })
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// Status tells what is known of each target, in the order of New. It is safe
// for concurrent use.
func (c *Checker) Status() []Status {
	all := make([]Status, len(c.targets))
	for i, t := range c.targets {
		t.mu.Lock()
		all[i] = t.status
		t.mu.Unlock()
	}
	return all
}

// watch probes one target until ctx ends.
func (c *Checker) watch(ctx context.Context, t *target) {
	for {
		next := time.NewTimer(jittered(c.cfg.Interval))
		c.probe(ctx, t)
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return
		}
	}
}

// probe asks a target once. A probe that was broken off by ctx tells nothing.
func (c *Checker) probe(ctx context.Context, t *target) {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	start := time.Now()
	err := c.cfg.Prober.Probe(bounded, t.addr)
	end := time.Now()
	if ctx.Err() != nil {
		return
	}
	c.metrics.duration.WithLabelValues(c.cfg.Name).Observe(end.Sub(start).Seconds())
	why := succeeded
	if err != nil {
		why = reason(err, c.cfg.Timeout)
	}
	if tr, changed := t.take(err == nil, why, end, end.Sub(start)); changed {
		c.notify(tr)
		c.metrics.transitions.WithLabelValues(c.cfg.Name, t.addr.String(), tr.To.String()).Inc()
		c.logChange(tr)
	}
}

// take counts a result and keeps what Status tells.
func (t *target) take(ok bool, why string, at time.Time, took time.Duration) (Transition, bool) {
	tr := Transition{Target: t.addr, From: t.tally.state, Reason: why, At: at}
	changed := t.tally.add(ok)
	tr.To = t.tally.state
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.LastProbe = took
	if changed {
		t.status.State, t.status.Since, t.status.Reason = tr.To, at, why
	}
	return tr, changed
}

func (c *Checker) logChange(tr Transition) {
	level := slog.LevelInfo
	if tr.To == Down {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "backend "+tr.To.String(),
		"listener", c.cfg.Name, "backend", tr.Target.String(),
		"from", tr.From.String(), "to", tr.To.String(), "reason", tr.Reason)
}

// jittered is d, more or less.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}
