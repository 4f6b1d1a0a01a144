package vip

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Linger returns the longest that an address with the given lifetime may
// outlive its last renewal when the daemon is killed or frozen: the lifetime
// and 1.3 s. Whoever hands the address to somebody else without having heard
// from its last holder has to wait that long.
//
// Linux removes expired addresses from a delayed work that rounds to whole
// seconds (net/ipv4/devinet.c, check_lifetime; net/ipv6/addrconf.c,
// addrconf_verify_rtnl); 1, 2 and 3 s were measured to take up to 1.92, 2.32 and
// 3.35 s on kernel 6.18. For IPv4 that work is deferrable since Linux 6.13: a
// processor without anything else to do is not woken for it, and 2.94 s have
// been seen instead of 1. So on such a kernel nothing is certain without layer 2.
func Linger(lifetime time.Duration) time.Duration { return lifetime + 1300*time.Millisecond }

// Status is what a Manager says of itself at one moment.
type Status struct {
	Interface string    // where the address is or was last; "" before the first time
	Assigned  bool      // the address is on Interface
	Fenced    bool      // fence layer 2 is in force: the address answers only while an attempt is armed
	FenceErr  error     // what this host lacks of layer 2: all, or the guard of announcements
	Since     time.Time // of the last change of Assigned; zero before the first
	Term      uint64    // of the last Hold that counted
	Deadline  time.Time // until when the address is held; zero while it is not to be held
	Unsent    uint64    // announcement frames that the kernel refused; some are expected during failover
	Conflict  *Conflict // who else says, or said in the last minutes, that they have the VIP; nil is nobody
	Err       error     // why the address is not here although it should be, or still here although it should not
}

// Manager holds one VIP. Make it with New, let Run live, and tell it what to do
// with Arm, Hold and Withdraw. All methods are safe for concurrent use.
type Manager struct {
	name  string
	host  host
	fence *part
	log   *slog.Logger
	sent  func(frames int)
	cfg   Config

	conflicts func()        // counts one
	wake      chan struct{} // one slot: something is in the mailbox

	mu       sync.Mutex // guards the fields below; never held during a kernel call
	running  bool
	mail     mail
	waiters  []chan error // Withdraws that Run has not answered
	status   Status
	obstacle error // why the VIP must not be taken for the first time
}

// New returns a manager of the VIP in cfg, which answers only while fence lets
// it. It starts nothing and asks the kernel nothing. The error names the field of
// cfg that is wrong.
func New(cfg Config, fence *Fence, log *slog.Logger, m *Metrics) (*Manager, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("make VIP %q: %w", cfg.Name, err)
	}
	p, err := fence.of(cfg)
	if err != nil {
		return nil, fmt.Errorf("make VIP %q: %w", cfg.Name, err)
	}
	return newManager(cfg, newHost(cfg), p, log, m), nil
}

func newManager(cfg Config, h host, p *part, log *slog.Logger, m *Metrics) *Manager {
	mgr := &Manager{
		name:  cfg.Name,
		host:  h,
		fence: p,
		log:   log.With("vip", cfg.Name, "address", cfg.Address),
		sent:  m.sent(cfg.Name),
		cfg:   cfg,
		wake:  make(chan struct{}, 1),

		conflicts: m.conflicts.WithLabelValues(cfg.Name).Inc,
	}
	if !cfg.Force {
		mgr.obstacle = ErrAsking
	}
	m.watch(mgr)
	return mgr
}

// Arm is Fence.Arm for one attempt of this VIP alone.
func (m *Manager) Arm(attempt uint64, lease time.Duration) (linger time.Duration, err error) {
	return m.fence.fence.Arm(map[string]uint64{m.name: attempt}, lease)
}

// Hold tells the manager to hold the VIP until deadline: to take it when it is
// not held, else to extend. attempt is the one that deadline is counted from; the
// fence is switched to it, and where it was never armed that fails as the taking
// of the address can fail. Hold never blocks. Of several that arrive before the
// manager gets to them, the one with the latest deadline counts. It does
// nothing when deadline has passed, when the VIP is held longer already, or
// while a Withdraw is under way.
//
// deadline needs a monotonic reading. term is told in the log and in Status.
func (m *Manager) Hold(term, attempt uint64, deadline time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiters) > 0 || !deadline.After(m.mail.order.deadline) {
		return
	}
	m.mail.order = order{term, attempt, deadline}
	m.poke()
}

// Announce tells the neighbours anew where the VIP is, at once and then as often
// as after a taking, if it is held. It never blocks.
func (m *Manager) Announce() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail.anew = true
	m.poke()
}

// Recheck has a VIP that is held looked after at once: the interface that it
// belongs on may be another one now, and somebody may have taken the address away.
// Then it is put where it belongs and announced, or let go where it belongs
// nowhere. It never blocks. See [Watch].
func (m *Manager) Recheck() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail.again = true
	m.poke()
}

// Settle says that a node of the cluster holds the VIP: from now on others who
// have it are told of, and contradicted while it is held here, but nobody waits
// for them to go. It never blocks.
func (m *Manager) Settle() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail.settle = true
	m.poke()
}

// Withdraw lets go of the VIP and returns when it is gone: address and redirect
// are removed, and no announcement follows. Holds that came before it are
// forgotten. It returns nil at once when nothing is held or Run does not run.
//
// An error says what could not be removed: the host may still answer for the
// VIP. Run goes on trying; call Withdraw again to hear of it. When ctx ends
// first, the order stands all the same.
func (m *Manager) Withdraw(ctx context.Context) error {
	done, ok := m.enqueue()
	if !ok {
		return m.Status().Err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("withdraw VIP %s: %w", m.name, context.Cause(ctx))
	}
}

// enqueue leaves a withdrawal in the mailbox; ok is false when nobody would
// ever answer it.
func (m *Manager) enqueue() (done chan error, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail.order = order{}
	if !m.running {
		return nil, false
	}
	done = make(chan error, 1)
	m.waiters = append(m.waiters, done)
	m.poke()
	return done, true
}

// poke wakes Run; m.mu is held.
func (m *Manager) poke() {
	select {
	case m.wake <- struct{}{}:
	default: // it will wake already
	}
}

// Status returns what the manager last did.
func (m *Manager) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.status
	s.FenceErr = m.fence.err()
	if s.Conflict != nil && time.Since(s.Conflict.Last) >= shown { // nothing has happened since
		s.Conflict = nil
	}
	return s
}

// Able asks the kernel whether this host could hold the VIP now: it returns nil
// when the interface exists, is up and has carrier, nobody else has put the
// address on this host, and none of its neighbours has it; otherwise the error
// says why not. Until the neighbours had the time to say so that is ErrAsking.
func (m *Manager) Able() error {
	_, err := m.host.able()
	if err == nil {
		m.mu.Lock()
		err = m.obstacle
		m.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("VIP %s: %w", m.name, err)
	}
	return nil
}
