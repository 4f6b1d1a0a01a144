package vip

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// mail is what Run has been told and not yet seen.
type mail struct {
	order     order       // the newest Hold; zero: none
	anew      bool        // an Announce
	again     bool        // a Recheck
	settle    bool        // a Settle
	redirects *[]Redirect // of a SetRedirects; nil: none
}

// order is what one Hold asks for.
type order struct {
	term, attempt uint64
	deadline      time.Time
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
	h, n := newHolder(m), newNeighbours(m)
	n.follow(m)
	timer := time.NewTimer(0) // the first look at what comes next
	for {
		select {
		case <-ctx.Done():
			return m.stop(h, n)
		case <-m.wake:
			m.answer(h, n)
		case hw := <-n.claims():
			h.answer(n.judge.heard(time.Now(), hw, h.held()))
		case <-timer.C:
			h.tick()
			n.tick(m)
		}
		m.publish(h, n)
		if at := first(h.next(), n.judge.next()); at.IsZero() {
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
func (m *Manager) answer(h *holder, n *neighbours) {
	m.mu.Lock()
	got, waiters := m.mail, m.waiters
	m.mail = mail{}
	m.mu.Unlock()

	if got.again {
		n.follow(m)
	}
	if got.settle || got.order != (order{}) {
		n.judge.lift()
	}
	if got.redirects != nil {
		h.redirectAnew(*got.redirects)
	}
	if len(waiters) == 0 {
		h.hold(got.order)
		if got.again {
			h.recheck()
		}
		if got.anew {
			h.announceAnew()
		}
		return
	}
	err := h.letGo("withdrawn")
	m.publish(h, n)
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
func (m *Manager) stop(h *holder, n *neighbours) error {
	err := h.letGo("stopped")
	for err != nil && !h.next().IsZero() {
		<-time.After(time.Until(h.next()))
		err = h.retry()
	}
	m.publish(h, n)
	err = errors.Join(err, m.fence.leave(err == nil))
	m.host.close()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.waiters {
		w <- err
	}
	m.mail, m.waiters, m.running = mail{}, nil, false
	if err != nil {
		return fmt.Errorf("withdraw VIP %s: %w", m.name, err)
	}
	return nil
}

// publish lets others know what is in place, and wakes those who wait for trouble
// to come or go, or for the address.
func (m *Manager) publish(h *holder, n *neighbours) {
	s, obstacle := h.status(), n.judge.obstacle(time.Now())
	s.Conflict = n.judge.conflict(time.Now())
	m.mu.Lock()
	changed := (m.status.Err == nil) != (s.Err == nil) || m.status.Interface != s.Interface ||
		(m.obstacle == nil) != (obstacle == nil) || errors.Is(m.obstacle, ErrAsking) != errors.Is(obstacle, ErrAsking)
	moved := m.status.Assigned != s.Assigned
	m.status, m.obstacle = s, obstacle
	m.mu.Unlock()
	if moved && m.cfg.Moved != nil {
		m.cfg.Moved(s.Assigned, s.Term)
	}
	if changed && m.cfg.Changed != nil {
		m.cfg.Changed()
	}
}

// errPast says that the deadline passed before the kernel was asked.
var errPast = errors.New("the deadline has passed")
