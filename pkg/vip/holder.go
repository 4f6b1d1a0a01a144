package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// retryAfter is how long after a failed removal the next try follows: a few
// times within the shortest lifetime.
const retryAfter = 100 * time.Millisecond

// undo is the way back from one step of taking.
type undo struct {
	what string
	do   func() error
}

// holder is the state of Run's goroutine: what is in place, until when, and
// what comes next.
type holder struct {
	host     host
	fence    *part
	log      *slog.Logger
	sent     func(frames int)
	lifetime time.Duration
	refresh  time.Duration

	redirects []Redirect

	term     uint64
	attempt  uint64    // what the fence is, or is to be, switched to
	deadline time.Time // zero: not to be held
	undo     []undo    // what is, or may be, in place; undone from the end

	link      link
	assigned  bool
	fenced    bool      // the fence stands before the address, switched to attempt
	since     time.Time // of the last change of assigned
	renewedAt time.Time // when the kernel was last asked to add or renew

	announceAt time.Time // zero: no announcement to come
	announced  int       // announcements since taking
	unsent     uint64

	retryAt time.Time // zero: no removal to retry
	err     error
}

func newHolder(m *Manager) *holder {
	return &holder{host: m.host, fence: m.fence, log: m.log, sent: m.sent, lifetime: m.cfg.Lifetime, refresh: m.cfg.Refresh, redirects: m.cfg.Redirects}
}

// hold takes the VIP or extends the time that it is held.
func (h *holder) hold(o order) {
	if !o.deadline.After(h.deadline) || past(o.deadline) {
		return
	}
	h.term, h.attempt, h.deadline = o.term, o.attempt, o.deadline
	if !h.retryAt.IsZero() {
		if h.unwind() != nil {
			return // what is left of an earlier time goes first
		}
	} else if h.assigned && h.renewed(h.needsRenewal()) {
		return
	}
	h.take()
}

// early is more than Linux may end a lifetime before its time, since it compares
// whole seconds (ADDRCONF_TIMER_FUZZ_MINUS of net/addrconf.h: 20 ms).
const early = 50 * time.Millisecond

// needsRenewal reports whether the address could go before the deadline. One that
// was renewed earlier than it had to be goes earlier, so that Linger bounds it
// all the same.
func (h *holder) needsRenewal() bool {
	return h.deadline.After(h.renewedAt.Add(h.lifetime - early))
}

// recheck puts the address back where it belongs, if it is held.
func (h *holder) recheck() {
	if !h.assigned || !h.retryAt.IsZero() || past(h.deadline) {
		return
	}
	l, err := h.host.able()
	if err != nil {
		h.fail(fmt.Errorf("keep VIP: %w", err))
		_ = h.unwind() // kept by fail and retried
		return
	}
	if l != h.link {
		h.log.Info("VIP goes to where it belongs now", "from", h.link.name, "to", l.name)
		h.link = l
		h.fence.follow(l)
		h.announced = 0 // of those that the new neighbours have heard
	}
	h.renewed(true)
}

// take puts all in place, in order; when a step fails it takes back the others.
// The fence comes after the address, so that it is closed before the address
// goes; until it opens, the address is there and silent.
func (h *holder) take() {
	if err := h.place(); err != nil {
		_ = h.unwind() // kept by fail and retried
		h.fail(fmt.Errorf("take VIP: %w", err))
		return
	}
	h.err, h.since = nil, time.Now()
	h.log.Info("VIP taken", "interface", h.link.name, "term", h.term)
	h.restartAnnouncements()
}

func (h *holder) place() error {
	l, err := h.host.able()
	if err != nil {
		return err
	}
	h.link = l
	h.fence.follow(l)
	h.undo = append(h.undo, undo{"remove redirect", h.host.unredirect})
	if err := h.host.redirect(h.deadline); err != nil {
		return err
	}
	h.undo = append(h.undo, undo{"remove address", h.removeAddress})
	_, err = h.host.assign(l, h.deadline)
	h.renewedAt = time.Now()
	h.assigned = err == nil
	if err != nil {
		return err
	}
	h.undo = append(h.undo, undo{"close fence", h.shutFence})
	if err := h.openFence(); err != nil {
		return err
	}
	h.undo = append(h.undo, undo{"withdraw announcements", h.unannounce})
	return nil
}

// openFence switches the fence to the attempt of the order.
func (h *holder) openFence() (err error) {
	h.fenced, err = h.fence.open(h.attempt, h.deadline)
	if err != nil {
		return fmt.Errorf("open fence: %w", err)
	}
	return nil
}

func (h *holder) unannounce() error {
	h.host.withdraw()
	return nil
}

func (h *holder) shutFence() error {
	h.fence.shut()
	h.fenced = false
	return nil
}

func (h *holder) removeAddress() error {
	if err := h.host.remove(); err != nil {
		return err
	}
	h.assigned, h.since = false, time.Now()
	return nil
}

