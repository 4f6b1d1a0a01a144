package manifest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer/plan"
)

// Worker is what the configuration of workers is made of: a balancer on an address
// of the host itself, with the masters as its backends.
type Worker struct {
	// Masters is the listener of the masters: backends, and how they are asked. Its
	// own name and place are not looked at.
	Masters plan.Listener
	Listen  netip.AddrPort  // where clients of the host connect
	Names   []plan.Backend  // DNS names that stand for masters, too
	From    string          // what the masters are known from, for the head
	VIP     *netip.AddrPort // where all masters are behind one address; nil is nowhere
}

// DefaultListen is where clients of a worker connect.
var DefaultListen = netip.MustParseAddrPort("127.0.0.1:6443")

// How often workers ask: there may be thousands of them, and what a connection meets
// counts at once. k0s has its workers ask every 5 s, too.
const (
	workerInterval     = 5 * time.Second
	workerDownInterval = 2 * time.Second
)

// Config is the text of the configuration, checked as `kshalb check` does. A comment
// behind each value says where it came from.
func (w Worker) Config() ([]byte, error) {
	listen := plan.Source{File: "--listen"}
	l := w.Masters
	l.Name = plan.Of("apiserver", listen)
	l.VIP, l.Bind = plan.Value[string]{}, plan.Of(w.Listen.Addr(), listen)
	l.Port = plan.Of(int(w.Listen.Port()), listen)
	l.Backends = slices.Concat(l.Backends, w.Names, w.backup())
	slower(&l.Check.Interval, workerInterval, "there may be many workers, and connections tell at once what they meet")
	slower(&l.Check.DownInterval, workerDownInterval, "as above")
	body, err := plan.Plan{Listeners: []plan.Listener{l}}.YAML()
	if err != nil {
		return nil, err
	}
	text := append(w.head(), body...)
	if _, err := config.Parse("kshalb.yaml", text); err != nil {
		return nil, fmt.Errorf("what was given makes no configuration of workers; mend it there, or tell it by flags:\n%w\n\n%s", err, text)
	}
	return text, nil
}

// slower has probes be no more frequent than that.
func slower(v *plan.Value[time.Duration], than time.Duration, why string) {
	if v.V < than {
		*v = plan.Because(than, plan.Source{File: "kshalb manifest"}, why)
	}
}

// backup is the VIP: it serves when no master does that is known by its own address,
// and so leads to masters that came later. A name that stands for the VIP adds nothing
// to it. It is none where backends are told who the client is: kshalb would not
// understand that.
func (w Worker) backup() []plan.Backend {
	if w.VIP == nil || w.Masters.ProxyProtocol.Given() {
		return nil
	}
	from := plan.Source{File: w.From}
	return []plan.Backend{{
		Name: "the VIP, for masters that are not listed", Host: w.VIP.Addr().String(), Port: int(w.VIP.Port()), From: from,
		Backup: plan.Of(true, from),
	}}
}

func (w Worker) head() []byte {
	return fmt.Appendf(nil, `# The configuration of kshalb on workers, the same file on every one: a balancer on
# %s with the masters behind it. kshalb manifest made it; behind each value
# stands where it came from. What is not here has its default.
#
# A master that is new: add it to addresses, and kshalb reload. A name among them is
# resolved again and again, and keeps its last addresses while it cannot be.
`, w.Listen)
}

// Names are DNS names that stand for masters at a port.
func Names(names []string, port int) (all []plan.Backend) {
	for _, name := range names {
		all = append(all, plan.Backend{Host: name, Port: port, From: plan.Source{File: "--dns"}})
	}
	return all
}

// ErrNoWorker says that a configuration is not one of which a worker's can be made.
var ErrNoWorker = errors.New("it has no listener of a VIP; tell the masters with --masters")

// WorkerOf is the worker of a cluster whose masters have the configuration cfg. listener
// is which of its listeners workers need; "" is the first one whose backends are the
// peers, else the first one of a VIP. What is set there for clients (limits, allow,
// rebalance, retry) is not carried over, what is set for backends is.
func WorkerOf(cfg *config.Config, listener string) (Worker, error) {
	l, err := choose(cfg, listener)
	if err != nil {
		return Worker{}, fmt.Errorf("make a worker's configuration of %s: %w", cfg.File, err)
	}
	from := plan.Source{File: cfg.File}
	w := Worker{Masters: of(l, from), Listen: DefaultListen, From: cfg.File, VIP: &l.Address}
	w.Masters.Backends = backendsOf(l, cfg, from)
	return w, nil
}

func choose(cfg *config.Config, name string) (config.Listener, error) {
	var names []string
	floats := func(l config.Listener) bool { return l.VIP != "" }
	i := slices.IndexFunc(cfg.Listeners, func(l config.Listener) bool { return floats(l) && l.PeerPort != 0 })
	if i < 0 {
		i = slices.IndexFunc(cfg.Listeners, floats)
	}
	if name != "" {
		i = slices.IndexFunc(cfg.Listeners, func(l config.Listener) bool { return floats(l) && l.Name == name })
		for _, l := range cfg.Listeners {
			if floats(l) {
				names = append(names, l.Name)
			}
		}
	}
	switch {
	case i >= 0:
		return cfg.Listeners[i], nil
	case len(names) > 0:
		return config.Listener{}, fmt.Errorf("there is no listener %q of a VIP; those that there are: %q", name, names)
	}
	return config.Listener{}, ErrNoWorker
}

// Port is where the masters' API servers listen.
func (w Worker) Port() int {
	if len(w.Masters.Backends) > 0 {
		return w.Masters.Backends[0].Port
	}
	return int(DefaultListen.Port())
}
