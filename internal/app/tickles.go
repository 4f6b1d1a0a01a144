package app

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
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
	told := make(map[*door]telling)
	for {
		select {
		case now := <-tick.C:
			a.strayed.forget(now)
			open := a.front.open()
			maps.DeleteFunc(told, func(d *door, _ telling) bool { return !slices.Contains(open, d) })
			for _, f := range a.floats {
				for _, d := range a.front.doorsOf(f.cfg.Name) {
					if last := told[d]; f.holds.Load() && last.due(d, now) {
						told[d] = telling{now, d.relayed()}
						a.tellOf(d)
					}
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// telling is when a door's clients were told of, and how many connections there
// had been by then.
type telling struct {
	at      time.Time
	relayed uint64
}

// due reports whether it is to be done again: the kernel looks through all its
// connections then, which takes it a millisecond.
func (t telling) due(d *door, now time.Time) bool {
	return now.Sub(t.at) >= clientsEvery || d.relayed() != t.relayed
}

// relayed is how many connections there have been so far.
func (d *door) relayed() (n uint64) {
	for _, l := range d.listeners() {
		for _, b := range l.Status().Backends {
			n += b.Connections
		}
	}
	return n
}

func (a *App) tellOf(d *door) {
	if d.active() {
		a.tellPeers(d.cfg.Address, a.clientsOf(d))
	}
}

// clientsOf are all that have a connection through a door, also one that was not
// taken from the kernel yet.
func (a *App) clientsOf(d *door) (all []netip.AddrPort) {
	for _, l := range d.listeners() {
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
	for _, d := range a.front.doorsOf(f.cfg.Name) {
		var elsewhere []netip.AddrPort
		for _, client := range a.clientsOf(d) {
			if client.Addr() != f.cfg.Address {
				elsewhere = append(elsewhere, client)
			} else if err := abort(client, d.cfg.Address); err != nil {
				a.log.Debug("a local client is not told that the VIP is gone", "err", err)
			}
		}
		a.tellPeers(d.cfg.Address, elsewhere)
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
	for _, d := range a.front.doorsOf(f.cfg.Name) {
		t := &tickling{at: d.cfg.Address, log: a.log.With("listener", d.cfg.Name)}
		for _, after := range tickleAfter {
			time.AfterFunc(after, func() {
				if f.holds.Load() {
					t.round(a.strayed.of(t.at))
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
