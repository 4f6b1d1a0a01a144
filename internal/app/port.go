package app

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/proxy"
	"github.com/kshalb/kshalb/pkg/vip"
)

// sharerInterval is how often a node that shares a port looks whether the other
// one still has it, for some 70 microseconds each time. An API server that comes
// back without leave to share needs longer than this to ask for the port, but not
// than 100 ms.
const sharerInterval = 10 * time.Millisecond

// listen opens the sockets of a service.
func (s *service) listen(opened *undo) error {
	if err := s.listener.Listen(); err != nil {
		return s.listenError(err)
	}
	opened.push(func() error { return s.listener.Run(endedContext()) })
	if s.beside == nil {
		return nil
	}
	_, err := s.sharer()
	if err == nil {
		err = s.beside.Listen()
	}
	if err != nil {
		s.beside = nil
		s.log.Debug("VIP:port is not shared, so it is redirected", "address", s.cfg.Address, "reason", err)
		return nil
	}
	opened.push(func() error { return s.beside.Run(endedContext()) })
	s.shares.Store(true)
	s.rerouted()
	s.log.Info("VIP:port is shared with who has it on all addresses", "address", s.cfg.Address)
	return nil
}

// listenError adds who has the port that is taken, and what can be done.
func (s *service) listenError(err error) error {
	who := whoHas(s.cfg.Bind)
	switch {
	case !errors.Is(err, syscall.EADDRINUSE) || s.cfg.VIP == "" || who == "":
		return fmt.Errorf("listener %s: %w", s.cfg.Name, err)
	case s.cfg.PortConflict == config.ConflictFail:
		return fmt.Errorf("listener %s: listen on %s: %w; %s: stop it, or write portConflict: auto, which leaves the port to it",
			s.cfg.Name, s.cfg.Bind, syscall.EADDRINUSE, who)
	}
	return fmt.Errorf("listener %s: listen on %s: %w; %s: write another privatePort", s.cfg.Name, s.cfg.Bind, syscall.EADDRINUSE, who)
}

// sharer returns who listens on the port on all addresses. When the kernel does
// not say, the error has the port left alone.
func (s *service) sharer() (socket, error) {
	return onAll(s.cfg.Address.Addr(), s.cfg.Address.Port())
}

// share serves at VIP:port itself for as long as its other owner listens. Once
// that one has gone the port is free for whoever comes, and a redirect takes the
// place of the socket, for good: what comes may not share, and then could not
// start. Connections go on for the time of a drain.
func (s *service) share(ctx context.Context) error {
	sharing, end := context.WithCancel(ctx)
	defer end()
	go s.watchSharer(sharing, end)
	if err := s.beside.Run(sharing); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// watchSharer calls end when the other owner of the port is gone.
func (s *service) watchSharer(ctx context.Context, end func()) {
	ticker := time.NewTicker(sharerInterval)
	defer ticker.Stop()
	for {
		if _, err := s.sharer(); err != nil {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
	s.shares.Store(false)
	s.rerouted()
	end()
	s.log.Warn("who shared VIP:port does not listen any more, so it is redirected from now on", "address", s.cfg.Address)
}

// listeners are the service's open ones.
func (s *service) listeners() []*proxy.Listener {
	if s.beside == nil {
		return []*proxy.Listener{s.listener}
	}
	return []*proxy.Listener{s.listener, s.beside}
}

// reset resets all connections.
func (s *service) reset() {
	for _, l := range s.listeners() {
		l.Reset()
	}
}

// redirects are what brings VIP:port to the sockets of services that are not
// there themselves, and can serve: without a backend that can be used a connection is for
// whoever has the port on this host, its API server say, or for nobody.
func redirects(services []*service) (to []vip.Redirect) {
	for _, s := range services {
		if s.cfg.Bind != s.cfg.Address && !s.shares.Load() && s.pool.Usable() > 0 {
			to = append(to, vip.Redirect{Port: s.cfg.Address.Port(), To: s.cfg.Bind.Port()})
		}
	}
	return to
}

// reroute gives the VIP the redirects that its services need now. It may be called
// by several goroutines at once; the last look is the one that counts.
func (f *float) reroute() error {
	f.routing.Lock()
	defer f.routing.Unlock()
	return f.setRedirects(redirects(f.services))
}
