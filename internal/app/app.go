package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/history"
	"github.com/kshalb/kshalb/internal/hooks"
	"github.com/kshalb/kshalb/internal/journal"
	"github.com/kshalb/kshalb/internal/orders"
	"github.com/kshalb/kshalb/internal/state"
	"github.com/kshalb/kshalb/internal/systemd"
	"github.com/kshalb/kshalb/pkg/election"
	"github.com/kshalb/kshalb/pkg/health"
	"github.com/kshalb/kshalb/pkg/proxy"
	"github.com/kshalb/kshalb/pkg/vip"
)

// stopSlack is what a task may take to end beyond the times it knows of.
const stopSlack = 2 * time.Second

// App is one kshalb. Make it with New, then Run it once.
type App struct {
	cfg      *config.Config // as it was at the start
	opts     Options
	self     config.Peer // the zero value without a cluster
	log      *slog.Logger
	started  time.Time
	registry *prometheus.Registry
	loops    *proxy.Loops
	metrics  metrics
	front    *front
	finder   *finder
	orders   *orders.Book
	ordering sync.Mutex // one order at a time
	floats   []*float
	fence    *vip.Fence // before all floats
	cluster  *cluster   // nil when there is no VIP
	drills   *drills    // nil when there is no VIP
	hardware *hardware
	strayed  strayed
	looking  sync.Mutex // one look at this host at a time
	heardOf  heardOf
	answers  undo // what keeps backends' answers to clients' addresses here
	stopping atomic.Bool
	reloads  reloads
	history  *history.History
	hooks    *hooks.Hooks
	events   *events
	unit     *systemd.Unit // nil: this is none
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
	State   string // folder for what must be known after a restart; "" goes without
	Loops   int    // how many event loops carry the connections; 0 is proxy.DefaultLoops

	// Supervised says that something starts kshalb again, where that can't be found out.
	Supervised bool

	Load    func() (*config.Config, error) // reads the configuration again; nil can't
	Hangup  <-chan os.Signal               // asks for a reload, besides the admin socket
	Changed <-chan struct{}                // so does a file that has changed; nil: nobody looks
	Level   *slog.LevelVar                 // of the log; nil can't be changed

	Journal *journal.Journal // of what the log has said last; nil: nobody remembers
}

// New builds a kshalb for cfg; it opens and starts nothing.
func New(cfg *config.Config, opts Options, log *slog.Logger) (*App, error) {
	if opts.Loops == 0 {
		opts.Loops = proxy.DefaultLoops()
	}
	a := &App{
		cfg: cfg, opts: opts, log: log, started: time.Now(),
		registry: prometheus.NewRegistry(), loops: proxy.NewLoops(opts.Loops), front: newFront(), hardware: newHardware(),
	}
	a.reloads.inForce.Store(cfg)
	a.history = history.New(a.listeners)
	a.unit = systemd.New(systemd.Config{Alive: a.haveTurns, Line: func() string { return summary(a.Status()) }, Log: log})
	var err error
	if a.orders, err = orders.Open(state.Folder(opts.State)); err != nil {
		return nil, err
	}
	if err := a.findSelf(); err != nil {
		return nil, err
	}
	a.hooks = hooks.New(a.self.Name, log, a.registry)
	a.events = newEvents(a.self.Name, a.hooks.Tell)
	a.metrics = a.newMetrics()
	if err := a.newParts(); err != nil {
		return nil, err
	}
	if len(cfg.VIPs) == 0 {
		return a, nil
	}
	if a.cluster, err = a.newCluster(a.metrics); err == nil {
		a.finder.guests = a.cluster.gossip.Guests
		a.drills = a.newDrills()
	}
	return a, err
}

// findSelf finds this node among the peers, if it is to be one of them.
func (a *App) findSelf() error {
	if len(a.cfg.VIPs) == 0 {
		return nil
	}
	local, err := localAddrs()
	if err != nil {
		return err
	}
	a.self, err = a.cfg.Self(a.opts.Node, local)
	return err
}

// newParts makes what serves, and what floats. A witness has no VIP, so it has
// neither a manager nor a listener of one.
func (a *App) newParts() error {
	var services []*service
	for _, l := range a.listened(a.cfg) {
		s, err := a.newService(l)
		if err != nil {
			return err
		}
		services = append(services, s)
	}
	a.front.set(services)
	a.finder = newFinder(a.front, a.opts.State, a.log)
	if a.self.Witness || len(a.cfg.VIPs) == 0 {
		return nil
	}
	var err error
	if a.fence, err = newFence(a.cfg, a.log); err != nil {
		return err
	}
	for _, v := range a.cfg.VIPs {
		f, err := a.newFloat(v, a.metrics)
		if err != nil {
			return err
		}
		a.floats = append(a.floats, f)
	}
	return nil
}

