package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// errNoFence says that this kernel has no nf_tables, or lacks a piece of it.
var errNoFence = errors.New("the kernel lacks nf_tables or a piece of it")

// fencer is a packet filter of the kernel through which each VIP answers only
// while the attempt that it is switched to is armed. VIPs are told by name. All
// of it may be called by several goroutines at once.
type fencer interface {
	// prepare builds the filter, closed for all, in place of what a killed process
	// left; one that stands already stays as it is. It returns errNoFence when this
	// kernel never can.
	prepare() error
	// arm lets one attempt of each of some VIPs live for the lease from some moment
	// within the call, all or none. An attempt that is armed already is an error.
	// It rebuilds, closed for all, a filter that is gone. errNoFence as prepare.
	arm(attempts map[string]uint64, lease time.Duration) error
	// follow lets the filter guard what is announced of a VIP on l; the rest works
	// without.
	follow(vip string, l link) error
	// open switches a VIP to attempt; that it is not armed, or not any more, is no
	// error, and opens nothing.
	open(vip string, attempt uint64, deadline time.Time) error
	// shut switches a VIP to no attempt.
	shut(vip string) error
	// unfence removes all of it; nothing can be armed after that.
	unfence() error
	// hangUp gives up what unfence has not removed: it stays, closes by itself, and
	// belongs to nobody.
	hangUp()
}

// FenceConfig is what a Fence stands before.
type FenceConfig struct {
	// VIPs are the addresses by the names of their VIPs (see Config): up to 256,
	// each another one, IPv4 or IPv6.
	VIPs map[string]netip.Addr
	// Lifetime is the longest of those that managers give their addresses; whole
	// seconds, from 1 s to 1 h. Where the kernel has no fence, Arm says how long that is to be waited for.
	Lifetime time.Duration
}

// Fence is fence layer 2 of all VIPs of a process: a packet filter of the kernel
// through which each VIP answers only while an attempt of its own is armed. It
// stands, closed, from before the first of its Managers runs until the last has
// ended; when one of them could not remove its address it is left standing. All
// methods are safe for concurrent use.
type Fence struct {
	kernel fencer
	linger time.Duration
	log    *slog.Logger
	parts  map[string]*part // by VIP; never changed

	entry sync.Mutex // one manager enters or leaves at a time

	mu      sync.Mutex // guards the field below and those of the parts; never held during a kernel call
	lacking error      // why there is no layer 2; nil: there is, or nobody knows yet
}

// NewFence returns the fence of the VIPs in cfg. It starts nothing and asks the
// kernel nothing. Make one for each network namespace: it takes the place of any
// other whose process has ended.
func NewFence(cfg FenceConfig, log *slog.Logger) (*Fence, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("make fence: %w", err)
	}
	return newFence(cfg, newFences(cfg.VIPs), log), nil
}

func newFence(cfg FenceConfig, kernel fencer, log *slog.Logger) *Fence {
	f := &Fence{kernel: kernel, linger: Linger(cfg.Lifetime), log: log, parts: map[string]*part{}}
	for name, vip := range cfg.VIPs {
		f.parts[name] = &part{fence: f, name: name, vip: vip, log: log.With("vip", name, "address", vip)}
	}
	return f
}

// maxVIPs keeps all elements of a set in one message, whose list has 64 KiB.
const maxVIPs = 256

func (c FenceConfig) validate() error {
	if len(c.VIPs) > maxVIPs {
		return fmt.Errorf("%d VIPs are more than %d", len(c.VIPs), maxVIPs)
	}
	if !wholeSeconds(c.Lifetime) {
		return fmt.Errorf("lifetime %v must be whole seconds from 1s to 1h", c.Lifetime)
	}
	seen := make(map[netip.Addr]string)
	for name, vip := range c.VIPs {
		switch other, twice := seen[vip]; {
		case !nameRule.MatchString(name):
			return fmt.Errorf("VIP %q: the name must be up to 63 letters, digits, '.', '_' or '-'", name)
		case !vip.IsGlobalUnicast() || vip.Is4In6() || vip.Zone() != "":
			return fmt.Errorf("VIP %s: address %q is not a unicast address", name, vip)
		case twice:
			return fmt.Errorf("VIPs %s and %s have one address, %s; each needs its own", other, name, vip)
		}
		seen[vip] = name
	}
	return nil
}

func wholeSeconds(d time.Duration) bool {
	return d >= time.Second && d <= time.Hour && d%time.Second == 0
}

