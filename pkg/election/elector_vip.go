package election

import (
	"context"
	"errors"
	"time"
)

// vipElection is a machine and what was last made known of it.
type vipElection struct {
	VIP
	machine     *Machine
	arming      uint64 // the attempt that the fence is, or was last, armed for
	deadline    time.Time
	holder      string
	transitions uint64
	withdrawing bool
}

// carryOut does what a machine now wants: the address first, then messages.
func (e *Elector) carryOut(ctx context.Context, now time.Time, v *vipElection) {
	if lease, ok := v.machine.Lease(now); ok && !lease.Deadline.Equal(v.deadline) {
		v.deadline = lease.Deadline
		e.cfg.Metrics.renewed.Observe(v.machine.Renewed().Seconds())
		v.Hold(lease)
	}
	if v.machine.Phase() == Resigning && !v.withdrawing {
		v.withdrawing = true
		why := v.machine.Why(now)
		e.cfg.Log.Info("giving the VIP up", "vip", v.Name, "reason", why)
		if v.Resigning != nil {
			v.Resigning(why)
		}
		go e.withdraw(context.WithoutCancel(ctx), v)
	}
	for _, o := range v.machine.Take() {
		e.outbox[o.To] = append(e.outbox[o.To], o.Message)
	}
	if v.machine.Returned() && v.Announce != nil {
		v.Announce()
	}
	e.announce(now, v)
}

// arm begins to arm the fence for all attempts that wait for it, beside the loop:
// the kernel may take its time, and votes must not wait for it.
func (e *Elector) arm(now time.Time) {
	var attempts map[string]uint64 // most steps have none
	for _, v := range e.vips {
		if attempt, ok := v.machine.Arming(); ok && attempt != v.arming {
			if attempts == nil {
				attempts = make(map[string]uint64)
			}
			v.arming = attempt
			attempts[v.Name] = attempt
		}
	}
	switch {
	case len(attempts) == 0:
	case e.cfg.Arm == nil:
		e.armed(now, attempts, 0, nil)
	default:
		go func() {
			linger, err := e.cfg.Arm(attempts)
			// An election that has ended asks nobody any more. The clock is read by
			// the loop, later than the fence was armed.
			_ = e.call(func(now time.Time) { e.armed(now, attempts, linger, err) })
		}()
	}
}

func (e *Elector) armed(now time.Time, attempts map[string]uint64, linger time.Duration, err error) {
	if err != nil {
		e.cfg.Log.Warn("cannot arm the fence", "vips", len(attempts), "err", err)
	}
	for _, v := range e.vips {
		attempt, ok := attempts[v.Name]
		switch {
		case !ok:
		case err != nil:
			v.machine.Unarmed(now, attempt, err)
		default:
			v.machine.Armed(now, attempt, linger)
		}
	}
}

// flush sends what is to be said, all that one node is told in one datagram.
func (e *Elector) flush() {
	for node, messages := range e.outbox {
		if len(messages) == 0 {
			continue
		}
		e.outbox[node] = messages[:0]
		wire, err := Encode(messages)
		for _, b := range wire {
			err = errors.Join(err, e.cfg.Send(node, b))
		}
		if err != nil {
			e.cfg.Log.Debug("could not send", "to", node, "err", err)
		}
	}
}

// withdrawRetry is the pause after a failed withdrawal. The fence holds
// meanwhile, and the peers wait for the grant to end.
const withdrawRetry = 100 * time.Millisecond

// withdraw ends when this node no longer answers for the VIP.
func (e *Elector) withdraw(ctx context.Context, v *vipElection) {
	for {
		err := v.Withdraw(ctx)
		if err == nil {
			break
		}
		e.cfg.Log.Error("cannot withdraw the VIP, trying again", "vip", v.Name, "err", err)
		select {
		case <-time.After(withdrawRetry):
		case <-e.done:
			return
		}
	}
	_ = e.call(func(now time.Time) { // Run waits for this one
		v.withdrawing = false
		v.deadline = time.Time{}
		v.machine.Withdrawn(now)
	})
}

// announce logs and counts a change of holder.
func (e *Elector) announce(now time.Time, v *vipElection) {
	holder, term := v.machine.Holder(now)
	if holder == v.holder {
		return
	}
	v.holder = holder
	v.transitions++
	if holder == "" {
		e.cfg.Log.Info("the VIP has no holder that this node knows of", "vip", v.Name)
		return
	}
	if v.Held != nil {
		v.Held(holder, term)
	}
	e.cfg.Log.Info("the VIP has a holder", "vip", v.Name, "holder", holder, "term", term)
}
