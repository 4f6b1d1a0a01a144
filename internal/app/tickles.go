package app

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
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
	if slices.ContainsFunc(s.listeners(), func(l *proxy.Listener) bool { return l.Status().Active > 0 }) {
		a.tellPeers(s.cfg.Address, a.clientsOf(s))
	}
}

// clientsOf are all that have a connection to a service, also one that it has not
// taken from the kernel yet.
func (a *App) clientsOf(s *service) (all []netip.AddrPort) {
	for _, l := range s.listeners() {
		some, err := clientsOf(l.Addr())
		if err != nil {
			a.log.Debug("clients that wait will not be told when this node goes", "err", err)
		}
		all = append(all, some...)
	}
	return all
}

func (a *App) tellPeers(at netip.AddrPort, clients []netip.AddrPort) {
	for _, m := range tellClients(at, clients) {
		for _, p := range others(a.reloads.inForce.Load(), a.self.Name) {
			_ = a.cluster.gossip.Send(p.Name, m) // it is told again soon
		}
	}
}

// leave is for the clients that came between the reset at a withdrawal and the going
// of the address: no RST can be sent from it any more. Who takes the VIP over tickles
// them; the connections of this host's own processes, from the address to itself, are
// aborted, since nobody else's packets reach those.
func (a *App) leave(f *float) {
	for _, s := range f.services {
		var elsewhere []netip.AddrPort
		for _, client := range a.clientsOf(s) {
			if client.Addr() != f.cfg.Address {
				elsewhere = append(elsewhere, client)
			} else if err := abort(client, s.cfg.Address); err != nil {
				a.log.Debug("a local client is not told that the VIP is gone", "err", err)
			}
		}
		a.tellPeers(s.cfg.Address, elsewhere)
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

// tickle has the clients of an earlier holder notice that it is gone. What that told
// at last may come while it is under way.
func (a *App) tickle(f *float) {
	for _, s := range f.services {
		t := &tickling{at: s.cfg.Address, log: a.log.With("listener", s.cfg.Name)}
		for _, after := range tickleAfter {
			time.AfterFunc(after, func() {
				if f.holds.Load() {
					t.round(a.strayed.of(s.cfg.Address))
				}
			})
		}
	}
}

// tickling is that of one listener's clients.
type tickling struct {
	at  netip.AddrPort
	log *slog.Logger

	mu      sync.Mutex
	clients []netip.AddrPort
}

func (t *tickling) round(more []netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(more) > 0 {
		t.clients = append(t.clients, more...)
		t.log.Info("clients of the earlier holder are told that their connections are over", "clients", len(more))
	}
	if err := vip.Tickle(t.at, t.clients); err != nil {
		t.log.Debug("not all clients of the earlier holder are told", "err", err)
	}
}
