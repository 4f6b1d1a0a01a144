package proxy

import "time"

// settings are what a Listener does now, and what follows from it for each of its
// connections. They are replaced whole.
type settings struct {
	Config
	legOptions     []option
	connectTimeout time.Duration
}

func newSettings(cfg Config) *settings {
	s := &settings{Config: cfg, legOptions: legOptions(cfg.Timeouts.User), connectTimeout: cfg.Timeouts.Connect}
	if s.connectTimeout <= 0 {
		s.connectTimeout = defaultConnect
	}
	return s
}

// SetConfig has connections that come from now on be served in another way; those
// that are there keep what they began with, but for HalfClosed. Name, Bind, FreeBind,
// Share and Limiter of cfg are not looked at: they stay. The error says why this host
// cannot do it; nothing has changed then. Calls must not overlap.
func (l *Listener) SetConfig(cfg Config) error {
	was := l.now.Load()
	cfg.Name, cfg.Bind, cfg.FreeBind, cfg.Share, cfg.Limiter = was.Name, was.Bind, was.FreeBind, was.Share, was.Limiter
	if err := cfg.Check(); err != nil {
		return err
	}
	l.now.Store(newSettings(cfg))
	if cfg.Timeouts.User != was.Timeouts.User {
		l.reset(message{order: retune, on: l})
	}
	select {
	case l.retuned <- struct{}{}:
	default: // it will look
	}
	return nil
}

// retune has clients that are accepted from now on have the options of now.
func (lp *loop) retune(a *acceptor) {
	if a == nil || a.fd == noFD {
		return
	}
	s := a.l.now.Load()
	if err := setAll(a.fd, s.legOptions); err != nil {
		a.l.log.Warn("clients keep the timeouts.user that was", "err", err)
	}
}

// asksWho reports whether the address of a client matters.
func (l *Listener) asksWho() bool {
	return len(l.now.Load().Allow) > 0 || l.pool.view.Load().source || l.limiter.asksWho()
}
