package election

import "time"

// simKernel is what the kernel of one host knows of the VIP.
type simKernel struct {
	fenced  bool
	armed   map[uint64]time.Duration // by attempt: when its element ends, in true time
	on      uint64                   // the attempt that the fence is open for
	address bool                     // for ever if fenced: the fence alone must do
	expires time.Duration            // of the address, if not fenced
}

// answers reports whether the host answers for the VIP, whatever its daemon
// does.
func (k *simKernel) answers(now time.Duration) bool {
	if !k.fenced {
		return k.address && now < k.expires
	}
	return k.address && now < k.armed[k.on]
}

// clean is what a daemon does when it starts: nothing of its predecessor's is
// left.
func (k *simKernel) clean() {
	k.armed, k.on, k.address = make(map[uint64]time.Duration), 0, false
}

// simManager is the one goroutine that changes the kernel's state of a VIP. Its
// steps run one after the other, each after a moment.
type simManager struct {
	d     *simDaemon
	steps []func()
	busy  bool
}

func (m *simManager) then(steps ...func()) {
	m.steps = append(m.steps, steps...)
	m.next()
}

func (m *simManager) next() {
	if m.busy || len(m.steps) == 0 {
		return
	}
	step := m.steps[0]
	m.steps, m.busy = m.steps[1:], true
	m.d.later(m.d.s.moment(), func() {
		step()
		m.busy = false
		m.next()
	})
}

// hold opens the fence for the attempt that won, and adds the address. It is
// not looked at once more whether the deadline has passed: a pause between that
// look and the kernel's doing would make it worthless.
func (m *simManager) hold(l Lease) {
	k := &m.d.kernel
	if !k.fenced {
		// The worst that may happen without a pause at the one place that layer 3
		// does not cover: the last renewal came just before the deadline.
		k.address, k.expires = true, m.d.lasts(l.Deadline.Add(m.d.s.linger).Sub(simEpoch))
		return
	}
	m.then(
		func() { k.on = l.Attempt },
		func() { k.address = true },
	)
}

// withdraw forgets what was to be done, and lets go.
func (m *simManager) withdraw(done func()) {
	k := &m.d.kernel
	m.steps = nil
	m.then(
		func() { k.on = 0 },
		func() { k.address = false },
		done,
	)
}

// moment is how long a step takes.
func (s *sim) moment() time.Duration {
	switch {
	case s.script != nil:
		return 0
	case s.instant:
		return s.upTo(20 * time.Microsecond)
	case s.calm:
		return s.upTo(time.Millisecond)
	}
	return s.upTo(5 * time.Millisecond)
}
