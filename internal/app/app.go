package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/election"
	"github.com/kshalb/kshalb/pkg/health"
	"github.com/kshalb/kshalb/pkg/proxy"
	"github.com/kshalb/kshalb/pkg/vip"
)

// stopSlack is what a task may take to end beyond the times it knows of.
const stopSlack = 2 * time.Second

// App is one kshalb. Make it with New, then Run it once.
type App struct {
	cfg      *config.Config
	opts     Options
	self     config.Peer // the zero value without a cluster
	log      *slog.Logger
	started  time.Time
	registry *prometheus.Registry
	loops    *proxy.Loops
	services []*service
	floats   []*float
	cluster  *cluster // nil when there is no VIP
	stopping atomic.Bool
}

// metrics are those of the packages, all on one registry.
type metrics struct {
	proxy    *proxy.Metrics
	health   *health.Metrics
	vip      *vip.Metrics
	election *election.Metrics
}

// Options are what the command line says besides the configuration.
type Options struct {
	Node    string // this node among the peers; "" finds it by its addresses
	Version string
	Loops   int // how many event loops carry the connections; 0 is proxy.DefaultLoops
}

// New builds a kshalb for cfg; it opens and starts nothing.
func New(cfg *config.Config, opts Options, log *slog.Logger) (*App, error) {
	if opts.Loops == 0 {
		opts.Loops = proxy.DefaultLoops()
	}
	a := &App{
		cfg: cfg, opts: opts, log: log, started: time.Now(),
		registry: prometheus.NewRegistry(), loops: proxy.NewLoops(opts.Loops),
	}
	m := a.newMetrics()
	for _, l := range cfg.Listeners {
		s, err := newService(l, a.loops, m, log, func() { a.changed(l.VIP) })
		if err != nil {
			return nil, err
		}
		a.services = append(a.services, s)
	}
	if len(cfg.VIPs) == 0 {
		return a, nil
	}
	local, err := localAddrs()
	if err != nil {
		return nil, err
	}
	if a.self, err = cfg.Self(opts.Node, local); err != nil {
		return nil, err
	}
	for _, v := range cfg.VIPs {
		f, err := newFloat(v, cfg.Election.Lease, a.services, m, log)
		if err != nil {
			return nil, err
		}
		a.floats = append(a.floats, f)
	}
	a.cluster, err = newCluster(cfg, a.self, a.floats, m, log)
	return a, err
}

func (a *App) newMetrics() metrics {
	a.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kshalb_build_info", Help: "Always 1; the label is the version.",
			ConstLabels: prometheus.Labels{"version": a.opts.Version},
		}, func() float64 { return 1 }),
	)
	m := metrics{proxy: proxy.NewMetrics(a.registry), health: health.NewMetrics(a.registry)}
	if len(a.cfg.VIPs) > 0 {
		m.vip, m.election = vip.NewMetrics(a.registry), election.NewMetrics(a.registry)
	}
	return m
}

// changed passes a backend's transition on to the VIP of that name.
func (a *App) changed(vip string) {
	for _, f := range a.floats {
		if f.cfg.Name == vip {
			f.changed()
		}
	}
}

func localAddrs() ([]netip.Addr, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this host: %w", err)
	}
	var addrs []netip.Addr
	for _, n := range nets {
		if p, err := netip.ParsePrefix(n.String()); err == nil {
			addrs = append(addrs, p.Addr())
		}
	}
	return addrs, nil
}

// Run opens everything, serves until ctx ends, hands the VIPs over, lets the
// connections end, and returns. Whatever can fail fails before an address is
// touched.
func (a *App) Run(ctx context.Context) error {
	var opened undo
	server, err := a.open(&opened)
	if err != nil {
		return errors.Join(err, opened.run())
	}
	defer context.AfterFunc(ctx, func() { a.stopping.Store(true) })()
	defer spareProcessors(a.opts.Loops)()
	a.checkFiles()
	a.log.Info("kshalb is running", "version", a.opts.Version, "node", a.self.Name, "vips", len(a.floats), "listeners", len(a.services))
	return runTasks(ctx, a.tasks(server), a.log)
}

// open opens all sockets, and then removes what a killed predecessor left: a
// kshalb that still runs keeps the sockets, and so its address too.
func (a *App) open(opened *undo) (*admin.Server, error) {
	if err := a.checkHost(); err != nil {
		return nil, err
	}
	server, err := admin.Listen(admin.Config{HTTP: a.cfg.Admin.HTTP, Socket: a.cfg.Admin.Socket},
		admin.NewHandler(admin.Source{Status: a.Status, Metrics: a.registry}, a.log), a.log)
	if err != nil {
		return nil, err
	}
	opened.push(func() error { return server.Run(endedContext()) })
	if a.cluster != nil {
		if err := a.cluster.gossip.Open(); err != nil {
			return nil, err
		}
		opened.push(func() error { return a.cluster.gossip.Run(endedContext()) })
	}
	for _, s := range a.services {
		if err := s.listener.Listen(); err != nil {
			return nil, fmt.Errorf("listener %s: %w", s.cfg.Name, err)
		}
		opened.push(func() error { return s.listener.Run(endedContext()) })
	}
	if a.cluster != nil {
		return server, vip.Cleanup(a.log)
	}
	return server, nil
}

// endedContext makes a Run only close what was opened for it.
func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// tasks lists everything that runs, in the order of its start. The election
// comes last, so that on stop the VIP leaves first.
func (a *App) tasks(server *admin.Server) []task {
	tasks := []task{{"admin", server.Run, stopSlack}, {"event loops", a.loops.Run, stopSlack}, listening(a.services)}
	for _, s := range a.services {
		tasks = append(tasks, task{"checks of " + s.cfg.Name, s.checker.Run, s.cfg.Check.Timeout + stopSlack})
	}
	if a.cluster == nil {
		return tasks
	}
	for _, f := range a.floats {
		tasks = append(tasks, task{"vip " + f.cfg.Name, f.manager.Run, lifetime(a.cfg.Election.Lease) + stopSlack})
	}
	tasks = append(tasks, task{"gossip", a.cluster.gossip.Run, 2 * stopSlack},
		task{"election", a.cluster.elector.Run, lifetime(a.cfg.Election.Lease) + stopSlack})
	for _, f := range a.floats {
		tasks = append(tasks, task{"fitness of " + f.cfg.Name, func(ctx context.Context) error {
			return f.watchFitness(ctx, a.cluster.elector.SetFitness)
		}, stopSlack})
	}
	return tasks
}
