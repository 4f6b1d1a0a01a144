package vip

import (
	"errors"
	"fmt"
	"slices"
)

// SetRedirects changes the redirects of a VIP: at once when it is held, else
// from its next taking on. They change from one packet to the next. It never
// blocks; of several the last counts. Where the kernel refuses the new ones while the VIP is held, the VIP is let go, as when it is taken.
// The error says which redirect is wrong; the old ones stay then.
func (m *Manager) SetRedirects(redirects []Redirect) error {
	cfg := m.cfg
	cfg.Redirects = slices.Clone(redirects)
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("redirect VIP %s: %w", m.name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail.redirects = &cfg.Redirects
	m.poke()
	return nil
}

// redirectAnew has the host use other redirects.
func (h *holder) redirectAnew(redirects []Redirect) {
	if slices.Equal(redirects, h.redirects) {
		return
	}
	h.redirects = redirects
	if !h.assigned {
		h.host.setRedirects(redirects)
		return
	}
	err := h.host.redirectAnew(redirects, h.deadline)
	if err != nil && !errors.Is(err, errPast) { // when it has passed, tick lets go
		_ = h.unwind() // kept by fail and retried
		h.fail(fmt.Errorf("change redirects: %w", err))
	}
}
