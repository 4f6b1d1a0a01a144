package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/drill/clients"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/status"
)

const (
	calmTime  = time.Second      // before a fault, and after all is well again
	startTime = 3 * time.Second  // for this node to know of all, when it has just been started
	wholeTime = 90 * time.Second // for a node that was killed to be there again, beyond the fault
	notice    = time.Second      // that a fault may begin later, and end later
	// silence is how long a kshalb that was started does not vote: the next round
	// needs its vote.
	silence = 6 * time.Second
	// missTime is until a killed peer is missed: till then it counts as alive. 5.1 to
	// 6.9 s were measured.
	missTime = 8 * time.Second
)

// client is one that asks again and again.
type client interface {
	Run(ctx context.Context)
	Summary(from, to time.Time) clients.Summary
	Answered(after time.Time) bool
}

// listening is one that only listens.
type listening interface {
	Run(ctx context.Context)
	Told(since, to time.Time) (gap time.Duration, broken int)
	Listening() bool
}

// trio are the clients of a round.
type trio struct {
	fresh, kept client
	watch       listening
}

// Run does what Prepare has said, round by round, and puts everything back. When
// ctx ends it stops early, and puts everything back all the same; the report has
// what was seen till then. The report is there with an error, too.
func (d *Drill) Run(ctx context.Context) (*Report, error) {
	r := &Report{
		VIP: d.vip.Name, Address: d.vip.Address.String(), From: d.self, Holder: d.first,
		LeaseMilliseconds: d.cfg.Election.Lease.Milliseconds(), Rounds: []Round{}, Left: d.left, Wire: !d.opts.NoWire,
		RealWatch: d.opts.Credentials != nil,
	}
	var err error
	for _, planned := range d.plan {
		var done Round
		if done, err = d.round(ctx, planned); err != nil {
			err = fmt.Errorf("%s: %w", planned.kind, err)
			break
		}
		r.Rounds = append(r.Rounds, done)
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*wholeTime+d.opts.Hold)
	defer cancel()
	return r, errors.Join(err, d.restore(back, r))
}

// restore waits until the cluster is whole, and gives the address back.
func (d *Drill) restore(ctx context.Context, r *Report) error {
	d.opts.Tell("waiting until the cluster is whole again")
	n, err := d.settled(ctx)
	if err != nil {
		return fmt.Errorf("put everything back: %w", err)
	}
	v, _ := vipOf(n, d.vip.Name)
	if v.Holder != d.first {
		d.opts.Tell(fmt.Sprintf("giving %s back to %s", d.vip.Name, d.first))
		if err := d.cluster.Handover(ctx, d.vip.Name, d.first); err != nil {
			return fmt.Errorf("give %s back to %s: %w", d.vip.Name, d.first, err)
		}
	}
	r.Restored = true
	return nil
}

// round is one thing that is done, and what came of it.
func (d *Drill) round(ctx context.Context, planned round) (Round, error) {
	n, err := d.whole(ctx, wholeTime+d.opts.Hold, 0)
	if err != nil {
		return Round{}, err
	}
	v, _ := vipOf(n, d.vip.Name)
	victim := v.Holder
	if planned.kind != Handover && !slices.Contains(planned.able, victim) {
		victim = planned.able[0]
		d.opts.Tell(fmt.Sprintf("moving %s from %s to %s first", d.vip.Name, v.Holder, victim))
		if err := d.cluster.Handover(ctx, d.vip.Name, victim); err != nil {
			return Round{}, err
		}
		if n, err = d.await(ctx, wholeTime+d.opts.Hold, func(n status.Node) error { return heldBy(n, d.vip.Name, victim) }); err != nil {
			return Round{}, err
		}
	}
	to := ""
	for _, name := range planned.able {
		if planned.kind == Handover && name != victim {
			to = name
			break
		}
	}
	round := Round{Kind: planned.kind, Struck: victim}
	v, _ = vipOf(n, d.vip.Name)
	return round, d.watched(ctx, v, &round, func() error {
		d.begin(planned.kind)
		if planned.kind == Handover {
			return d.cluster.Handover(ctx, d.vip.Name, to)
		}
		return d.cluster.Inflict(ctx, victim, fault.Kind(planned.kind), d.opts.Hold)
	})
}

// watched does something to the holder while clients ask and eyes look, and judges
// what they saw.
func (d *Drill) watched(ctx context.Context, v status.VIP, r *Round, act func() error) error {
	with, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	t := d.newClients()
	running.Go(func() { t.fresh.Run(with) })
	running.Go(func() { t.kept.Run(with) })
	running.Go(func() { t.watch.Run(with) })
	var e eyes
	var ours tenure
	var blind error // why they stopped looking
	if !d.opts.NoWire {
		var err error
		if e, err = d.newEyes(cmp.Or(d.vip.Interface, v.Interface)); err != nil {
			return fmt.Errorf("look who answers for %s: %w; --no-wire goes without", d.vip.Address, err)
		}
		running.Go(func() { blind = e.Run(with) })
		running.Go(func() { ours.run(with, d.cluster, d.vip.Name) })
	}
	began := time.Now()
	if err := d.serving(ctx, t, began); err != nil {
		return fmt.Errorf("before anything was done: %w", err)
	}
	calm := time.Now()
	if err := sleep(ctx, calmTime); err != nil {
		return err
	}
	struck := time.Now()
	usual := t.fresh.Summary(calm, struck).Gap
	d.opts.Tell(fmt.Sprintf("%s: %s", r.Kind, r.Struck))
	if err := act(); err != nil {
		return err
	}
	if err := d.over(ctx, t, r); err != nil {
		return err
	}
	end := time.Now()
	stop()
	running.Wait()
	r.measure(t, struck, end)
	if e != nil {
		w := e.Seen(struck, end, &ours)
		r.Wire = &w
		if blind != nil && ctx.Err() == nil {
			return blind
		}
	}
	r.judge(d.bounds(r.Kind, v, usual))
	return nil
}

// over waits until another node has the address, all clients are served and the
// cluster is whole.
func (d *Drill) over(ctx context.Context, t trio, r *Round) error {
	n, err := d.await(ctx, wholeTime+d.opts.Hold, func(n status.Node) error {
		v, _ := vipOf(n, d.vip.Name)
		if v.Holder == "" || v.Holder == r.Struck {
			return fmt.Errorf("nobody has taken %s over from %s", d.vip.Name, r.Struck)
		}
		return nil
	})
	if err != nil {
		return err
	}
	v, _ := vipOf(n, d.vip.Name)
	r.Taken = v.Holder
	if err := d.serving(ctx, t, time.Now()); err != nil {
		return err
	}
	_, err = d.settled(ctx)
	return err
}

// begin notes what is done now: till when a fault lasts, or may go unnoticed, and for
// how long the cluster has to be whole after it.
func (d *Drill) begin(k Kind) {
	now := time.Now()
	switch k {
	case Handover:
		d.lasts, d.calm = now, calmTime
	case Kind(fault.Kill):
		d.lasts, d.calm = now.Add(max(d.opts.Hold, missTime)), silence
	default:
		d.lasts, d.calm = now.Add(d.opts.Hold+notice), calmTime
	}
}

// settled waits until what was begun is over and the cluster is whole.
func (d *Drill) settled(ctx context.Context) (status.Node, error) {
	if err := sleep(ctx, time.Until(d.lasts)); err != nil {
		return status.Node{}, err
	}
	n, err := d.whole(ctx, wholeTime+d.opts.Hold, d.calm)
	if err == nil {
		d.calm = 0
	}
	return n, err
}
