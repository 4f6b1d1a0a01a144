package app

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/election"
	"github.com/kshalb/kshalb/pkg/vip"
)

// float is one VIP with what hangs on it: its manager and its services.
type float struct {
	cfg     config.VIP
	manager *vip.Manager
	front   *front
	recheck chan struct{} // a backend changed
	holds   atomic.Bool   // this node has the lease, as far as the election has said
	taken   func()        // is called when that begins
	left    func()        // is called when the address is gone

	routing      sync.Mutex // held from the look at the services to the change
	setRedirects func([]vip.Redirect) error

	obstacle atomic.Pointer[error] // why this node cannot carry the VIP, when that was last looked at
}

// lifetime is the address lifetime that goes with a lease: whole seconds, and
// not shorter, so that a healthy holder never loses the address.
func lifetime(lease time.Duration) time.Duration {
	return max((lease+time.Second-1)/time.Second, 1) * time.Second
}

// newFence returns what stands before all VIPs.
func newFence(cfg *config.Config, log *slog.Logger) (*vip.Fence, error) {
	all := vip.FenceConfig{VIPs: map[string]netip.Addr{}, Lifetime: lifetime(cfg.Election.Lease)}
	for _, v := range cfg.VIPs {
		all.VIPs[v.Name] = v.Address
	}
	return vip.NewFence(all, log)
}

func (a *App) newFloat(cfg config.VIP, m metrics) (*float, error) {
	f := &float{cfg: cfg, front: a.front, recheck: make(chan struct{}, 1)}
	f.taken, f.left = func() { a.tickle(f) }, func() { a.leave(f) }
	manager, err := vip.New(vip.Config{
		Name: cfg.Name, Address: cfg.Address, Interface: cfg.Interface,
		Lifetime: lifetime(a.cfg.Election.Lease), Refresh: cfg.Refresh, Redirects: redirects(f.services()),
		Force: cfg.Force, Peer: a.hardware.peer, Changed: f.changed,
		Moved: func(here bool, term uint64) { a.events.moved(cfg, here, term) },
	}, a.fence, a.log, m.vip)
	if err != nil {
		return nil, err
	}
	f.manager, f.setRedirects = manager, manager.SetRedirects
	return f, nil
}

// services are the ones that clients reach by the VIP.
func (f *float) services() []*service { return f.front.of(f.cfg.Name) }

func (f *float) hold(l election.Lease) {
	f.manager.Hold(l.Term, l.Attempt, l.Deadline)
	if !f.holds.Swap(true) {
		f.standby(false)
		f.taken()
	}
}

// standby says whether clients come to this node by the VIP.
func (f *float) standby(is bool) {
	for _, s := range f.services() {
		s.checker.SetStandby(is)
	}
}

// withdraw lets go of the VIP. Its connections are reset while the RSTs can
// still be sent from it; those that slipped in meanwhile, afterwards, and left
// sees to it that their clients hear of it.
func (f *float) withdraw(ctx context.Context) error {
	f.reset()
	defer f.reset()
	defer f.left()
	defer f.standby(true)
	f.holds.Store(false)
	return f.manager.Withdraw(ctx)
}

func (f *float) reset() {
	for _, d := range f.front.doorsOf(f.cfg.Name) {
		d.reset()
	}
}

// changed asks for the fitness to be looked at again, after a transition of a
// backend or of a link; it never blocks.
func (f *float) changed() {
	select {
	case f.recheck <- struct{}{}:
	default:
	}
}

// unable is why this node cannot carry the VIP now: the interface, or what went
// wrong with the address that it was told to take. A node that has the lease and
// not the address would keep all others from answering.
func (f *float) unable() error {
	err := cmp.Or(f.manager.Able(), f.manager.Status().Err)
	f.obstacle.Store(&err)
	return err
}

// fitness is how well this node could hold the VIP now. Backends that answer and are
// not ready count, as far as they are used for want of better ones: where they are
// slow, as on hosts that are overloaded, another holder would not change that, and
// its taking over would reset every connection.
func (f *float) fitness() election.Fitness {
	services := f.services()
	switch {
	case f.unable() != nil:
		return election.Unable
	case len(services) == 0 || slices.ContainsFunc(services, func(s *service) bool { return s.pool.Usable() > 0 }):
		return election.Fit
	}
	return election.Able
}

// recovery is the pause after something went wrong with an address that this node
// was told to take: it would be told so again at once.
const recovery = time.Second

// watchFitness tells the election how fit this node is, at each change.
func (f *float) watchFitness(ctx context.Context, tell func(vip string, f election.Fitness)) error {
	last := election.Unable
	for {
		if now := f.fitness(); now != last {
			last = now
			tell(f.cfg.Name, now)
		}
		again := f.recheck
		var recovered <-chan time.Time
		if f.manager.Status().Err != nil {
			again, recovered = nil, time.After(recovery)
		}
		select {
		case <-again:
		case <-recovered:
		case <-ctx.Done():
			return nil
		}
	}
}
