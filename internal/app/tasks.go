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
	tasks := []task{
		{name: "admin", run: server.Run, stop: stopSlack},
		{name: "hooks", run: a.hooks.Run, stop: hooks.StopTime},
		{name: "event loops", run: a.loops.Run, stop: stopSlack},
		a.front.task(),
		{name: "backends", run: a.finder.run, stop: stopSlack},
		{name: "history", run: a.history.Run, stop: stopSlack},
	}
	if a.cluster == nil {
		return append(tasks, a.reloading())
	}
	for _, f := range a.floats {
		tasks = append(tasks, task{name: "vip " + f.cfg.Name, run: f.manager.Run, stop: lifetime(a.cfg.Election.Lease) + stopSlack})
	}
	tasks = append(tasks, task{name: "gossip", run: a.cluster.gossip.Run, stop: 2 * stopSlack})
	for _, f := range a.floats {
		tasks = append(tasks, task{name: "fitness of " + f.cfg.Name, run: func(ctx context.Context) error {
			return f.watchFitness(ctx, a.cluster.elector.SetFitness)
		}, stop: stopSlack})
	}
	if len(a.floats) > 0 {
		tasks = append(tasks, task{name: "clients", run: a.tellOfClients, stop: stopSlack})
		tasks = append(tasks, task{name: "interfaces", run: a.watchInterfaces, stop: stopSlack})
	}
	return append(tasks, a.reloading(),
		task{name: "election", run: a.cluster.elector.Run, stop: lifetime(a.cfg.Election.Lease) + stopSlack},
		task{name: "drills", run: a.drills.run, stop: stopSlack})
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
