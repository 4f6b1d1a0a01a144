package app

import (
	"context"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/pkg/vip"
)

// tasks lists everything that runs, in the order of its start. The election
// comes last, so that on stop the VIP leaves first.
func (a *App) tasks(server *admin.Server) []task {
	tasks := []task{{"admin", server.Run, stopSlack}, {"event loops", a.loops.Run, stopSlack}, listening(a.services)}
	for _, s := range a.services {
		tasks = append(tasks, task{"checks of " + s.cfg.Name, s.checker.Run, s.cfg.Check.Timeout + stopSlack})
	}
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
		tasks = append(tasks, task{"links", a.watchLinks, stopSlack})
	}
	return append(tasks, a.reloading(),
		task{"election", a.cluster.elector.Run, lifetime(a.cfg.Election.Lease) + stopSlack})
}

// watchLinks has the fitness looked at again as soon as a link changes: a holder
// without carrier resigns at once.
func (a *App) watchLinks(ctx context.Context) error {
	err := vip.WatchLinks(ctx, func() {
		for _, f := range a.floats {
			f.changed()
		}
	})
	if err != nil && ctx.Err() == nil {
		a.log.Warn("links cannot be watched: a lost carrier is noticed within "+ableInterval.String()+" and not at once", "err", err)
		<-ctx.Done()
	}
	return nil
}
