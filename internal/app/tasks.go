package app

import (
	"context"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/hooks"
	"github.com/kshalb/kshalb/pkg/vip"
)

// tasks lists everything that runs, in the order of its start. The election
// comes last but for the drills, so that on stop a fault is undone, and then the
// VIP leaves, first. Hooks outlive all that they are told of.
func (a *App) tasks(server *admin.Server) []task {
	tasks := []task{{"admin", server.Run, stopSlack}, {"hooks", a.hooks.Run, hooks.StopTime}, {"event loops", a.loops.Run, stopSlack}, listening(a.services)}
	for _, s := range a.services {
		tasks = append(tasks, task{"checks of " + s.cfg.Name, s.checker.Run, s.cfg.Check.Timeout + stopSlack})
	}
	tasks = append(tasks, task{"backends", a.finder.run, stopSlack}, task{"history", a.history.Run, stopSlack})
	if a.cluster == nil {
		return append(tasks, a.reloading())
	}
	for _, f := range a.floats {
		tasks = append(tasks, task{"vip " + f.cfg.Name, f.manager.Run, lifetime(a.cfg.Election.Lease) + stopSlack})
	}
	tasks = append(tasks, task{"gossip", a.cluster.gossip.Run, 2 * stopSlack})
	for _, f := range a.floats {
		tasks = append(tasks, task{"fitness of " + f.cfg.Name, func(ctx context.Context) error {
			return f.watchFitness(ctx, a.cluster.elector.SetFitness)
		}, stopSlack})
	}
	if len(a.floats) > 0 {
		tasks = append(tasks, task{"clients", a.tellOfClients, stopSlack})
		tasks = append(tasks, task{"interfaces", a.watchInterfaces, stopSlack})
	}
	return append(tasks, a.reloading(),
		task{"election", a.cluster.elector.Run, lifetime(a.cfg.Election.Lease) + stopSlack},
		task{"drills", a.drills.run, stopSlack})
}

// watchInterfaces has all addresses looked after as soon as the kernel tells of a
// change: a holder without carrier resigns at once, and an address that somebody
// took away comes back.
func (a *App) watchInterfaces(ctx context.Context) error {
	err := vip.Watch(ctx, a.recheck)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	a.log.Warn("the kernel does not tell of changes, so they are noticed within "+lookInterval.String()+" and not at once", "err", err)
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			a.recheck()
		case <-ctx.Done():
			return nil
		}
	}
}

// lookInterval is between two looks at the interfaces where the kernel tells
// nothing.
const lookInterval = time.Second

func (a *App) recheck() {
	a.tellMeta()
	for _, f := range a.floats {
		f.manager.Recheck()
		f.changed()
	}
}
