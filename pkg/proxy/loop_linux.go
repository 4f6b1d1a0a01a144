package proxy

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxEvents is how many events are taken at once.
	maxEvents = 128
	// spinFor is how long a loop that expects an event soon asks for it again
	// and again, rather than sleep and be woken. (50 µs gave a lone request 1.2
	// times the rate for half as much CPU again, where all share two cores.)
	spinFor = 20 * time.Microsecond
)

// What is not of a connection has a negative id, in events and in timers.
const (
	listenerID = -1 - iota
	mailboxID
	acceptTimerID
	pipesTimerID
)

// loop is an event loop: one goroutine on a thread of its own, with its own
// epoll set, listening socket, connections and timers. Nothing of it is touched
// by others, but for its mailbox.
type loop struct {
	l    *Listener
	ep   int32
	ln   int32
	mail *mailbox

	mover
	conns slab
	wheel *wheel
	pipes pipes
	todo  []int32 // connections that have more to do

	start time.Time
	now   time.Duration // since start, as of the last wait
	spin  int           // above 0: spinning has lately paid

	acceptable  bool // more clients may wait
	suspended   bool // the last accept failed for want of something
	stopping    bool
	acceptTimer timer
	pipesTimer  timer

	legOptions     []option
	connectTimeout time.Duration
	sockaddrs      []unix.Sockaddr // by the pool's index; nil has to be made each time

	events   [maxEvents]unix.EpollEvent
	from     unix.RawSockaddrAny // the client that was accepted last
	fromSize uint32
	info     unix.TCPInfo
}

// newLoop makes a loop that serves l's clients from a listening socket, which
// it owns from then on, even when it fails.
func newLoop(l *Listener, ln int32) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		closeFD(ln)
		return nil, fmt.Errorf("make an epoll set: %w", err)
	}
	mail, err := newMailbox()
	if err != nil {
		closeFD(ln)
		closeFD(int32(ep))
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	lp := &loop{
		l: l, ep: int32(ep), ln: ln, mail: mail,
		conns:          newSlab(),
		wheel:          newWheel(),
		pipes:          pipes{budget: &l.budget},
		start:          time.Now(),
		acceptTimer:    timer{id: acceptTimerID},
		pipesTimer:     timer{id: pipesTimerID},
		legOptions:     legOptions(l.cfg.Timeouts.User),
		connectTimeout: l.cfg.Timeouts.Connect,
	}
	if lp.connectTimeout <= 0 {
		lp.connectTimeout = defaultConnect
	}
	lp.mover = mover{kernel: linux{}, lender: lp, buf: new(block)}
	for _, b := range l.pool.backends {
		sa, err := sockaddr(b)
		if err != nil || b.Addr().Zone() != "" {
			sa = nil
		}
		lp.sockaddrs = append(lp.sockaddrs, sa)
	}
	for id, fd := range map[int32]int32{listenerID: ln, mailboxID: mail.fd} {
		if err := lp.add(fd, unix.EPOLLIN|unix.EPOLLET, id, 0); err != nil {
			lp.close()
			return nil, err
		}
	}
	return lp, nil
}

// add puts a descriptor into the epoll set, with what its events will carry.
func (lp *loop) add(fd int32, events uint32, id int32, generation uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: id, Pad: int32(generation)}
	if err := unix.EpollCtl(int(lp.ep), unix.EPOLL_CTL_ADD, int(fd), &ev); err != nil {
		return fmt.Errorf("add a descriptor to the epoll set: %w", err)
	}
	return nil
}

// close gives back what the loop has besides connections.
func (lp *loop) close() {
	lp.mail.end()
	lp.stop()
	for {
		lp.wheel.stop(&lp.pipesTimer)
		if !lp.pipes.trim() {
			break
		}
	}
	closeFD(lp.ep)
}

// stop closes the listening socket. The kernel resets clients that wait there.
func (lp *loop) stop() {
	lp.stopping, lp.acceptable = true, false
	lp.wheel.stop(&lp.acceptTimer)
	if lp.ln != noFD {
		closeFD(lp.ln)
		lp.ln = noFD
	}
}

// run serves until it was told to stop and the last connection has gone.
func (lp *loop) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer lp.close()
	for !lp.stopping || lp.conns.live > 0 {
		n, err := lp.wait()
		if err != nil {
			lp.conns.each(lp.reset)
			return os.NewSyscallError("epoll_wait", err)
		}
		lp.now = lp.clock()
		for i := range n {
			lp.dispatch(&lp.events[i])
		}
		if lp.acceptable {
			lp.accept()
		}
		lp.goOn()
		lp.wheel.advance(lp.now, lp.expired)
	}
	return nil
}

func (lp *loop) clock() time.Duration { return time.Since(lp.start) }

// dispatch hands an event to whom it concerns, if that is still there.
func (lp *loop) dispatch(ev *unix.EpollEvent) {
	switch ev.Fd {
	case listenerID:
		lp.acceptable = !lp.stopping && !lp.acceptTimer.isSet()
	case mailboxID:
		for _, m := range lp.mail.receive() {
			m.reply <- lp.obey(m.order)
		}
	default:
		if c := lp.conns.find(ev.Fd>>1, uint32(ev.Pad)); c != nil {
			lp.told(c, int(ev.Fd&1), ev.Events)
		}
	}
}

// obey returns how many connections it reset.
func (lp *loop) obey(o order) int {
	switch o {
	case stopAccepting:
		lp.stop()
		return 0
	case resetAll:
		n := lp.conns.live
		lp.conns.each(lp.reset)
		return n
	}
	return 0
}

// goOn gives each connection that has more to do another turn.
func (lp *loop) goOn() {
	n := len(lp.todo)
	for _, id := range lp.todo[:n] {
		if c := lp.conns.at(id); c.queued {
			c.queued = false
			lp.pump(c)
		}
	}
	lp.todo = lp.todo[:copy(lp.todo, lp.todo[n:])]
}

// expired is told of timers.
func (lp *loop) expired(t *timer) {
	switch t.id {
	case acceptTimerID:
		lp.acceptable = !lp.stopping
	case pipesTimerID:
		if lp.pipes.trim() {
			lp.wheel.set(t, lp.now+spareFor)
		}
	default:
		lp.timeout(lp.conns.at(t.id))
	}
}

// take implements the lender of the mover.
func (lp *loop) take() *pipe { return lp.pipes.get(lp.now) }

// give implements the lender of the mover.
func (lp *loop) give(empty *pipe) {
	lp.pipes.put(empty)
	if !lp.pipesTimer.isSet() {
		lp.wheel.set(&lp.pipesTimer, lp.now+spareFor)
	}
}
