package app

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/kshalb/kshalb/pkg/vip"
)

// A holder tells its peers who has connections through the VIP: each second, and soon
// after there are new ones. When one of them takes the VIP over from a holder that is gone it tickles those clients
// (vip.Tickle): who only waits for bytes, as a watch does, would else learn of it by
// a keepalive of its own alone, 30 s later with Kubernetes' clients.

// tellOfClients is the task of that.
func (a *App) tellOfClients(ctx context.Context) error {
	tick := time.NewTicker(clientsLook)
	defer tick.Stop()
	told := make(map[*service]telling)
	for {
		select {
		case now := <-tick.C:
			a.strayed.forget(now)
			for _, f := range a.floats {
				for _, s := range f.services {
					if last := told[s]; f.holds.Load() && last.due(s, now) {
						told[s] = telling{now, s.relayed()}
						a.tellOf(s)
					}
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// telling is when a service's clients were told of, and how many connections there
// had been by then.
type telling struct {
	at      time.Time
	relayed uint64
}

// due reports whether it is to be done again: the kernel looks through all its
// connections then, which takes it a millisecond.
func (t telling) due(s *service, now time.Time) bool {
	return now.Sub(t.at) >= clientsEvery || s.relayed() != t.relayed
}

// relayed is how many connections there have been so far.
func (s *service) relayed() (n uint64) {
	for _, l := range s.listeners() {
		for _, b := range l.Status().Backends {
			n += b.Connections
		}
	}
	return n
}

func (a *App) tellOf(s *service) {
	var clients []netip.AddrPort
	for _, l := range s.listeners() {
		if l.Status().Active == 0 {
			continue
		}
		some, err := clientsOf(l.Addr())
		if err != nil {
			a.log.Debug("clients that wait will not be told when this node goes", "err", err)
		}
		clients = append(clients, some...)
	}
	for _, m := range tellClients(s.cfg.Address, clients) {
		for _, p := range others(a.reloads.inForce.Load(), a.self.Name) {
			_ = a.cluster.gossip.Send(p.Name, m) // it is told again soon
		}
	}
}

// heard takes what peers say: questions and answers, of clients, or of the election.
func (a *App) heard(b []byte) {
	if a.cluster.calls.Receive(b) {
		return
	}
	at, clients, ok := readClients(b)
	if !ok {
		a.cluster.elector.Receive(b)
		return
	}
	if slices.ContainsFunc(a.floats, func(f *float) bool { return f.cfg.Address == at.Addr() }) {
		a.strayed.note(at, clients, time.Now())
	}
}

// When clients are tickled after a VIP was taken: their answers have to find the way
// here, for which the last announcement in a row comes after 2.2 s, and a client answers
// once in half a second only (tcp_invalid_ratelimit), also when that went to nobody.
var tickleAfter = []time.Duration{
	20 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond,
	1200 * time.Millisecond, 2400 * time.Millisecond, 4800 * time.Millisecond,
}

// tickle has the clients of an earlier holder notice that it is gone.
func (a *App) tickle(f *float) {
	for _, s := range f.services {
		clients := a.strayed.of(s.cfg.Address)
		if len(clients) == 0 {
			continue
		}
		a.log.Info("clients of the earlier holder are told that their connections are over", "listener", s.cfg.Name, "clients", len(clients))
		for _, after := range tickleAfter {
			time.AfterFunc(after, func() {
				if !f.holds.Load() {
					return
				}
				if err := vip.Tickle(s.cfg.Address, clients); err != nil {
					a.log.Debug("not all clients of the earlier holder are told", "err", err)
				}
			})
		}
	}
}
