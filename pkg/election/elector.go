package election

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"time"
)

// VIP is one address to elect a holder for, and what holding means here.
type VIP struct {
	Name string
	Rank int // 0 asks first when the VIP is free

	// Hold says that this node owns the VIP until the deadline, which only
	// moves ahead within a term. It must not block.
	Hold func(term uint64, deadline time.Time)

	// Withdraw returns nil once this node certainly no longer answers for the
	// VIP. It is called again after an error.
	Withdraw func(context.Context) error
}

// ElectorConfig is what an [Elector] needs to know.
type ElectorConfig struct {
	Node    string
	Voters  []string
	Timing  Timing
	VIPs    []VIP
	Send    func(node string, message []byte) error // to another voter; best effort, must not block
	Log     *slog.Logger
	Metrics *Metrics
}

// Elector runs one [Machine] for each VIP against the clock and a wire. One
// goroutine, the one in Run, owns them all; the other methods may be called
// from anywhere.
type Elector struct {
	cfg   ElectorConfig
	vips  []*vipElection
	inbox chan []byte
	calls chan func(now time.Time)
	done  chan struct{} // closed when Run has ended
}

// vipElection is a machine and what was last made known of it.
type vipElection struct {
	VIP
	machine     *Machine
	deadline    time.Time
	holder      string
	transitions uint64
	withdrawing bool
}

// NewElector prepares the machines; their silence begins now. It starts
// nothing.
func NewElector(cfg ElectorConfig) (*Elector, error) {
	e := &Elector{
		cfg:   cfg,
		inbox: make(chan []byte, 256),
		calls: make(chan func(time.Time)),
		done:  make(chan struct{}),
	}
	incarnation, err := randomUint64()
	if err != nil {
		return nil, fmt.Errorf("draw an incarnation: %w", err)
	}
	now := time.Now()
	for _, v := range cfg.VIPs {
		m, err := New(Config{
			VIP: v.Name, Self: Owner{cfg.Node, incarnation}, Voters: cfg.Voters, Timing: cfg.Timing,
			Rank: v.Rank, Rand: mathrand.New(mathrand.NewPCG(incarnation, uint64(v.Rank))),
		}, now)
		if err != nil {
			return nil, err
		}
		e.vips = append(e.vips, &vipElection{VIP: v, machine: m})
	}
	cfg.Metrics.watch(e)
	return e, nil
}

func randomUint64() (uint64, error) {
	var b [8]byte
	_, err := rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]), err
}

// Run takes part in the elections until ctx ends. Then it gives up what it
// holds, in order: withdraw, then tell the peers, naming a successor.
func (e *Elector) Run(ctx context.Context) error {
	defer close(e.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	for {
		select {
		case <-stopping:
			stopping = nil
			e.step(ctx, e.stop)
		case <-timer.C:
			e.step(ctx, e.tick)
		case b := <-e.inbox:
			e.step(ctx, func(now time.Time) { e.message(now, b) })
		case call := <-e.calls:
			e.step(ctx, call)
		}
		if stopping == nil && !e.withdrawing() {
			return nil
		}
		timer.Reset(e.untilNext())
	}
}

// step runs one input at one reading of the clock and carries out what follows.
func (e *Elector) step(ctx context.Context, input func(now time.Time)) {
	now := time.Now()
	input(now)
	for _, v := range e.vips {
		e.carryOut(ctx, now, v)
	}
}

func (e *Elector) tick(now time.Time) {
	for _, v := range e.vips {
		v.machine.Tick(now)
	}
}

func (e *Elector) stop(now time.Time) {
	for _, v := range e.vips {
		v.machine.Resign(now, v.machine.Successor(now), "stopping")
		v.machine.SetFitness(now, Unable)
	}
}

func (e *Elector) message(now time.Time, b []byte) {
	msg, err := Decode(b)
	if err != nil {
		e.cfg.Log.Debug("ignored a message", "err", err)
		return
	}
	for _, v := range e.vips {
		if v.Name != msg.VIP {
			continue
		}
		if why := v.machine.Step(now, msg); why != "" {
			e.cfg.Log.Debug("ignored a message", "vip", v.Name, "from", msg.From.Node, "reason", string(why))
		}
	}
}

// carryOut does what a machine now wants: the address first, then messages.
func (e *Elector) carryOut(ctx context.Context, now time.Time, v *vipElection) {
	if lease, ok := v.machine.Lease(now); ok && !lease.Deadline.Equal(v.deadline) {
		v.deadline = lease.Deadline
		e.cfg.Metrics.renewed.Observe(v.machine.Renewed().Seconds())
		v.Hold(lease.Term, lease.Deadline)
	}
	if v.machine.Phase() == Resigning && !v.withdrawing {
		v.withdrawing = true
		e.cfg.Log.Info("giving the VIP up", "vip", v.Name, "reason", v.machine.Why(now))
		go e.withdraw(context.WithoutCancel(ctx), v)
	}
	for _, o := range v.machine.Take() {
		e.send(o)
	}
	e.announce(now, v)
}

func (e *Elector) send(o Outbound) {
	b, err := Encode(o.Message)
	if err == nil {
		err = e.cfg.Send(o.To, b)
	}
	if err != nil {
		e.cfg.Log.Debug("could not send", "to", o.To, "err", err)
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
	e.call(func(now time.Time) {
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
	e.cfg.Log.Info("the VIP has a holder", "vip", v.Name, "holder", holder, "term", term)
}

func (e *Elector) withdrawing() bool {
	for _, v := range e.vips {
		if v.withdrawing {
			return true
		}
	}
	return false
}

// untilNext is how long the loop may sleep.
func (e *Elector) untilNext() time.Duration {
	next := time.Time{}
	for _, v := range e.vips {
		if n := v.machine.Next(); !n.IsZero() && (next.IsZero() || n.Before(next)) {
			next = n
		}
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(time.Until(next), 0)
}

// call runs f in the loop and waits for it; not at all when Run has ended.
func (e *Elector) call(f func(now time.Time)) {
	ran := make(chan struct{})
	select {
	case e.calls <- func(now time.Time) { f(now); close(ran) }:
		<-ran
	case <-e.done:
	}
}

// Receive takes a message from the wire, which it keeps. It never blocks; a
// message that finds the inbox full is lost, as any datagram may be.
func (e *Elector) Receive(b []byte) {
	select {
	case e.inbox <- b:
	default:
	}
}

// SetFitness says how well this node could hold the VIP from now on.
func (e *Elector) SetFitness(vip string, f Fitness) {
	e.call(func(now time.Time) {
		for _, v := range e.vips {
			if v.Name == vip {
				v.machine.SetFitness(now, f)
			}
		}
	})
}
