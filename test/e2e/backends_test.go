package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// What TestBackends does besides the little that every run does: `make
// bench-backends` sets them.
var (
	trials    = flag.Int("backends.trials", 1, "`number` of trials of each fault")
	balancers = flag.String("backends.balancers", kshalbName, "`names` of what stands in front of the API servers: kshalb, haproxy-guide, haproxy-tuned")
	only      = flag.String("backends.only", "", "`regexp` of faults to make (default: those that take little time)")
	least     = flag.Duration("backends.least", 3*time.Second, "`time` that is watched after each fault at least")
	lock      = flag.String("backends.lock", "", "`file` to lock for each trial, for several measurements to take turns")
)

const (
	// most is how long is watched after a fault at most.
	most = time.Minute
	// slack is by how much kshalb may miss a bar on a machine that does other
	// things too. What is measured stands in docs/results.md.
	slack = 2
)

// TestBackends loses API servers in many ways while clients ask through the
// address, and compares what these see with the bars. Nothing is expected of
// others in kshalb's place.
func TestBackends(t *testing.T) {
	wanted, err := regexp.Compile(*only)
	must(t, err)
	var seen table
	var all []balancer
	for name := range strings.SplitSeq(*balancers, ",") {
		b, err := balancerOf(name)
		if errors.Is(err, exec.ErrNotFound) {
			seen.missing = append(seen.missing, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		must(t, err)
		all = append(all, b)
	}
	p := startWithout(t, cluster.Options{})
	for range *trials {
		for _, b := range all {
			p.round(t, b, wanted, &seen)
		}
	}
	t.Log(seen.String())
}

// round makes each fault once, with one balancer.
func (p *controlPlane) round(t *testing.T, b balancer, wanted *regexp.Regexp, seen *table) {
	ctx := labtest.Context(t, startup)
	must(t, p.startBalancer(ctx, b))
	for _, f := range troubles() {
		if *only == "" && !f.short || !wanted.MatchString(f.name) {
			continue
		}
		ok := t.Run(b.name()+"/"+f.name, func(t *testing.T) { p.suffer(t, b, f, seen) })
		if !ok && b.name() == kshalbName && p.settled(labtest.Context(t, startup), b) != nil {
			t.FailNow() // the next would begin in disorder
		}
	}
	must(t, p.stopBalancer(labtest.Context(t, startup), b))
}

// suffer makes a fault once. Of others than kshalb it is noted that they don't come
// to rest again, and they are started anew.
func (p *controlPlane) suffer(t *testing.T, b balancer, f trouble, seen *table) {
	ctx := labtest.Context(t, startup)
	o, err := p.play(ctx, b, f, p.victim(t, f.holder))
	if err == nil {
		seen.add(f, b.name(), o)
		t.Log(o)
		err = p.settled(ctx, b)
	}
	if b.name() == kshalbName {
		must(t, err)
		o.hold(t, f.bars)
		return
	}
	if err != nil {
		t.Logf("starting %s anew: %v", b.name(), err)
		seen.row(f, b.name()).failed++
		must(t, p.stopBalancer(labtest.Context(t, startup), b))
		must(t, p.startBalancer(labtest.Context(t, startup), b))
	}
}

// play makes the fault, watches the clients until all is well again, and mends it.
func (p *controlPlane) play(ctx context.Context, b balancer, f trouble, victim *cluster.Master) (o outcome, err error) {
	if err := p.prepare(ctx, b, f, victim); err != nil {
		return o, fmt.Errorf("prepare: %w", err)
	}
	done, err := turn(ctx, *lock)
	if err != nil {
		return o, err
	}
	defer done()
	c, err := p.newClients(b, victim)
	if err != nil {
		return o, err
	}
	stop := c.start(ctx)
	defer stop()
	if err := c.warm(ctx); err != nil {
		return o, fmt.Errorf("before the fault: %w", err)
	}
	at := time.Now()
	if err := f.do(ctx, p, victim); err != nil {
		return o, errors.Join(fmt.Errorf("make the fault: %w", err), f.undo(ctx, p, victim))
	}
	watched := time.Now()
	if !f.lasts {
		at = watched
	}
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	late := c.recovered(limited, watched, *least)
	end := time.Now()
	stop()
	o = c.outcome(at, end)
	o.late = late != nil
	return o, f.undo(ctx, p, victim)
}

// victim is a master that has the address, or one that has not.
func (p *controlPlane) victim(t *testing.T, holds bool) *cluster.Master {
	t.Helper()
	at := holder(t, p)
	i := slices.IndexFunc(p.Masters, func(m *cluster.Master) bool { return (m.Name() == at) == holds })
	return p.Masters[i]
}

// prepare has the victim's API server run with the flags that the fault wants, and
// another etcd lead than its own.
func (p *controlPlane) prepare(ctx context.Context, b balancer, f trouble, victim *cluster.Master) error {
	if len(f.flags) > 0 {
		if err := p.running[victim.Name()].Kill(); err != nil {
			return err
		}
		if err := p.startAPIServer(victim, f.flags...); err != nil {
			return err
		}
		if err := p.settled(ctx, b); err != nil {
			return err
		}
	}
	return p.spareEtcd(ctx, victim)
}

// hold compares with the bars.
func (o outcome) hold(t *testing.T, b bars) {
	t.Helper()
	if n := o.failed - o.dropped; !b.mayFail && n > 0 {
		t.Errorf("%d new connections failed:%s", n, o.firsts(unconnected))
	}
	if !b.mayFail && !b.mayDrop && o.dropped > 0 {
		t.Errorf("%d requests on new connections failed:%s", o.dropped, o.firsts(refused, brokenOff))
	}
	for _, bar := range []struct {
		what      string
		took, bar time.Duration
	}{
		{"the longest new request took", o.longest, b.new},
		{"the last new request that failed began after", o.lastFailed, b.new},
		{"the kept connection was silent for", o.kept, b.kept},
		{"the watch was silent for", o.watch, b.watch},
	} {
		if bar.bar > 0 && bar.took > slack*bar.bar {
			t.Errorf("%s %v; the bar is %v, and %v here", bar.what, round(bar.took), bar.bar, slack*bar.bar)
		}
	}
	if o.requests == 0 || o.late {
		t.Errorf("not all clients were served at the end: %v", o)
	}
}
