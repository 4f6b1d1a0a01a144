package vip

import (
	"errors"
	"fmt"
)

// linuxHost is the kernel of the network namespace that the calling thread is in.
type linuxHost struct {
	*addresses
	*redirects
	announcers
	*listener
	cfg Config
}

func newHost(cfg Config) *linuxHost {
	at := &addresses{vip: cfg.Address, lifetime: cfg.Lifetime}
	return &linuxHost{
		addresses:  at,
		redirects:  &redirects{name: TablePrefix + cfg.Name, vip: cfg.Address, redirects: cfg.Redirects},
		announcers: announcers{&neighbourAnnouncer{vip: cfg.Address}, &socketAnnouncer{at}},
		listener:   newListener(cfg.Address),
		cfg:        cfg,
	}
}

func (h *linuxHost) able() (link, error) {
	l, err := findLink(h.cfg.Interface, h.cfg.Address)
	if err != nil && !errors.Is(err, ErrNoInterface) {
		return link{}, err
	}
	own, foreign := h.find()
	if foreign != nil {
		return link{}, fmt.Errorf("look for %s: %w", h.cfg.Address, foreign)
	}
	if err != nil && len(own) == 1 { // it has another name than when it got the address
		return linkByIndex(own[0].index)
	}
	return l, err
}

func (h *linuxHost) close() {
	h.hangUp()
	h.deafen()
	h.release()
}