// renewed switches the fence on and, if address is true, starts the lifetime of
// the address anew, where that is not there puts it there. When that fails it
// takes all back and returns false: what is taken anew may find another interface.
// When the deadline has passed it leaves that to tick.
func (h *holder) renewed(address bool) bool {
	err := h.openFence()
	added := false
	if err == nil && address {
		added, err = h.host.assign(h.link, h.deadline)
		h.renewedAt = time.Now()
	}
	switch {
	case err == nil && (added || h.announced == 0):
		h.log.Warn("VIP was not on its interface and has been put there", "interface", h.link.name)
		h.restartAnnouncements()
	case err != nil && !errors.Is(err, errPast):
		h.fail(fmt.Errorf("renew VIP: %w", err))
		return h.unwind() != nil
	}
	return true
}

// held is since when this node may have the VIP without a break; zero: it may not.
func (h *holder) held() time.Time {
	if !h.assigned || past(h.deadline) {
		return time.Time{}
	}
	return h.since
}

// answer contradicts somebody else, if the VIP is held.
func (h *holder) answer(r reply) {
	switch {
	case h.announceAt.IsZero() || r == silence:
	case r == defend:
		h.announce()
	default:
		h.restartAnnouncements()
	}
}

// announceAnew begins the announcements again, if the VIP is held.
func (h *holder) announceAnew() {
	if !h.announceAt.IsZero() {
		h.restartAnnouncements()
	}
}

func (h *holder) restartAnnouncements() {
	h.announced = 0
	h.announce()
}

func (h *holder) announce() {
	sent, unsent := h.host.announce(h.link, h.deadline)
	h.sent(sent)
	h.unsent += uint64(unsent)
	h.announced++
	h.announceAt = time.Now().Add(announceAfter(h.announced, h.refresh))
}

// letGo ends the time that the VIP is to be held. No announcement follows,
// whether it succeeds or not; when it fails, next says when to retry.
func (h *holder) letGo(why string) error {
	was := h.assigned
	h.deadline = time.Time{}
	if err := h.unwind(); err != nil {
		return err
	}
	h.err = nil
	if was {
		h.log.Info("VIP let go", "why", why, "interface", h.link.name, "term", h.term)
	}
	return nil
}

// unwind takes back all that is in place, the last first, and stops where that
// fails.
func (h *holder) unwind() error {
	h.announceAt, h.retryAt = time.Time{}, time.Time{}
	for n := len(h.undo) - 1; n >= 0; n-- {
		if err := h.undo[n].do(); err != nil {
			err = fmt.Errorf("%s: %w", h.undo[n].what, err)
			h.fail(err)
			h.retryOrGiveUp()
			return err
		}
		h.undo = h.undo[:n]
	}
	return nil
}

// retryOrGiveUp plans to try a failed removal again, unless the kernel must have
// removed the address: what is left of a redirect without it does nothing.
func (h *holder) retryOrGiveUp() {
	if time.Since(h.renewedAt) <= Linger(h.lifetime) {
		h.retryAt = time.Now().Add(retryAfter)
		return
	}
	h.log.Error("VIP not removed by us; its lifetime has passed", "err", h.err)
	h.undo, h.assigned, h.fenced, h.since = nil, false, false, time.Now()
}

// retry tries a failed removal again.
func (h *holder) retry() error {
	err := h.unwind()
	if err == nil {
		h.err = nil
		h.log.Info("VIP removed after all", "interface", h.link.name)
	}
	return err
}

// tick does what is due. Errors have been kept by fail and are retried.
func (h *holder) tick() {
	switch {
	case due(h.retryAt):
		_ = h.retry()
	case due(h.deadline):
		_ = h.letGo("deadline passed")
	case due(h.announceAt):
		h.announce()
	}
}

// next returns when tick has something to do; zero is never.
func (h *holder) next() time.Time {
	return first(h.retryAt, h.deadline, h.announceAt)
}

// first is the earliest of times that are not zero.
func first(times ...time.Time) (min time.Time) {
	for _, at := range times {
		if !at.IsZero() && (min.IsZero() || at.Before(min)) {
			min = at
		}
	}
	return min
}

func due(at time.Time) bool { return !at.IsZero() && past(at) }

// fail keeps err for Status, and logs it when it is another one than before.
func (h *holder) fail(err error) {
	if h.err == nil || h.err.Error() != err.Error() {
		h.log.Warn("VIP in trouble", "err", err)
	}
	h.err = err
}

func (h *holder) status() Status {
	return Status{
		Interface: h.link.name,
		Assigned:  h.assigned,
		Fenced:    h.assigned && h.fenced,
		Since:     h.since,
		Term:      h.term,
		Deadline:  h.deadline,
		Unsent:    h.unsent,
		Err:       h.err,
	}
}
