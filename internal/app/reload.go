package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
)

// reloads is what the reloads so far have left.
type reloads struct {
	mu      sync.Mutex                    // one at a time
	inForce atomic.Pointer[config.Config] // read from anywhere
	refused atomic.Pointer[refusedReload] // the last one; nil: it was not
	at      atomic.Int64                  // of the last one that did not fail; Unix seconds
}

// refusedReload is why a reload has changed nothing.
type refusedReload struct {
	err error
	at  time.Time
}

func refusedBy(err error) *refusedReload {
	if err == nil {
		return nil
	}
	return &refusedReload{err, time.Now()}
}

func (r *reloads) register(reg prometheus.Registerer) {
	r.at.Store(time.Now().Unix())
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kshalb_config_last_reload_successful", Help: "1 unless the last reload of the configuration was refused.",
		}, func() float64 {
			if r.refused.Load() != nil {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kshalb_config_last_reload_success_timestamp_seconds", Help: "When the configuration in force was read.",
		}, func() float64 { return float64(r.at.Load()) }),
		configInfo{r},
	)
}

// configInfo tells which configuration is in force.
type configInfo struct{ *reloads }

var configInfoDesc = prometheus.NewDesc("kshalb_config_info",
	"Always 1; the label is a short word for what has to be the same in the configuration of all nodes.", []string{"digest"}, nil)

// Describe implements [prometheus.Collector].
func (configInfo) Describe(ch chan<- *prometheus.Desc) { ch <- configInfoDesc }

// Collect implements [prometheus.Collector].
func (i configInfo) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(configInfoDesc, prometheus.GaugeValue, 1, i.inForce.Load().Digest())
}

// reloading is the task that reloads when Options.Hangup or Options.Changed say so.
func (a *App) reloading() task {
	return task{name: "reloads", run: func(ctx context.Context) error {
		for {
			select {
			case <-a.opts.Hangup: // nil: never
				_, _ = a.Reload(false) // it tells in the log
			case <-a.opts.Changed:
				a.log.Info("the configuration file has changed")
				_, _ = a.reloadAs(noticed)
			case <-ctx.Done():
				return nil
			}
		}
	}, stop: stopSlack}
}

// Reload reads the configuration again and puts it into force, all of it or
// nothing, and says so in the log. What can't change while kshalb runs is
// refused by the names of its keys. Dry is only to see what it would do: nothing
// changes, and nothing is said. It is safe for concurrent use.
func (a *App) Reload(dry bool) (admin.Reloaded, error) {
	if dry {
		a.reloads.mu.Lock()
		defer a.reloads.mu.Unlock()
		return a.reload(tried)
	}
	return a.reloadAs(asked)
}

// occasion is why there is a reload.
type occasion int

const (
	asked   occasion = iota // somebody wants it now
	noticed                 // the file has changed
	tried                   // nothing is to change
)

func (a *App) reloadAs(why occasion) (admin.Reloaded, error) {
	a.reloads.mu.Lock()
	defer a.reloads.mu.Unlock()
	defer a.unit.Reloading()()
	done, err := a.reload(why)
	a.reloads.refused.Store(refusedBy(err))
	if err != nil {
		a.log.Error("the configuration was not reloaded, all stays as it was", "err", err)
		return done, err
	}
	a.reloads.at.Store(time.Now().Unix())
	a.log.Info("the configuration was reloaded", "changes", cmp.Or(strings.Join(done.Changes, "; "), "none"))
	for _, n := range done.Notes {
		a.log.Warn(n)
	}
	return done, nil
}

func (a *App) reload(why occasion) (admin.Reloaded, error) {
	if a.opts.Load == nil {
		return admin.Reloaded{}, admin.Refuse(http.StatusConflict, errors.New("reload: there is no configuration file"))
	}
	next, err := a.opts.Load()
	if problems, ok := errors.AsType[*config.Error](err); ok {
		return admin.Reloaded{}, admin.Refuse(http.StatusUnprocessableEntity, problems)
	}
	if err != nil {
		return admin.Reloaded{}, admin.Refuse(http.StatusConflict, err)
	}
	c := a.changeTo(next)
	c.noticed = why == noticed
	if err := a.change(c, why == tried); err != nil {
		return admin.Reloaded{}, admin.Refuse(http.StatusConflict, fmt.Errorf("reload %s: %w", next.File, err))
	}
	return admin.Reloaded{Dry: why == tried, Changes: slices.Concat([]string{}, c.told), Notes: slices.Concat([]string{}, warnings(next))}, nil
}

func (a *App) changeTo(next *config.Config) *change {
	c := &change{from: a.reloads.inForce.Load(), to: next, self: a.self, level: a.opts.Level}
	c.keys = c.from.Diff(next)
	if a.cluster != nil {
		c.voters, c.wire, c.secrets = a.cluster.elector, a.cluster.gossip, a.cluster.keys
	}
	return c
}

// change does all of it or, if dry, only sees whether it could. What can fail and be
// taken back comes first.
func (a *App) change(c *change, dry bool) error {
	if err := cmp.Or(a.front.changeable(), c.check()); err != nil {
		return err
	}
	r, err := a.planRefit(c.to, dry)
	if err != nil || dry {
		return err
	}
	if err := a.keepAnswers(a.listened(c.to)); err != nil {
		return errors.Join(err, r.opened.run())
	}
	if err := c.apply(); err != nil {
		return errors.Join(err, r.opened.run())
	}
	if a.cluster != nil {
		a.cluster.keys = c.secrets
	}
	a.reloads.inForce.Store(c.to)
	a.hooks.Set(hooksOf(c.to))
	names := a.finder.names()
	a.refit(r)
	if !slices.Equal(names, a.finder.names()) {
		a.finder.rename()
	}
	return nil
}

func warnings(cfg *config.Config) []string {
	var all []string
	for _, w := range cfg.Warnings {
		all = append(all, w.String())
	}
	return all
}