// listened are the listeners of a configuration that this node has.
func (a *App) listened(cfg *config.Config) []config.Listener {
	return slices.DeleteFunc(slices.Clone(cfg.Listeners), func(l config.Listener) bool { return a.self.Witness && l.VIP != "" })
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
	a.reloads.register(a.registry)
	m := metrics{proxy: proxy.NewMetrics(a.registry), health: health.NewMetrics(a.registry)}
	if len(a.cfg.VIPs) > 0 {
		m.election = election.NewMetrics(a.registry)
	}
	if len(a.cfg.VIPs) > 0 && !a.self.Witness {
		m.vip = vip.NewMetrics(a.registry)
	}
	return m
}

// float is the VIP of a name; nil: there is none here, or not yet.
func (a *App) float(name string) *float {
	i := slices.IndexFunc(a.floats, func(f *float) bool { return f.cfg.Name == name })
	if i < 0 {
		return nil
	}
	return a.floats[i]
}

// changed passes a backend's transition on to the VIP of that name.
func (a *App) changed(vip string) {
	if f := a.float(vip); f != nil {
		f.changed()
	}
	a.rerouted(vip)
}

// rerouted has the VIP of that name see what its redirects are to be now.
func (a *App) rerouted(vip string) {
	f := a.float(vip)
	if f == nil {
		return
	}
	if err := f.reroute(); err != nil {
		a.log.Error("redirects do not change", "vip", vip, "err", err)
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
func (a *App) Run(ctx context.Context) (err error) {
	var opened undo
	server, err := a.open(&opened)
	if err != nil {
		return errors.Join(err, opened.run(), a.answers.run())
	}
	defer func() { err = errors.Join(err, a.answers.run()) }()
	defer context.AfterFunc(ctx, func() { a.stopping.Store(true) })()
	defer spareProcessors(a.opts.Loops)()
	a.tellBudget()
	a.log.Info("kshalb is running", "version", a.opts.Version, "node", a.self.Name, "witness", a.self.Witness,
		"vips", len(a.floats), "listeners", len(a.front.list()))
	return runTasks(ctx, a.reported(a.tasks(server)), a.log)
}

// open opens all sockets, and then removes what a killed predecessor left: a
// kshalb that still runs keeps the sockets, and so its address too.
func (a *App) open(opened *undo) (*admin.Server, error) {
	if err := a.checkHost(); err != nil {
		return nil, err
	}
	source := admin.Source{Status: a.Status, Cluster: a.ClusterStatus, Metrics: a.registry, Points: a.history.Listeners}
	server, err := admin.Listen(admin.Config{HTTP: a.cfg.Admin.HTTP, Socket: a.cfg.Admin.Socket},
		admin.NewHandler(source, a.log), admin.NewSocketHandler(source, a.changes(), a.log), a.log)
	if err != nil {
		return nil, err
	}
	opened.push(func() error { return server.Run(endedContext()) })
	if a.cluster != nil {
		if err := a.cluster.memory.prepare(); err != nil {
			return nil, err
		}
		a.tellMeta()
		if err := a.cluster.gossip.Open(); err != nil {
			return nil, err
		}
		opened.push(func() error { return a.cluster.gossip.Run(endedContext()) })
	}
	for _, s := range a.front.list() {
		if err := s.door().listen(opened); err != nil {
			return nil, err
		}
		a.rerouted(s.cfg().VIP)
	}
	if a.cluster != nil {
		if err := a.cluster.memory.settle(); err != nil {
			return nil, err
		}
	}
	a.finder.load()
	a.hooks.Set(hooksOf(a.cfg))
	if a.drills != nil {
		if err := fault.Cleanup(a.log); err != nil {
			a.log.Warn("what a drill left is still there", "err", err)
		}
	}
	if len(a.floats) > 0 {
		if err := vip.Cleanup(a.log); err != nil {
			return server, err
		}
	}
	return server, a.keepAnswers(a.listened(a.cfg))
}

// endedContext makes a Run only close what was opened for it.
func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
