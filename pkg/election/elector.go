package election

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"time"
)

// VIP is one address to elect a holder for, and what holding means here.
type VIP struct {
	Name       string
	Priorities map[string]int // by node, see [Config]
	Preempt    bool

	// Hold says that this node owns the VIP until the lease's deadline, which only
	// moves ahead within a term. It must not block.
	Hold func(Lease)

	// Withdraw returns nil once this node certainly no longer answers for the
	// VIP. It is called again after an error.
	Withdraw func(context.Context) error

	// Held is called when somebody is known to hold the VIP, this node or a peer,
	// whenever that is another one than before. It must not block.
	Held func(node string, term uint64)

	// Resigning is called with the reason when this node begins to give the VIP up,
	// before Withdraw. It must not block. nil: nobody wants to know.
	Resigning func(why string)

	// Announce tells the neighbours again where the VIP is. It must not block.
	Announce func()
}

// ElectorConfig is what an [Elector] needs to know.
type ElectorConfig struct {
	Node       string
	Voters     []Voter
	Bootstrap  string // see [Config]
	Remembered Memory
	Timing     Timing
	VIPs       []VIP

	// Arm arms the fence for attempts, by the name of their VIP, and returns how
	// long beyond the lease this node may answer nevertheless. It may block for
	// kernel calls, is called from a goroutine of its own, and by several at a time
	// when they do. nil is no fence that has to be armed.
	Arm func(attempts map[string]uint64) (linger time.Duration, err error)

	Send     func(node string, message []byte) error // to another voter; best effort, must not block
	Remember func(Memory) error                      // returns when it is on disk; nil forgets
	Log      *slog.Logger                            // should not block: the loop logs
	Metrics  *Metrics
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

	outbox map[string][]Message // by node: what is to be sent at the end of a step

	remembered  Memory
	remembering bool
	differs     map[string]time.Time // nodes with other voters, and when they were heard
}

// NewElector prepares the machines; their silence begins now. It starts
// nothing.
func NewElector(cfg ElectorConfig) (*Elector, error) {
	e := &Elector{
		cfg:        cfg,
		inbox:      make(chan []byte, 256),
		calls:      make(chan func(time.Time)),
		done:       make(chan struct{}),
		outbox:     make(map[string][]Message),
		remembered: cfg.Remembered,
		differs:    make(map[string]time.Time),
	}
	if err := CheckSuccession(cfg.Remembered.Voters, cfg.Voters); err != nil {
		return nil, fmt.Errorf("start with these voters: %w; the last ones were %q", err, cfg.Remembered.Voters)
	}
	incarnation, err := randomUint64()
	if err != nil {
		return nil, fmt.Errorf("draw an incarnation: %w", err)
	}
	now := time.Now()
	for i, v := range cfg.VIPs {
		m, err := New(Config{
			VIP: v.Name, Self: Owner{cfg.Node, incarnation},
			Voters: cfg.Voters, Priorities: v.Priorities, Preempt: v.Preempt,
			Bootstrap: cfg.Bootstrap, Remembered: cfg.Remembered, Timing: cfg.Timing, Epoch: now,
			Rand: mathrand.New(mathrand.NewPCG(incarnation, uint64(i))),
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
			e.step(ctx, func(now time.Time) { e.messages(now, b) })
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
	e.arm(now)
	for _, v := range e.vips {
		e.carryOut(ctx, now, v)
	}
	e.flush()
	e.remember()
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

// messages takes what one datagram brought.
func (e *Elector) messages(now time.Time, b []byte) {
	all, err := Decode(b)
	if err != nil {
		e.cfg.Metrics.ignore(ReasonMalformed)
		e.cfg.Log.Debug("ignored a datagram", "err", err)
		return
	}
	for _, m := range all {
		e.message(now, m)
	}
}

func (e *Elector) message(now time.Time, msg Message) {
	why := ReasonVIP
	for _, v := range e.vips {
		if v.Name == msg.VIP {
			why = v.machine.Step(now, msg)
		}
	}
	e.compare(now, msg.From.Node, why == ReasonSet)
	if why != "" {
		e.cfg.Metrics.ignore(why)
		e.cfg.Log.Debug("ignored a message", "vip", msg.VIP, "from", msg.From.Node, "reason", string(why))
	}
}

// maxDiffers bounds what strangers can make this node remember.
const maxDiffers = 16

// compare notes whether a node has other voters than this one, and points out
// when that changes.
func (e *Elector) compare(now time.Time, node string, differs bool) {
	_, did := e.differs[node]
	if differs && !did && len(e.differs) == maxDiffers {
		return
	}
	switch {
	case differs && !did:
		e.cfg.Log.Warn("a node has other voters: its messages do not count, nor do ours there;"+
			" make cluster.peers the same on all nodes", "node", node)
	case !differs && did:
		e.cfg.Log.Info("a node has the same voters again", "node", node)
	}
	if differs {
		e.differs[node] = now
	} else {
		delete(e.differs, node)
	}
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

// ErrEnded says that the election has ended, with the process or before it.
var ErrEnded = errors.New("the election has ended")

// call runs f in the loop and waits for it; not at all when Run has ended.
func (e *Elector) call(f func(now time.Time)) error {
	ran := make(chan struct{})
	select {
	case e.calls <- func(now time.Time) { f(now); close(ran) }:
		<-ran
		return nil
	case <-e.done:
		return ErrEnded
	}
}

// Receive takes a message from the wire, which it keeps. It never blocks; a
// message that finds the inbox full is lost, as any datagram may be, and counted.
func (e *Elector) Receive(b []byte) {
	select {
	case e.inbox <- b:
	default:
		e.cfg.Metrics.ignore(ReasonOverflow)
	}
}
