package app

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kshalb/kshalb/internal/discovery"
	"github.com/kshalb/kshalb/internal/state"
	"github.com/kshalb/kshalb/pkg/election"
)

// finder finds backends that the configuration does not list by address, and
// remembers them for the next start.
type finder struct {
	front   *front
	folder  state.Folder
	log     *slog.Logger
	guests  func() []election.Peer // who takes part in the gossip and is no peer
	arrived chan struct{}          // one slot: guests may be others now
	renamed chan struct{}          // one slot: so may names be

	began  time.Time
	memory *discovery.Memory

	mu    sync.Mutex
	lists discovery.Lists
}

func newFinder(front *front, folder string, log *slog.Logger) *finder {
	return &finder{
		front: front, folder: state.Folder(folder), log: log,
		guests: func() []election.Peer { return nil }, arrived: make(chan struct{}, 1), renamed: make(chan struct{}, 1),
	}
}

// load has the services begin with what the last run knew.
func (f *finder) load() {
	f.began = time.Now()
	f.prepare()
	f.lists = f.memory.Load()
	named := f.known()
	for _, s := range f.front.list() {
		s.retarget(func(t *targets) {
			t.guests = f.lists[discovery.PeersOf(s.cfg().Name)]
			t.named = named
		})
	}
}

// adopt has a service begin with what is known.
func (f *finder) adopt(s *service) {
	f.mu.Lock()
	defer f.mu.Unlock()
	named := f.known()
	s.retarget(func(t *targets) {
		t.guests = f.lists[discovery.PeersOf(s.cfg().Name)]
		t.named = named
	})
}

// prepare makes the memory for what there is to find now.
func (f *finder) prepare() {
	if f.folder != "" && f.finds() {
		if err := f.folder.Prepare(); err != nil {
			f.log.Warn("the backends that will be found will not be known after a restart; --state DIR names another folder", "err", err)
			f.folder = ""
		}
	}
	f.memory = discovery.NewMemory(f.folder, f.log)
}

// finds reports whether there can be something to find.
func (f *finder) finds() bool {
	return slices.ContainsFunc(f.front.list(), func(s *service) bool {
		return len(s.targets.names()) > 0 || s.cfg().PeerPort != 0 && s.cfg().VIP != ""
	})
}

func (f *finder) known() map[discovery.Name][]netip.Addr {
	known := make(map[discovery.Name][]netip.Addr)
	for _, name := range f.names() {
		known[name] = f.lists[string(name)]
	}
	return known
}

// names are those of all services.
func (f *finder) names() (all []discovery.Name) {
	for _, s := range f.front.list() {
		all = append(all, s.targets.names()...)
	}
	return all
}

// run finds backends until ctx ends.
func (f *finder) run(ctx context.Context) error {
	f.find(ctx)
	for ctx.Err() == nil {
		f.prepare()
		f.forget()
		f.find(ctx)
	}
	return nil
}

// find finds backends until there are other names, or ctx ends.
func (f *finder) find(ctx context.Context) {
	resolver := discovery.New(discovery.Config{Names: f.names(), Known: f.known()}, f.resolved, f.log)
	var names sync.WaitGroup
	defer names.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	names.Go(func() { _ = resolver.Run(ctx) }) // it returns nil
	for {
		select {
		case <-f.arrived:
			f.met(f.guests())
		case <-f.renamed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// look asks for the guests to be looked at; it never blocks.
func (f *finder) look() { kick(f.arrived) }

// rename asks for the names to be read again; it never blocks.
func (f *finder) rename() { kick(f.renamed) }

// kick fills the slot of a channel, if it is empty.
func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// forget has the memory be without the names that are no more.
func (f *finder) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.save()
}

func (f *finder) resolved(named map[discovery.Name][]netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, addrs := range named {
		f.lists[string(name)] = addrs
	}
	for _, s := range f.front.list() {
		if len(s.targets.names()) > 0 {
			s.retarget(func(t *targets) { t.named = named })
		}
	}
	f.save()
}

// guestsFor is how long after a start guests that were known before it are
// believed in without having been heard of: longer than gossip needs.
const guestsFor = time.Minute

// met takes the nodes that take part in the gossip and are no peers: masters that
// another node's configuration names already, or names no more. They serve as soon as
// they are checked, and for as long as their kshalb runs; they have no vote.
func (f *finder) met(guests []election.Peer) {
	var addrs []netip.Addr
	for _, g := range guests {
		if roleIn(g.Meta) == roleMaster && g.State != election.PeerDead {
			addrs = append(addrs, g.Address.Addr())
		}
	}
	if len(guests) == 0 && time.Since(f.began) < guestsFor {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.front.list() {
		source := discovery.PeersOf(s.cfg().Name)
		if s.cfg().PeerPort == 0 || slices.Equal(f.lists[source], addrs) {
			continue
		}
		f.log.Info("masters that the configuration does not name serve, too", "listener", s.cfg().Name, "addresses", addrs)
		s.retarget(func(t *targets) { t.guests = addrs })
		f.lists[source] = addrs
	}
	f.save()
}

// save keeps the lists of the sources that there are; f.mu is held.
func (f *finder) save() {
	now := maps.Clone(f.lists)
	names := f.names()
	maps.DeleteFunc(now, func(source string, addrs []netip.Addr) bool {
		ours := slices.Contains(names, discovery.Name(source)) ||
			slices.ContainsFunc(f.front.list(), func(s *service) bool { return s.cfg().PeerPort != 0 && source == discovery.PeersOf(s.cfg().Name) })
		return !ours || len(addrs) == 0
	})
	if err := f.memory.Save(now); err != nil {
		f.log.Warn("the backends that were found will not be known after a restart", "err", err)
	}
}
