package app

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/kshalb/kshalb/internal/status"
	"github.com/kshalb/kshalb/pkg/health"
)

// haveTurns returns when all event loops and the election have had a turn. Nothing else: a
// disk that does not answer, say, is no reason to be started again.
func (a *App) haveTurns() {
	a.loops.Answer()
	if a.cluster != nil {
		a.cluster.elector.Status()
	}
}

// summary is a node in one line.
func summary(n status.Node) string {
	var words []string
	for _, v := range n.VIPs {
		switch v.Holder {
		case "":
			words = append(words, "nobody known holds "+v.Name)
		case n.Name:
			words = append(words, fmt.Sprintf("holds %s (%s)", v.Name, v.Address))
		default:
			words = append(words, v.Holder+" holds "+v.Name)
		}
	}
	for _, l := range n.Listeners {
		up := 0
		for _, b := range l.Backends {
			if b.State == health.Up.String() {
				up++
			}
		}
		words = append(words, fmt.Sprintf("%s: %d of %d backends up", l.Name, up, len(l.Backends)))
	}
	if !n.Ready {
		words = append(words, "not ready: "+n.Reason)
	}
	return cmp.Or(strings.Join(words, "; "), "nothing to serve")
}

// reported has systemd told of tasks, where it wants to hear of them: as long as any of
// them runs, and, before the first of them is stopped, that they will be.
func (a *App) reported(tasks []task) []task {
	if a.unit == nil {
		return tasks
	}
	tasks = append([]task{{name: "systemd", run: a.unit.Run, stop: stopSlack}}, tasks...)
	return append(tasks, task{name: "word of the stop", run: func(ctx context.Context) error {
		<-ctx.Done()
		limit := stopSlack
		for _, t := range tasks {
			limit += t.limit()
		}
		a.unit.Stopping(limit)
		return nil
	}, stop: stopSlack})
}
