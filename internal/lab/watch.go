package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// every is the time between two rounds of questions.
const every = 5 * time.Millisecond

// Claim is a frame of a host that says it has the address, by ARP or Neighbour
// Advertisement, other than an answer to the watch's own questions.
type Claim struct {
	At         time.Time
	Host       string // whose cable the frame came through
	MAC        net.HardwareAddr
	Reply      bool // an ARP reply or an advertisement; else an ARP request
	Gratuitous bool // an announcement, which nobody asked for
}

// Watch observes who has one address, from outside, while it lives:
//
//   - it asks each host over its own cable, every 5 ms, also while the host is
//     isolated, in a way that changes nobody's idea of where the address is;
//   - it looks through each host's interfaces, every 5 ms;
//   - it hears every claim that enters the switch.
//
// Its methods are safe for concurrent use.
type Watch struct {
	vip    netip.Addr
	taps   []*tap
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.Mutex
	answers  Timeline
	assigned Timeline
	claims   []Claim
	err      error
	changed  chan struct{} // closed, and replaced, by each change
}

// Watch begins to observe an address on the hosts that are there now. It
// ends with Close, or with the lab.
func (l *Lab) Watch(vip netip.Addr) (*Watch, error) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watch{vip: vip, cancel: cancel, changed: make(chan struct{})}
	for _, h := range l.Hosts() {
		t, err := l.sw.tap(h, vip)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("watch %s: %w", vip, err), w.Close())
		}
		w.taps = append(w.taps, t)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", vip, ErrClosed), w.Close())
	}
	l.watches = append(l.watches, w)
	w.start(ctx)
	return w, nil
}

func (w *Watch) start(ctx context.Context) {
	for _, t := range w.taps {
		w.tasks.Go(func() { w.hear(ctx, t) })
	}
	w.tasks.Go(func() { w.ask(ctx) })
	w.tasks.Go(func() { w.look(ctx) })
}

// Close ends the watch. What it saw can still be read.
func (w *Watch) Close() error {
	w.cancel()
	for _, t := range w.taps {
		t.close()
	}
	w.tasks.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// ask asks all hosts, round by round.
func (w *Watch) ask(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for round := uint32(1); ; round++ {
		for _, t := range w.taps {
			w.fail(ctx, t.ask(round))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// hear takes in the frames of one host until its tap is closed.
func (w *Watch) hear(ctx context.Context, t *tap) {
	for {
		heard, err := t.read()
		if err != nil {
			w.fail(ctx, err)
			return
		}
		w.mu.Lock()
		if heard.answer != nil {
			w.answers = append(w.answers, *heard.answer)
		} else {
			w.claims = append(w.claims, heard.claim)
		}
		w.tell()
		w.mu.Unlock()
	}
}

// look looks through the interfaces of all hosts, round by round.
func (w *Watch) look(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for round := uint32(1); ; round++ {
		for _, t := range w.taps {
			from := time.Now()
			has, err := t.host.Has(w.vip)
			w.fail(ctx, err)
			if has {
				w.saw(Sighting{t.host.name, round, from, time.Now()})
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *Watch) saw(s Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.assigned = append(w.assigned, s)
	w.tell()
}

// fail keeps the first error, for Close: a watch that saw half is no proof. What
// fails because of Close does not count.
func (w *Watch) fail(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && err != nil && ctx.Err() == nil {
		w.err = err
		w.tell()
	}
}

// tell wakes whoever waits. The caller holds mu.
func (w *Watch) tell() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// wait calls look, which reports whether it has found what it looks for, now
// and after each change. look is called with mu held.
func (w *Watch) wait(ctx context.Context, what string, look func() bool) error {
	for {
		w.mu.Lock()
		found, err, changed := look(), w.err, w.changed
		w.mu.Unlock()
		switch {
		case found:
			return nil
		case err != nil:
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// WaitOwner waits until a host that is not among the others answers for the
// address to a question that was asked after a moment.
func (w *Watch) WaitOwner(ctx context.Context, after time.Time, others ...string) (Sighting, error) {
	next := 0
	var found Sighting
	err := w.wait(ctx, fmt.Sprintf("an owner of %s other than %v", w.vip, others), func() bool {
		for ; next < len(w.answers); next++ {
			found = w.answers[next]
			if found.From.After(after) && !slices.Contains(others, found.Host) {
				return true
			}
		}
		return false
	})
	return found, err
}

// WaitGratuitous waits for an announcement of the address by the host that came
// after a moment; the zero time means any.
func (w *Watch) WaitGratuitous(ctx context.Context, host string, after time.Time) (Claim, error) {
	var found Claim
	next := 0
	err := w.wait(ctx, fmt.Sprintf("an announcement of %s by %s", w.vip, host), func() bool {
		for ; next < len(w.claims); next++ {
			found = w.claims[next]
			if found.Gratuitous && found.Host == host && found.At.After(after) {
				return true
			}
		}
		return false
	})
	return found, err
}

// Answers are the hosts' answers to the watch's questions.
func (w *Watch) Answers() Timeline {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.answers)
}

// Assigned is when the address was found on the hosts' interfaces.
func (w *Watch) Assigned() Timeline {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.assigned)
}

// Claims are the other frames in which hosts said that they have the address.
func (w *Watch) Claims() []Claim {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.claims)
}

// Doubles are the proven cases of two owners: two hosts that answered. An address
// on an interface behind a closed fence is none.
func (w *Watch) Doubles() []Double { return w.Answers().Doubles() }
