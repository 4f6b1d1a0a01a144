package vip

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// wish is a switch of one VIP, and what became of it.
type wish struct {
	vip      uint32
	off      bool // to no attempt
	attempt  uint64
	deadline time.Time

	// Guarded by fences.mu.
	done bool
	err  error
}

// waiting are wishes that wait for a transaction. One that is under way keeps
// all that come meanwhile; the first of them that gets its turn carries the
// others with it: 64 VIPs that open at one moment are two transactions.
type waiting struct {
	mu     sync.Mutex
	wishes []*wish
}

func (w *waiting) add(one *wish) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wishes = append(w.wishes, one)
}

func (w *waiting) take() []*wish {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.wishes
	w.wishes = nil
	return all
}

func (f *fences) open(vip string, attempt uint64, deadline time.Time) error {
	return explainSwitch("open", f.change(&wish{vip: f.index[vip], attempt: attempt, deadline: deadline}))
}

func (f *fences) shut(vip string) error {
	return explainSwitch("close", f.change(&wish{vip: f.index[vip], off: true}))
}

func explainSwitch(what string, err error) error {
	if errors.Is(err, errPast) || errors.Is(err, errIdle) || errors.Is(err, errNoFence) {
		return err
	}
	return explainFence(what, err)
}

// change returns when the kernel has answered w, alone or with others.
func (f *fences) change(w *wish) error {
	f.waiting.add(w)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !w.done {
		f.carry(f.waiting.take())
	}
	return w.err
}

// carry does wishes in one transaction, but those whose deadline has passed.
// Called with mu.
func (f *fences) carry(wishes []*wish) {
	var due []*wish
	for _, w := range wishes {
		w.done = true
		switch {
		case !w.off && past(w.deadline):
			w.err = errPast
		case w.off && f.families == nil: // nothing is built, so nothing is open
		case f.socket == nil:
			w.err = errIdle
		default:
			due = append(due, w)
			f.switchTo(w)
		}
	}
	if len(due) == 0 {
		return
	}
	if err := f.commitOn(); err != nil {
		f.failed(due, err)
	}
}

func (f *fences) switchTo(w *wish) {
	if w.off {
		delete(f.on, w.vip)
		return
	}
	f.on[w.vip] = w.attempt
}

// failed answers wishes that were not done. None of them is carried again: what
// was to open is off in the next transaction. A fence that is gone, or half gone,
// is built again, closed for all, when one of them was to close: then it is.
func (f *fences) failed(due []*wish, err error) {
	rebuilt, gone := error(nil), errors.Is(err, unix.ENOENT)
	shuts := false
	for _, w := range due {
		delete(f.on, w.vip)
		shuts = shuts || w.off
	}
	if gone && shuts {
		rebuilt = f.build()
	}
	for _, w := range due {
		w.err = err
		if gone && w.off {
			w.err = rebuilt
		}
	}
}

// commitOn makes the maps "on" of the kernel say what f.on says, all of it: so
// it does not matter whether an earlier transaction with an error was done. What
// it says of other VIPs is what it said, and opens nothing. Called with mu.
func (f *fences) commitOn() error {
	if f.families == nil {
		return unix.ENOENT
	}
	var all []element
	for vip, attempt := range f.on {
		all = append(all, element{key: number(vip), value: key(attempt)})
	}
	var t transaction
	for _, family := range f.families {
		t.flushSet(family, onMap)
		if len(all) > 0 {
			t.addElements(family, onMap, unix.NLM_F_CREATE, all)
		}
	}
	return f.socket.commit(&t)
}
