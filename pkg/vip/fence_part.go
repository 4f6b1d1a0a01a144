package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"
)

// part is the fence of one VIP, as its manager and holder use it.
type part struct {
	fence *Fence
	name  string
	vip   netip.Addr
	log   *slog.Logger

	// Guarded by fence.mu.
	inside  bool  // its manager runs
	left    bool  // its manager has ended, and the address may still be there
	exposed error // why announcements are not guarded; nil: they are, or nothing was announced yet
	used    window
}

// of returns the part of the VIP in cfg.
func (f *Fence) of(cfg Config) (*part, error) {
	p := f.parts[cfg.Name]
	switch {
	case p == nil || p.vip != cfg.Address:
		return nil, fmt.Errorf("the fence does not stand before %s; make it with the same names and addresses", cfg.Address)
	case Linger(cfg.Lifetime) > f.linger:
		return nil, fmt.Errorf("lifetime %v is longer than the fence was told", cfg.Lifetime)
	}
	return p, nil
}

// enter has the fence stand from here on; able says where the VIP would go, so
// that the first taking finds all in place. What fails here is tried again, and
// told, by Arm.
func (p *part) enter(able func() (link, error)) {
	if err := p.fence.enter(p); err != nil {
		if !errors.Is(err, errNoFence) {
			p.log.Warn("kernel fence not built yet", "err", err)
		}
		return
	}
	if l, err := able(); err == nil {
		p.follow(l)
	}
	p.log.Info("kernel fence built, closed")
}

// leave needs the fence no more; gone says that the address certainly is.
func (p *part) leave(gone bool) error { return p.fence.leave(p, gone) }

// open switches the VIP to attempt; done is false when this host has no fence.
func (p *part) open(attempt uint64, deadline time.Time) (done bool, err error) {
	p.fence.mu.Lock()
	lacking, armed := p.fence.lacking, p.used.has(attempt)
	p.fence.mu.Unlock()
	switch {
	case lacking != nil:
		return false, nil
	case !armed:
		return false, fmt.Errorf("attempt %d was never armed", attempt)
	}
	return true, p.fence.kernel.open(p.name, attempt, deadline)
}

// follow lets the fence guard announcements on l. Without that, layer 1 alone
// does.
func (p *part) follow(l link) {
	if p.lacks() != nil {
		return
	}
	err := p.fence.kernel.follow(p.name, l)
	p.fence.mu.Lock()
	defer p.fence.mu.Unlock()
	if err != nil && p.exposed == nil {
		p.log.Warn("announcements are guarded by fence layer 1 alone", "interface", l.name, "err", err)
	}
	p.exposed = err
}

// shut closes the fence for the VIP. A failure is told and no more: it closes by
// itself, and must not keep the address from being removed.
func (p *part) shut() {
	if p.lacks() != nil {
		return
	}
	if err := p.fence.kernel.shut(p.name); err != nil {
		p.log.Warn("kernel fence not closed; it closes with its lease", "err", err)
	}
}

func (p *part) lacks() error {
	p.fence.mu.Lock()
	defer p.fence.mu.Unlock()
	return p.fence.lacking
}

// err says what of layer 2 this VIP lacks.
func (p *part) err() error {
	p.fence.mu.Lock()
	defer p.fence.mu.Unlock()
	if p.fence.lacking == nil && p.exposed != nil {
		return fmt.Errorf("announcements are not guarded: %w", p.exposed)
	}
	return p.fence.lacking
}
