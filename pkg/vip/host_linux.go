package vip

import "fmt"

// linuxHost is the kernel of the network namespace that the calling thread is in.
type linuxHost struct {
	*addresses
	*redirects
	*arpAnnouncer
	cfg Config
}

func newHost(cfg Config) *linuxHost {
	return &linuxHost{
		addresses:    &addresses{vip: cfg.Address, lifetime: cfg.Lifetime},
		redirects:    &redirects{name: TablePrefix + cfg.Name, vip: cfg.Address, redirects: cfg.Redirects},
		arpAnnouncer: &arpAnnouncer{vip: cfg.Address},
		cfg:          cfg,
	}
}

func (h *linuxHost) able() (link, error) {
	l, err := findLink(h.cfg.Interface, h.cfg.Address)
	if err != nil {
		return link{}, err
	}
	if _, err := h.find(); err != nil {
		return link{}, fmt.Errorf("look for %s: %w", h.cfg.Address, err)
	}
	return l, nil
}

func (h *linuxHost) close() {
	h.hangUp()
	h.release()
}
