package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// errNoFence says that this kernel has no nf_tables, or lacks a piece of it.
var errNoFence = errors.New("the kernel lacks nf_tables or a piece of it")

// fencer is fence layer 2: a packet filter of the kernel through which the VIP
// answers only while the attempt that it is switched to is armed. All of it may
// be called by several goroutines at once.
type fencer interface {
	// prepare builds the fence, closed, in place of what a killed process left.
	// It returns errNoFence when this kernel never can.
	prepare() error
	// arm lets attempt live for the lease from some moment within the call. An
	// attempt that is armed already is an error. It rebuilds, closed, a fence
	// that is gone. errNoFence as prepare.
	arm(attempt uint64, lease time.Duration) error
	// follow lets the fence guard what is announced on l; the rest of the fence
	// works without.
	follow(l link) error
	// open switches to attempt; that it is not armed, or not any more, is no
	// error, and opens nothing.
	open(attempt uint64, deadline time.Time) error
	// shut switches to no attempt.
	shut() error
	// unfence removes all of it; it can't be armed after that.
	unfence() error
}

// fence is layer 2 as the manager and its holder use it: it remembers what this
// kernel lacks, and which attempts have been armed.
type fence struct {
	host fencer
	log  *slog.Logger

	mu      sync.Mutex // guards the fields below; never held during a kernel call
	lacking error      // why there is no layer 2; nil: there is, or nobody knows yet
	exposed error      // why it does not guard announcements; nil: it does, or nothing was announced yet
	used    window
}

// prepare builds the fence where the kernel can; able says where the VIP would
// go, so that the first taking finds all in place. What fails here is tried
// again, and told, by arm.
func (f *fence) prepare(able func() (link, error)) {
	if err := f.note(f.host.prepare()); err != nil {
		if !errors.Is(err, errNoFence) {
			f.log.Warn("kernel fence not built yet", "err", err)
		}
		return
	}
	if l, err := able(); err == nil {
		f.follow(l)
	}
	f.log.Info("kernel fence built, closed")
}

// arm arms the fence for an attempt that was not armed before.
func (f *fence) arm(attempt uint64, lease time.Duration) error {
	if lease < time.Millisecond { // the kernel's unit, and its 0 is "for ever"
		return fmt.Errorf("a lease of %v is less than a millisecond", lease)
	}
	f.mu.Lock()
	lacking, fresh := f.lacking, f.used.add(attempt)
	f.mu.Unlock()
	switch {
	case !fresh:
		return fmt.Errorf("attempt %d was armed before, or is too old; each needs a number of its own", attempt)
	case lacking != nil:
		return lacking
	}
	return f.note(f.host.arm(attempt, lease))
}

// open switches the fence to attempt; done is false when this host has none.
func (f *fence) open(attempt uint64, deadline time.Time) (done bool, err error) {
	f.mu.Lock()
	lacking, armed := f.lacking, f.used.has(attempt)
	f.mu.Unlock()
	switch {
	case lacking != nil:
		return false, nil
	case !armed:
		return false, fmt.Errorf("attempt %d was never armed", attempt)
	}
	return true, f.host.open(attempt, deadline)
}

// follow lets the fence guard announcements on l. Without that, layer 1 alone
// does.
func (f *fence) follow(l link) {
	if f.lacks() != nil {
		return
	}
	err := f.host.follow(l)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && f.exposed == nil {
		f.log.Warn("announcements are guarded by fence layer 1 alone", "interface", l.name, "err", err)
	}
	f.exposed = err
}

// shut closes the fence. A failure is told and no more: it closes by itself, and
// must not keep the address from being removed.
func (f *fence) shut() {
	if f.lacks() != nil {
		return
	}
	if err := f.host.shut(); err != nil {
		f.log.Warn("kernel fence not closed; it closes with its lease", "err", err)
	}
}

// remove takes the fence away; the address is gone.
func (f *fence) remove() error {
	if f.lacks() != nil {
		return nil
	}
	return f.host.unfence()
}

// note remembers, and tells once, that this kernel has no fence.
func (f *fence) note(err error) error {
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

func (f *fence) lacks() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lacking
}

// err says what of layer 2 this host lacks.
func (f *fence) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lacking == nil && f.exposed != nil {
		return fmt.Errorf("announcements are not guarded: %w", f.exposed)
	}
	return f.lacking
}

// window remembers the numbers that were used, so that none is used twice: the
// highest and, in bits, those below it. What is too old to remember counts as
// used (an anti-replay window, RFC 4303, section 3.4.3). The zero window has used
// none.
type window struct {
	top  uint64
	bits uint64 // bit i: top-i was used
}

// add uses n and reports whether it was unused.
func (w *window) add(n uint64) bool {
	if n > w.top {
		w.bits <<= min(n-w.top, 64) // 64 and more leave 0
		w.top = n
	} else if w.top-n >= 64 || w.has(n) {
		return false
	}
	w.bits |= 1 << (w.top - n)
	return true
}

// has reports whether n was used and is remembered.
func (w *window) has(n uint64) bool {
	return n <= w.top && w.top-n < 64 && w.bits>>(w.top-n)&1 == 1
}
