package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Bounds of how long a fault lasts.
const (
	MinHold = time.Second
	MaxHold = time.Minute
)

// ErrLasts says that a fault befalls this node already.
var ErrLasts = errors.New("a fault lasts here already; try again when it is over, within a minute")

// Config is what a node has to know of itself.
type Config struct {
	// Interfaces are those that Cut cuts off: what carries the VIPs, and what leads
	// to the peers. Loopback may be among them, and stays.
	Interfaces func() ([]string, error)
	// Supervised says that something starts this process again when it ends,
	// although no kubelet and no systemd can be seen that does.
	Supervised bool
	Log        *slog.Logger
}

// Faults are what can befall this node. It is safe for concurrent use.
type Faults struct {
	cfg    Config
	egress bool // the kernel is asked for egress hooks

	mu    sync.Mutex // held during trials, too
	lasts Kind       // or is about to begin; "" is none
}

// New starts nothing.
func New(cfg Config) *Faults { return &Faults{cfg: cfg, egress: true} }

// Able tries whether a fault can befall this node and would be undone, and does
// no harm. An error says what is in the way.
func (f *Faults) Able(kind Kind) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.able(kind)
}

func (f *Faults) able(kind Kind) error {
	if f.lasts != "" {
		return fmt.Errorf("%s: %w", kind, ErrLasts)
	}
	var err error
	switch kind {
	case Kill:
		err = f.ableKill()
	case Pause:
		err = ablePause()
	case Cut:
		err = f.ableCut()
	default:
		return fmt.Errorf("does not know the fault %q; is it an older kshalb?", kind)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

// Prepare does all of a fault that can fail, and keeps others away. The returned
// func lets it befall this node, and returns when the node is whole again: after
// hold, or when ctx ends. It has to be called, once, on whichever goroutine. A
// fault lasts from MinHold to MaxHold; a kill takes no time, and its hold does not
// matter.
func (f *Faults) Prepare(kind Kind, hold time.Duration) (befall func(ctx context.Context) error, err error) {
	if kind != Kill && (hold < MinHold || hold > MaxHold) {
		return nil, fmt.Errorf("%s for %v: a fault lasts from %v to %v", kind, hold, MinHold, MaxHold)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.able(kind); err != nil {
		return nil, err
	}
	f.lasts = kind
	return func(ctx context.Context) error {
		defer f.over()
		if err := f.befall(ctx, kind, hold); err != nil {
			return fmt.Errorf("%s for %v: %w", kind, hold, err)
		}
		return nil
	}, nil
}

func (f *Faults) over() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lasts = ""
}

func (f *Faults) befall(ctx context.Context, kind Kind, hold time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.cfg.Log.Warn("a drill: the fault begins", "kind", string(kind), "hold", hold)
	switch kind {
	case Kill:
		die()
	case Pause:
		if err := runHelper(ctx, hold); err != nil {
			return err
		}
	case Cut:
		if err := f.cut(ctx, hold); err != nil {
			return err
		}
	}
	f.cfg.Log.Info("a drill: the fault is over", "kind", string(kind))
	return nil
}

// Inflict is Prepare, and what it prepared: it returns when the node is whole
// again.
func (f *Faults) Inflict(ctx context.Context, kind Kind, hold time.Duration) error {
	befall, err := f.Prepare(kind, hold)
	if err != nil {
		return err
	}
	return befall(ctx)
}
