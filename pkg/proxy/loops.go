package proxy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// maxDefaultLoops is how many loops there are unless more are asked for: they
// do little for each byte, so that few carry what a machine's network does.
const maxDefaultLoops = 4

// DefaultLoops is how many loops suit this machine: one for each core, as far
// as the process may use them (runtime.GOMAXPROCS), up to 4.
func DefaultLoops() int { return min(runtime.GOMAXPROCS(0), maxDefaultLoops) }

// Loops are the event loops that move the bytes of all listeners of a process.
// Each is a goroutine that keeps a thread busy. Make them with NewLoops; they
// run once, and have to run while a listener does.
//
// While a loop waits it may keep one of the runtime's processors for some
// milliseconds. A process with other work that is in a hurry should have as
// many of them more as there are loops (runtime.GOMAXPROCS).
type Loops struct {
	loops  []*loop
	budget budget // for the pipes of all

	run   atomic.Bool
	begun chan struct{} // they serve
	ended chan struct{} // Run has returned, or is about to
}

// NewLoops makes n event loops, at least one. It opens and starts nothing.
func NewLoops(n int) *Loops {
	ls := &Loops{begun: make(chan struct{}), ended: make(chan struct{})}
	ls.budget.give(pipeBudget)
	for range max(n, 1) {
		ls.loops = append(ls.loops, newLoop(&ls.budget))
	}
	return ls
}

// Run serves until ctx ends; connections that are left then are reset. It
// returns nil after that, and an error when the kernel refuses what a loop
// needs.
func (ls *Loops) Run(ctx context.Context) error {
	if ls.run.Swap(true) {
		return errors.New("run the event loops: they have run already; make new ones")
	}
	defer close(ls.ended)
	for _, lp := range ls.loops {
		if err := lp.open(); err != nil {
			for _, each := range ls.loops { // nobody shall wait for one
				each.close()
			}
			return fmt.Errorf("run the event loops: %w", err)
		}
	}
	close(ls.begun)
	running, ctx := errgroup.WithContext(ctx)
	for _, lp := range ls.loops {
		running.Go(lp.run)
	}
	<-ctx.Done() // or one of them has failed
	ls.tell(message{order: quit})
	if err := running.Wait(); err != nil {
		return fmt.Errorf("run the event loops: %w", err)
	}
	return nil
}

// await waits until the loops run, and reports whether they do before ctx ends.
func (ls *Loops) await(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case <-ls.begun:
		return true
	case <-ls.ended:
		return true // and answer that they won't
	case <-ctx.Done():
		return false
	}
}

// Answer returns when every loop has had a turn since the call, and not before they
// run; at once when they have ended. One that stands still holds it up for good.
func (ls *Loops) Answer() { ls.tell(message{order: answer}) }

func (ls *Loops) running() bool {
	select {
	case <-ls.begun:
		return true
	default:
		return false
	}
}

// tell gives all loops an order and returns the sum of their answers.
func (ls *Loops) tell(what message) (sum int) {
	replies := make([]<-chan int, len(ls.loops))
	for i, lp := range ls.loops {
		replies[i] = lp.mail.send(what)
	}
	for _, reply := range replies {
		sum += <-reply
	}
	return sum
}
