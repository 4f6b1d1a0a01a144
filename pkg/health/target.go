package health

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	// freshEvery is how often a probe is on a connection of its own although the
	// kept one is well: a server may serve its old connections and take no new ones.
	freshEvery = 10
	// deafFor is how long evidence that a client can make is not listened to after
	// a probe has refuted some.
	deafFor = 10 * time.Second
)

// target is one backend. Its goroutine alone has what is below of status.
type target struct {
	*Checker
	addr    netip.AddrPort
	stop    context.CancelFunc
	reports chan Evidence // one slot: one piece is enough
	hurried chan struct{} // one slot: it is to be asked at once
	changed chan struct{} // one slot: so is the Checker's configuration another

	status atomic.Pointer[Status] // replaced whole

	cfg      *Config
	abandon  context.CancelFunc // the probe that is under way
	stale    bool               // that is of an earlier cfg
	tally    tally
	session  Session
	results  chan result
	begun    time.Time // of the last probe
	probes   int
	probing  bool
	accused  time.Time // by somebody else, when that was taken last
	provoked bool      // and a client can have caused it
	deafTill time.Time
	heard    uint64 // when the first of the failures was counted
}

// result is what became of a probe.
type result struct {
	begun, ended time.Time
	err          error
}

func newTarget(c *Checker, addr netip.AddrPort) *target {
	t := &target{
		Checker: c, addr: addr, stop: func() {},
		reports: make(chan Evidence, 1), hurried: make(chan struct{}, 1), changed: make(chan struct{}, 1), results: make(chan result, 1),
	}
	t.status.Store(&Status{Target: addr})
	t.adopt()
	return t
}

// report leaves evidence; the Checker's mu is held, so nobody else does. What no
// client can cause takes the place of what waits there: the other kind may not be
// listened to.
func (t *target) report(e Evidence) {
	if !e.Provocable {
		select {
		case <-t.reports:
		default:
		}
	}
	select {
	case t.reports <- e:
	default:
	}
}

func (t *target) hurry() {
	select {
	case t.hurried <- struct{}{}:
	default:
	}
}

// watch probes until ctx ends; a probe that is on its way then tells nothing.
func (t *target) watch(ctx context.Context) {
	t.adopt()
	t.session = t.cfg.Prober.Open(t.addr)
	defer func() {
		if t.probing {
			<-t.results
		}
		t.session.Close()
	}()
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-next.C:
			t.begin(ctx)
		case <-t.hurried:
			t.begin(ctx)
		case <-t.changed:
			if t.stale = t.probing; t.stale {
				t.abandon()
			} else {
				t.renew(ctx)
			}
		case e := <-t.reports:
			if t.accuse(e) {
				t.begin(ctx)
			}
		case r := <-t.results:
			t.probing = false
			if ctx.Err() != nil {
				return
			}
			if t.stale {
				t.renew(ctx)
				continue
			}
			t.take(r)
			next.Reset(max(time.Until(r.begun.Add(t.pace(r))), 0))
		case <-ctx.Done():
			return
		}
	}
}

// adopt takes the Checker's configuration of now.
func (t *target) adopt() {
	t.cfg = t.now.Load()
	t.tally.rise, t.tally.fall = t.cfg.Rise, t.cfg.Fall
}

// renew begins anew, as the configuration is now.
func (t *target) renew(ctx context.Context) {
	t.stale = false
	t.session.Close()
	t.adopt()
	t.session = t.cfg.Prober.Open(t.addr)
	t.begin(ctx)
}

// begin asks the target, unless it is being asked.
func (t *target) begin(ctx context.Context) {
	if t.probing {
		return
	}
	t.probing, t.begun = true, time.Now()
	fresh := t.tally.pending() || t.tally.state != Up || t.probes%freshEvery == 0
	t.probes++
	ctx, t.abandon = context.WithTimeout(ctx, t.cfg.Timeout)
	go t.probe(ctx, t.abandon, fresh)
}

func (t *target) probe(ctx context.Context, done context.CancelFunc, fresh bool) {
	defer done()
	r := result{begun: time.Now()}
	r.err = t.session.Probe(ctx, fresh)
	r.ended = time.Now()
	t.results <- r
}

// take counts what a probe said. A success that was on its way when somebody
// accused the target does not refute that.
func (t *target) take(r result) {
	took := r.ended.Sub(r.begun)
	t.metrics.duration.WithLabelValues(t.name).Observe(took.Seconds())
	s := *t.status.Load()
	s.LastProbe, s.Expiry = took, t.session.Expiry()
	t.status.Store(&s)
	v, why := ready, succeeded
	if r.err != nil {
		v, why = verdictOf(r.err), reason(r.err, t.cfg.Timeout)
	}
	if v == ready && t.tally.state == Suspect && r.begun.Before(t.accused) {
		return
	}
	if v == ready && t.tally.state == Suspect && t.provoked {
		t.deafTill = r.ended.Add(deafFor)
	}
	if v == ready {
		t.provoked = false
	}
	t.add(v, why, r.ended)
}

// accuse counts what somebody else has found out, and reports whether the target
// is to be asked.
func (t *target) accuse(e Evidence) bool {
	now := time.Now()
	if t.tally.state != Up || e.Provocable && now.Before(t.deafTill) {
		return false
	}
	t.accused, t.provoked = now, e.Provocable
	t.add(undecided, e.Reason, now) // a client must not bring down anything, fall being 1
	return true
}

// add counts a verdict and tells of a transition.
func (t *target) add(v verdict, why string, at time.Time) {
	var heard uint64
	if v != ready {
		heard = t.cfg.Heard(t.addr)
	}
	was, first := t.tally.state, t.tally.fails == 0
	changed := t.tally.add(v, !first && heard > t.heard)
	if first || t.tally.fails == 1 {
		t.heard = heard
	}
	if !changed {
		return
	}
	tr := Transition{Target: t.addr, From: was, To: t.tally.state, Reason: why, At: at}
	s := *t.status.Load()
	s.State, s.Since, s.Reason = tr.To, at, why
	t.status.Store(&s)
	if t.count(t, tr.To) {
		t.notify(tr)
		t.logChange(tr)
	}
}

// pace is how long after the start of a probe the next one is due.
func (t *target) pace(r result) time.Duration {
	d := t.cfg.Interval
	switch {
	case t.tally.state == Suspect && (r.begun.Before(t.accused) || isSilence(r.err)):
		return 0 // and never twice in a row: the next one is fresh, and later than the evidence
	case t.tally.pending():
		d = t.cfg.FastInterval
	case t.tally.state != Up:
		d = t.cfg.DownInterval
	case t.standby.Load():
		d = t.cfg.StandbyInterval
	}
	return jittered(d)
}

// jittered is d, more or less.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}
