package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// front is all that clients meet: the services, and doors that are closing. Services
// come and go while it runs. It is safe for concurrent use.
type front struct {
	services atomic.Pointer[[]*service] // in the order of the configuration; never written to

	begun chan struct{} // closed when all services have been entered

	mu      sync.Mutex
	doors   []*door         // open, closing ones too
	ctx     context.Context // nil: it does not run
	running sync.WaitGroup
	failed  chan error     // one slot: what ended by itself
	late    sync.WaitGroup // doors that are about to close; changes do not overlap
}

func newFront() *front {
	f := &front{begun: make(chan struct{}), failed: make(chan error, 1)}
	f.services.Store(new([]*service))
	return f
}

func (f *front) list() []*service { return *f.services.Load() }

func (f *front) set(services []*service) { f.services.Store(&services) }

// beginTime is how long a change waits for the start to be over.
const beginTime = 5 * time.Second

// changeable says why services cannot come and go now; nil: they can.
func (f *front) changeable() error {
	select {
	case <-f.begun:
	case <-time.After(beginTime):
		return errors.New("kshalb is still starting: try again in a second")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx == nil || f.ctx.Err() != nil {
		return errors.New("kshalb is stopping")
	}
	return nil
}

// named is the service of that name, or nil.
func (f *front) named(name string) *service {
	for _, s := range f.list() {
		if s.cfg().Name == name {
			return s
		}
	}
	return nil
}

// of are the services of a VIP.
func (f *front) of(vip string) (all []*service) {
	for _, s := range f.list() {
		if s.cfg().VIP == vip {
			all = append(all, s)
		}
	}
	return all
}

// doorsOf are the doors through which clients of a VIP have come.
func (f *front) doorsOf(vip string) []*door {
	return slices.DeleteFunc(f.open(), func(d *door) bool { return d.cfg.VIP != vip })
}

func (f *front) open() []*door {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.doors)
}

// closing reports whether a door of a listener's name is open that is no service's.
func (f *front) closing(name string) bool {
	return f.named(name) == nil && slices.ContainsFunc(f.open(), func(d *door) bool { return d.cfg.Name == name })
}

// drain is the longest that a connection may go on.
func (f *front) drain() (longest time.Duration) {
	for _, d := range f.open() {
		longest = max(longest, d.listener.Drain())
	}
	for _, s := range f.list() {
		longest = max(longest, s.cfg().Timeouts.Drain)
	}
	return longest
}

// task runs the services. They are one task, so that on stop none of them accepts
// while another one drains.
func (f *front) task() task {
	return task{name: "listeners", run: f.run, stop: stopSlack, longer: f.drain}
}

func (f *front) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.mu.Lock()
	f.ctx = ctx
	f.mu.Unlock()
	for _, s := range f.list() {
		f.enter(s)
	}
	close(f.begun)
	var err error
	select {
	case <-ctx.Done():
	case err = <-f.failed:
		cancel()
	}
	f.mu.Lock()
	f.ctx = nil
	f.mu.Unlock()
	f.running.Wait()
	select {
	case late := <-f.failed:
		err = errors.Join(err, late)
	default:
	}
	return err
}

// enter runs a service until leave.
func (f *front) enter(s *service) {
	s.checks = f.start("checks of "+s.cfg().Name, s.checker.Run)
	f.admit(s)
}

// admit runs the door that a service has now.
func (f *front) admit(s *service) {
	d := s.door()
	f.mu.Lock()
	f.doors = append(f.doors, d)
	f.mu.Unlock()
	s.serves = f.start("listener "+s.cfg().Name, func(ctx context.Context) error {
		defer f.closed(d)
		return d.run(ctx)
	})
}

// readmit runs the new door of a service, and closes the one before.
func (f *front) readmit(s *service, before *door) {
	serves := s.serves
	f.admit(s)
	f.close(before, serves)
}

// lateFor is how long a door that closes lets those in who were sent to it before:
// a redirect changes a moment after it was told to, and a handshake ends where it
// began.
const lateFor = time.Second

// close has a door let nobody in any more after that time, and its connections go on
// for the time of a drain.
func (f *front) close(d *door, serves part) {
	f.late.Add(1)
	time.AfterFunc(lateFor, func() {
		defer f.late.Done()
		d.stopAccepting()
		serves.stop()
		if !d.active() {
			<-serves.done
		}
	})
}

func (f *front) closed(d *door) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.doors = slices.DeleteFunc(f.doors, func(o *door) bool { return o == d })
}

// leave ends a service: nobody comes in any more, and its connections have the time
// of a drain.
func (f *front) leave(s *service) {
	s.checks.stop()
	s.checker.SetTargets(nil)
	f.close(s.door(), s.serves)
	go func() {
		<-s.serves.done
		<-s.checks.done
		s.metrics.proxy.Forget(s.cfg().Name)
		s.metrics.health.Forget(s.cfg().Name)
	}()
}

// part is something that runs.
type part struct {
	stop context.CancelFunc
	done <-chan struct{} // closed when it has ended
}

// start runs something until it is stopped, or the front ends.
func (f *front) start(name string, run func(context.Context) error) part {
	done := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx == nil {
		close(done)
		return part{func() {}, done}
	}
	ctx, stop := context.WithCancel(f.ctx)
	f.running.Go(func() {
		defer close(done)
		err := run(ctx)
		switch {
		case err != nil:
			err = fmt.Errorf("%s: %w", name, err)
		case ctx.Err() == nil:
			err = fmt.Errorf("%s: ended by itself", name)
		default:
			return
		}
		select {
		case f.failed <- err:
		default: // the first is the cause
		}
	})
	return part{stop, done}
}
