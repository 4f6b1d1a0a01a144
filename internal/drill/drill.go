package drill

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/drill/clients"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/status"
)

// DefaultHold is how long a pause or a cut lasts: long enough for another node to
// take over and be seen to serve.
const DefaultHold = 5 * time.Second

// Options are what a drill is to do.
type Options struct {
	VIP   string        // its name; "" is the first that a listener has
	Kinds []Kind        // the rounds; nil is all that can be
	Hold  time.Duration // of a pause or a cut, fault.MinHold to fault.MaxHold; 0 is DefaultHold

	Credentials *clients.Credentials // of a real watch; nil is an idle connection
	NoWire      bool                 // nobody looks who answers for the address
	Tell        func(words string)   // what is being done; nil is nobody
}

// Drill is one of a cluster. It is used once, by one goroutine.
type Drill struct {
	cfg     *config.Config
	cluster Cluster
	opts    Options
	vip     config.VIP
	service clients.Service

	self  string // this node
	first string // who held the address before all
	plan  []round
	left  []Left

	lasts time.Time     // till when the last fault does
	calm  time.Duration // that the cluster has to be whole after it

	newClients func() trio
	newEyes    func(link string) (eyes, error)
}

// round is one thing that will be done.
type round struct {
	kind Kind
	able []string // the nodes that it may befall, the best first
}

// New checks the options; it asks nobody yet.
func New(cfg *config.Config, c Cluster, o Options) (*Drill, error) {
	d := &Drill{cfg: cfg, cluster: c, opts: o}
	if d.opts.Hold == 0 {
		d.opts.Hold = DefaultHold
	}
	if d.opts.Hold < fault.MinHold || d.opts.Hold > fault.MaxHold {
		return nil, fmt.Errorf("a fault of %v: from %v to %v are possible", d.opts.Hold, fault.MinHold, fault.MaxHold)
	}
	for _, k := range o.Kinds {
		if !slices.Contains(Kinds(), k) {
			return nil, fmt.Errorf("%q is no kind of drill: there are %s", k, joined(Kinds()))
		}
	}
	if d.opts.Tell == nil {
		d.opts.Tell = func(string) {}
	}
	i := slices.IndexFunc(cfg.Listeners, func(l config.Listener) bool { return l.VIP != "" && (o.VIP == "" || l.VIP == o.VIP) })
	if i < 0 && o.VIP != "" {
		return nil, fmt.Errorf("no listener of the configuration belongs to a VIP named %q", o.VIP)
	}
	if i < 0 {
		return nil, errors.New("the configuration has no listener on a VIP, so there is nothing that could fail over")
	}
	l := cfg.Listeners[i]
	d.vip = cfg.VIPs[slices.IndexFunc(cfg.VIPs, func(v config.VIP) bool { return v.Name == l.VIP })]
	d.service = clients.Service{Address: l.Address}
	switch l.Check.Type {
	case config.CheckHTTPS:
		// Nothing secret is said, and a drill is not about certificates.
		d.service.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
		d.service.Path = l.Check.Path
	case config.CheckHTTP:
		d.service.Path = l.Check.Path
	}
	d.newClients = func() trio {
		return trio{clients.NewFresh(d.service), clients.NewKept(d.service), clients.NewWatch(d.service, o.Credentials)}
	}
	d.newEyes = func(link string) (eyes, error) { return openEyes(link, d.vip.Address, cfg.Election.Lease) }
	return d, nil
}

// joined are kinds in words.
func joined(kinds []Kind) string {
	var words []string
	for _, k := range kinds {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// Prepare finds out what can be done, and says what will be, for a person to agree
// to. The error of a cluster that is not whole is an [*Unhealthy].
func (d *Drill) Prepare(ctx context.Context) (words string, err error) {
	n, err := d.whole(ctx, startTime, 0)
	if err != nil {
		return "", fmt.Errorf("nothing was done: %w", err)
	}
	v, _ := vipOf(n, d.vip.Name)
	d.self, d.first = n.Name, v.Holder
	kinds := d.opts.Kinds
	if kinds == nil {
		kinds = Kinds()
	}
	for _, k := range kinds {
		r, why := d.possible(ctx, k)
		switch {
		case why == "":
			d.plan = append(d.plan, r)
		case d.opts.Kinds != nil:
			return "", fmt.Errorf("%s cannot be tried here: %s", k, why)
		default:
			d.left = append(d.left, Left{k, why})
		}
	}
	return d.consent(v), nil
}

// possible says whom a kind may befall, or why nobody.
func (d *Drill) possible(ctx context.Context, k Kind) (r round, why string) {
	names := masters(d.cfg, d.self)
	if len(names) < 2 {
		return r, "there is no second node that could take the address over"
	}
	if k == Handover {
		return round{k, names}, ""
	}
	r = round{kind: k}
	var errs []string
	for _, name := range names {
		if name == d.self {
			continue // its clients would be struck, too, and nobody would look
		}
		if err := d.cluster.Able(ctx, name, fault.Kind(k)); err != nil {
			errs = append(errs, err.Error())
			continue
		}
		r.able = append(r.able, name)
	}
	if len(r.able) == 0 {
		return r, strings.Join(errs, "; ")
	}
	return r, ""
}

// consent says what will be done.
func (d *Drill) consent(v status.VIP) string {
	var b strings.Builder
	fmt.Fprintf(&b, "This will happen to %s (%s), which %s holds now, while clients on this host ask through it:\n",
		d.vip.Name, d.vip.Address, v.Holder)
	for _, r := range d.plan {
		fmt.Fprintf(&b, "  %-9s %s\n", r.kind, d.meaning(r.kind))
	}
	for _, l := range d.left {
		fmt.Fprintf(&b, "  %-9s left out: %s\n", l.Kind, l.Why)
	}
	fmt.Fprintf(&b, "Clients of the cluster will notice: connections through the address break each time, and for about %v after a\n"+
		"crash there is no answer. Everything is put back as it was, also on Ctrl-C.\n", d.cfg.Election.Lease)
	return b.String()
}

func (d *Drill) meaning(k Kind) string {
	switch fault.Kind(k) {
	case fault.Kill:
		return "kshalb on the holder ends at once; whatever supervises it starts it again"
	case fault.Pause:
		return fmt.Sprintf("kshalb on the holder stands still for %v", d.opts.Hold)
	case fault.Cut:
		return fmt.Sprintf("the holder's host hears nobody and is heard by nobody for %v; everything else on it, too", d.opts.Hold)
	}
	return "the holder gives the address to another node, as before a reboot"
}
