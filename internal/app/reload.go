package app

import (
	"cmp"
	"context"
	"errors"
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
	failed  atomic.Bool                   // the last one
	at      atomic.Int64                  // of the last one that did not fail; Unix seconds
}

func (r *reloads) register(reg prometheus.Registerer) {
	r.at.Store(time.Now().Unix())
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kshalb_config_last_reload_successful", Help: "1 unless the last reload of the configuration was refused.",
		}, func() float64 {
			if r.failed.Load() {
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

// reloading is the task that reloads when Options.Hangup says so.
func (a *App) reloading() task {
	return task{"reloads", func(ctx context.Context) error {
		for {
			select {
			case <-a.opts.Hangup: // nil: never
				_, _ = a.Reload() // it tells in the log
			case <-ctx.Done():
				return nil
			}
		}
	}, stopSlack}
}

// Reload reads the configuration again and puts it into force, all of it or
// nothing, and says so in the log. What can't change while kshalb runs is
// refused by the names of its keys. It is safe for concurrent use.
func (a *App) Reload() (admin.Reloaded, error) {
	a.reloads.mu.Lock()
	defer a.reloads.mu.Unlock()
	defer a.unit.Reloading()()
	done, err := a.reload()
	a.reloads.failed.Store(err != nil)
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

func (a *App) reload() (admin.Reloaded, error) {
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
	c := &change{from: a.reloads.inForce.Load(), to: next, self: a.self, level: a.opts.Level}
	c.keys = c.from.Diff(next)
	if a.cluster != nil {
		c.voters, c.wire, c.secrets = a.cluster.elector, a.cluster.gossip, a.cluster.keys
	}
	if err := c.apply(); err != nil {
		return admin.Reloaded{}, admin.Refuse(http.StatusConflict, err)
	}
	if a.cluster != nil {
		a.cluster.keys = c.secrets
	}
	a.reloads.inForce.Store(next)
	a.retarget(next)
	return admin.Reloaded{Changes: slices.Concat([]string{}, c.told), Notes: slices.Concat([]string{}, warnings(next))}, nil
}

func warnings(cfg *config.Config) []string {
	var all []string
	for _, w := range cfg.Warnings {
		all = append(all, w.String())
	}
	return all
}

// retarget has listeners follow their backends.
func (a *App) retarget(next *config.Config) {
	names := a.finder.names()
	for _, s := range a.services {
		for _, l := range next.Listeners {
			if l.Name == s.cfg.Name {
				s.retarget(func(t *targets) { t.cfg.Backends, t.cfg.Names = l.Backends, l.Names })
			}
		}
	}
	if !slices.Equal(names, a.finder.names()) {
		a.finder.rename()
	}
}