// Arm arms the fence for one attempt of each of some VIPs to get its lease: from
// some moment within this call on, for the time of the lease (whole milliseconds,
// 1 or more), a VIP may answer while a Hold of its manager has named its attempt.
// So whoever calls Arm, then reads the clock, and then asks the voters for the
// leases, has a kernel that closes the fence no later than each lease ends,
// whatever happens to this process. It is one transaction for all of them.
//
// Each attempt of a VIP has a number of its own, and numbers count up: one that
// was armed before is refused, and so is one 64 below the highest. VIPs do not
// share numbers: an attempt of one opens nothing for another. The kernel knows
// their low 32 bits, which at 10 attempts a second come again after 13 years.
//
// linger is how long a VIP may go on answering after the lease when this
// process is killed or frozen: 0, or, where the kernel lacks a piece of nf_tables,
// Linger of the configured lifetime; the voters have to be asked for so much
// more. Any other failure is an error of all the attempts, and then no lease must
// be asked for; each needs a new number. It may say so and be wrong: an armed
// attempt that no Hold names opens nothing. Tables that somebody else has removed
// are made again, closed for all VIPs, each until it is armed and held anew.
//
// Arm waits for the kernel: less than a millisecond on an idle machine, as long
// as it takes while others change large rulesets. It works while a manager of the
// fence runs, whether the VIPs are held or not, beside everything else.
func (f *Fence) Arm(attempts map[string]uint64, lease time.Duration) (linger time.Duration, err error) {
	err = f.arm(attempts, lease)
	switch {
	case errors.Is(err, errNoFence):
		return f.linger, nil
	case err != nil:
		return 0, fmt.Errorf("arm fence: %w", err)
	}
	return 0, nil
}

func (f *Fence) arm(attempts map[string]uint64, lease time.Duration) error {
	if lease < time.Millisecond { // the kernel's unit, and its 0 is "for ever"
		return fmt.Errorf("a lease of %v is less than a millisecond", lease)
	}
	if err := f.use(attempts); err != nil || len(attempts) == 0 {
		return err
	}
	return f.note(f.kernel.arm(attempts, lease))
}

// use marks attempts as used. It returns errNoFence where that is all there is
// to do.
func (f *Fence) use(attempts map[string]uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for name, attempt := range attempts {
		if p := f.parts[name]; p == nil {
			errs = append(errs, fmt.Errorf("VIP %q is not one of this fence", name))
		} else if !p.used.add(attempt) {
			errs = append(errs, fmt.Errorf("attempt %d of VIP %s was armed before, or is too old; each needs a number of its own", attempt, name))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return f.lacking
}

// enter builds the fence where the kernel can, unless it stands, for a manager
// that is about to run.
func (f *Fence) enter(p *part) error {
	f.entry.Lock()
	defer f.entry.Unlock()
	f.mu.Lock()
	p.inside, p.left = true, false
	lacking := f.lacking
	f.mu.Unlock()
	if lacking != nil {
		return lacking
	}
	return f.note(f.kernel.prepare())
}

// leave takes the fence away when no manager is inside any more, and the address
// of each is gone.
func (f *Fence) leave(p *part, gone bool) error {
	f.entry.Lock()
	defer f.entry.Unlock()
	f.mu.Lock()
	p.inside, p.left = false, !gone
	inside, left := f.count()
	lacking := f.lacking
	f.mu.Unlock()
	if inside > 0 {
		return nil
	}
	defer f.kernel.hangUp()
	if left > 0 || lacking != nil {
		return nil
	}
	return f.kernel.unfence()
}

// count returns how many managers run, and how many have left an address behind.
// Called with mu.
func (f *Fence) count() (inside, left int) {
	for _, p := range f.parts {
		if p.inside {
			inside++
		}
		if p.left {
			left++
		}
	}
	return inside, left
}

// note remembers, and tells once, that this kernel has no fence.
func (f *Fence) note(err error) error {
	if !errors.Is(err, errNoFence) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lacking == nil {
		f.lacking = err
		f.log.Warn("no kernel fence: a killed or frozen daemon stops answering only with the address lifetime, "+
			"so others wait longer before they take over", "err", err)
	}
	return f.lacking
}

// names are those of VIPs, in order.
func names[V any](vips map[string]V) []string {
	all := make([]string, 0, len(vips))
	for name := range vips {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
