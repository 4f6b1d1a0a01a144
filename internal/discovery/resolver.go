package discovery

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Name is a DNS name as somebody wrote it: with a dot at its end it is complete,
// else the search domains of resolv.conf count too.
type Name string

// Config says what is resolved, and how.
type Config struct {
	Names []Name // those that are there twice count once

	// Known is what names had when they were last resolved, such as before a
	// restart: it counts until they are resolved. May be nil.
	Known map[Name][]netip.Addr

	ResolvConf string // path; default /etc/resolv.conf
	Hosts      string // path; default /etc/hosts
}

// When a name is asked again.
const (
	minWait   = 5 * time.Second // whatever the TTL
	maxWait   = 5 * time.Minute
	retryWait = 5 * time.Second  // after a failure, or when there was no address
	hostsWait = 30 * time.Second // when the file with hosts names it
	watchWait = 5 * time.Second  // between looks whether a file has changed, which has all names asked at once
)

// Resolver keeps names resolved. It has no methods for others but Run.
type Resolver struct {
	names    []*watched
	notify   func(map[Name][]netip.Addr)
	log      *slog.Logger
	files    files
	exchange exchanger
}

// New prepares a resolver; it starts nothing and asks nobody.
//
// notify gets the addresses of all names that have any, once at the start of Run
// when there are Known ones, and whenever those of a name have changed: sorted, each
// once, IPv4 before IPv6, at most 128 for a name. A name that had addresses is never
// without again. notify is called by Run, one call at a time, and no name changes
// while it runs. The map is the callee's, the slices must not be changed.
func New(cfg Config, notify func(map[Name][]netip.Addr), log *slog.Logger) *Resolver {
	r := &Resolver{
		notify: notify, log: log, exchange: client{port: "53"}.exchange,
		files: files{resolvConf: "/etc/resolv.conf", hosts: "/etc/hosts"},
	}
	if cfg.ResolvConf != "" {
		r.files.resolvConf = cfg.ResolvConf
	}
	if cfg.Hosts != "" {
		r.files.hosts = cfg.Hosts
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(cfg.Names))) {
		r.names = append(r.names, newWatched(name, cfg.Known[name]))
	}
	return r
}

// update is what a name has now.
type update struct {
	name  Name
	addrs []netip.Addr
}

// Run asks until ctx ends, and returns nil. It is called once.
func (r *Resolver) Run(ctx context.Context) error {
	now := make(map[Name][]netip.Addr)
	for _, w := range r.names {
		if len(w.addrs) > 0 {
			now[w.name] = w.addrs
		}
	}
	if len(now) > 0 {
		r.notify(maps.Clone(now))
	}
	updates := make(chan update)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	was := r.files.stamp()
	tasks.Go(func() { r.watchFiles(ctx, was) })
	for _, w := range r.names {
		tasks.Go(func() { r.keep(ctx, w, updates) })
	}
	for {
		select {
		case u := <-updates:
			now[u.name] = u.addrs
			r.notify(maps.Clone(now))
		case <-ctx.Done():
			return nil
		}
	}
}

// keep asks for one name again and again.
func (r *Resolver) keep(ctx context.Context, w *watched, updates chan<- update) {
	for ctx.Err() == nil {
		before := w.addrs
		wait, complaint := r.look(ctx, w)
		if ctx.Err() != nil {
			return
		}
		r.tell(w, before, complaint)
		if !slices.Equal(before, w.addrs) {
			select {
			case updates <- update{w.name, w.addrs}:
			case <-ctx.Done():
			}
		}
		select {
		case <-time.After(wait):
		case <-w.kick:
		case <-ctx.Done():
		}
	}
}

// tell says what has changed, and a complaint once until it is another one.
func (r *Resolver) tell(w *watched, before []netip.Addr, complaint error) {
	if !slices.Equal(before, w.addrs) {
		r.log.Info("a name has other addresses now", "name", string(w.name), "addresses", w.addrs, "before", before)
	}
	said := w.said
	w.said = ""
	if complaint != nil {
		w.said = complaint.Error()
	}
	switch {
	case w.said == said:
	case complaint == nil:
		r.log.Info("a name is resolved again", "name", string(w.name))
	case len(w.addrs) == 0:
		r.log.Warn("a name of backends cannot be resolved: those backends are missing until it can", "name", string(w.name), "err", complaint)
	default:
		r.log.Warn("a name of backends is not resolved as it should be: what is known of it is kept", "name", string(w.name), "addresses", w.addrs, "err", complaint)
	}
}

// watchFiles has all names asked at once when one of the files has changed.
func (r *Resolver) watchFiles(ctx context.Context, was [2]stamp) {
	ticker := time.NewTicker(watchWait)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		now := r.files.stamp()
		if now == was {
			continue
		}
		was = now
		for _, w := range r.names {
			select {
			case w.kick <- struct{}{}:
			default: // it will be asked already
			}
		}
	}
}
