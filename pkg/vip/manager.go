package vip

import (
	"context"
	"errors"
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
// seconds (net/ipv4/devinet.c, check_lifetime); 1, 2 and 3 s were measured to
// take up to 1.92, 2.32 and 3.35 s on kernel 6.18.
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
	wake  chan struct{} // one slot: something is in the mailbox

	mu      sync.Mutex // guards the fields below; never held during a kernel call
	running bool
	order   order        // the newest Hold that Run has not seen; zero: none
	anew    bool         // an Announce that Run has not seen
	waiters []chan error // Withdraws that Run has not answered
	status  Status
}

// order is what one Hold asks for.
type order struct {
	term, attempt uint64
	deadline      time.Time
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
	if len(m.waiters) > 0 || !deadline.After(m.order.deadline) {
		return
	}
	m.order = order{term, attempt, deadline}
	m.poke()
}

// Announce tells the neighbours anew where the VIP is, at once and then as often
// as after a taking, if it is held. It never blocks.
func (m *Manager) Announce() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.anew = true
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
	m.order = order{}
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
	return s
}

// Able asks the kernel whether this host could hold the VIP now: it returns nil
// when the interface exists, is up and has carrier, and nobody else has put the
// address on this host; otherwise the error says why not.
func (m *Manager) Able() error {
	if _, err := m.host.able(); err != nil {
		return fmt.Errorf("VIP %s: %w", m.name, err)
	}
	return nil
}

// Run does what Hold and Withdraw ask for until ctx ends, and returns with the
// VIP withdrawn; the error says what could not be removed. Withdraw is quicker:
// Run also closes what it kept open. It must run in the network namespace that
// the VIP is for, one at a time. The fence stands, closed, before all else, and
// until the address is certainly gone.
func (m *Manager) Run(ctx context.Context) error {
	if err := m.start(); err != nil {
		return err
	}
	m.fence.enter(m.host.able)
	h := newHolder(m)
	timer := time.NewTimer(0)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return m.stop(h)
		case <-m.wake:
			m.answer(h)
		case <-timer.C:
			h.tick()
		}
		m.publish(h)
		if at := h.next(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
	}
}

func (m *Manager) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		return fmt.Errorf("run VIP %s: it is running already", m.name)
	}
	m.running = true
	return nil
}

// answer does what is in the mailbox. Withdrawals stay in it until they are
// done, so that no Hold slips in between.
func (m *Manager) answer(h *holder) {
	m.mu.Lock()
	o, anew, waiters := m.order, m.anew, m.waiters
	m.order, m.anew = order{}, false
	m.mu.Unlock()

	if len(waiters) == 0 {
		h.hold(o)
		if anew {
			h.announceAnew()
		}
		return
	}
	err := h.letGo("withdrawn")
	m.publish(h)
	m.mu.Lock()
	m.waiters = m.waiters[len(waiters):]
	if len(m.waiters) > 0 {
		m.poke()
	}
	m.mu.Unlock()
	for _, w := range waiters {
		w <- err
	}
}

// stop lets go, tries again while that may help, and leaves an empty mailbox.
func (m *Manager) stop(h *holder) error {
	err := h.letGo("stopped")
	for err != nil && !h.next().IsZero() {
		<-time.After(time.Until(h.next()))
		err = h.retry()
	}
	m.publish(h)
	err = errors.Join(err, m.fence.leave(err == nil))
	m.host.close()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.waiters {
		w <- err
	}
	m.order, m.anew, m.waiters, m.running = order{}, false, nil, false
	if err != nil {
		return fmt.Errorf("withdraw VIP %s: %w", m.name, err)
	}
	return nil
}

func (m *Manager) publish(h *holder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = h.status()
}

// errPast says that the deadline passed before the kernel was asked.
var errPast = errors.New("the deadline has passed")
