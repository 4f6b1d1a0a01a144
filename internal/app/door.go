package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// door is where the clients of a service come in: a socket, and perhaps one beside
// somebody who shares VIP:port.
type door struct {
	cfg      config.Listener // as it was opened
	log      *slog.Logger
	listener *proxy.Listener
	beside   *proxy.Listener // at VIP:port; nil: not so. Never changed after listen
	shares   atomic.Bool     // beside serves, so VIP:port needs no redirect
	rerouted func()          // is called when shares has changed
}

func (s *service) newDoor(cfg config.Listener) *door {
	serve := s.serving(cfg)
	d := &door{cfg: cfg, log: s.log, rerouted: func() { s.rerouted(cfg.VIP) }}
	d.listener = proxy.NewListener(serve, s.pool, s.loops, s.base, s.metrics.proxy)
	if cfg.PortConflict == config.ConflictAuto {
		serve.Bind, serve.Share = cfg.Address, true
		d.beside = proxy.NewListener(serve, s.pool, s.loops, s.base, s.metrics.proxy)
	}
	return d
}

// listen opens the sockets.
func (d *door) listen(opened *undo) error {
	if err := d.listener.Listen(); err != nil {
		return d.listenError(err)
	}
	opened.push(func() error { return d.listener.Run(endedContext()) })
	if d.beside == nil {
		return nil
	}
	_, err := d.sharer()
	if err == nil {
		err = d.beside.Listen()
	}
	if err != nil {
		d.beside = nil
		d.log.Debug("VIP:port is not shared, so it is redirected", "address", d.cfg.Address, "reason", err)
		return nil
	}
	opened.push(func() error { return d.beside.Run(endedContext()) })
	d.shares.Store(true)
	d.log.Info("VIP:port is shared with who has it on all addresses", "address", d.cfg.Address)
	return nil
}

// listenError adds who has the port that is taken, and what can be done.
func (d *door) listenError(err error) error {
	who := whoHas(d.cfg.Bind)
	switch {
	case !errors.Is(err, syscall.EADDRINUSE) || d.cfg.VIP == "" || who == "":
		return fmt.Errorf("listener %s: %w", d.cfg.Name, err)
	case d.cfg.PortConflict == config.ConflictFail:
		return fmt.Errorf("listener %s: listen on %s: %w; %s: stop it, or write portConflict: auto, which leaves the port to it",
			d.cfg.Name, d.cfg.Bind, syscall.EADDRINUSE, who)
	}
	return fmt.Errorf("listener %s: listen on %s: %w; %s: write another privatePort", d.cfg.Name, d.cfg.Bind, syscall.EADDRINUSE, who)
}

// run serves until ctx ends and the last connection has gone.
func (d *door) run(ctx context.Context) error {
	if d.beside == nil {
		return d.listener.Run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shared := make(chan error, 1)
	go func() {
		defer cancel()
		shared <- d.share(ctx)
	}()
	err := d.listener.Run(ctx)
	cancel()
	return errors.Join(err, <-shared)
}

// sharerInterval is how often a node that shares a port looks whether the other
// one still has it, for some 70 microseconds each time. An API server that comes
// back without leave to share needs longer than this to ask for the port, but not
// than 100 ms.
const sharerInterval = 10 * time.Millisecond

// sharer returns who listens on the port on all addresses. When the kernel does
// not say, the error has the port left alone.
func (d *door) sharer() (socket, error) {
	return onAll(d.cfg.Address.Addr(), d.cfg.Address.Port())
}

// share serves at VIP:port itself for as long as its other owner listens. Once
// that one has gone the port is free for whoever comes, and a redirect takes the
// place of the socket, for good: what comes may not share, and then could not
// start. Connections go on for the time of a drain.
func (d *door) share(ctx context.Context) error {
	sharing, end := context.WithCancel(ctx)
	defer end()
	go d.watchSharer(sharing, end)
	if err := d.beside.Run(sharing); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// watchSharer calls end when the other owner of the port is gone.
func (d *door) watchSharer(ctx context.Context, end func()) {
	ticker := time.NewTicker(sharerInterval)
	defer ticker.Stop()
	for {
		if _, err := d.sharer(); err != nil {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
	d.shares.Store(false)
	d.rerouted()
	end()
	d.log.Warn("who shared VIP:port does not listen any more, so it is redirected from now on", "address", d.cfg.Address)
}

// listeners are the open ones.
func (d *door) listeners() []*proxy.Listener {
	if d.beside == nil {
		return []*proxy.Listener{d.listener}
	}
	return []*proxy.Listener{d.listener, d.beside}
}

// stopAccepting closes the sockets.
func (d *door) stopAccepting() {
	for _, l := range d.listeners() {
		l.StopAccepting()
	}
}

// reset resets all connections.
func (d *door) reset() {
	for _, l := range d.listeners() {
		l.Reset()
	}
}

// active reports whether there are clients.
func (d *door) active() bool {
	return slices.ContainsFunc(d.listeners(), func(l *proxy.Listener) bool { return l.Status().Active > 0 })
}

// fits reports whether the sockets of the door are the right ones for another
// configuration.
func (d *door) fits(cfg config.Listener) bool {
	was := d.cfg
	return cfg.Bind == was.Bind && cfg.VIP == was.VIP && cfg.Address == was.Address &&
		(cfg.PortConflict == was.PortConflict || d.beside == nil && cfg.PortConflict != config.ConflictAuto)
}
