package proxy

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// maxEvents is how many events are taken at once.
const maxEvents = 128

// What is not of a connection has a negative id, in events and in timers.
// Acceptors have those from firstAcceptorID down.
const (
	mailboxID = -1 - iota
	pipesTimerID
	firstAcceptorID
)

// loop is an event loop: one goroutine with its own epoll set, listening
// sockets, connections and timers. Nothing of it is touched by others, but for
// its mailbox.
type loop struct {
	kernel kernel // nil before open
	mail   *mailbox

	mover
	conns     slab
	wheel     *wheel
	pipes     pipes
	acceptors []*acceptor // by their ids; nil is vacant
	accepting []*acceptor // those with clients that wait
	todo      []int32     // connections that have more to do

	now    time.Duration // as of the last wait
	serial uint32        // of the last acceptor
	glance int           // where shed looks next
	ending bool

	pipesTimer timer
	events     [maxEvents]unix.EpollEvent
	from       unix.RawSockaddrAny // the client that was accepted last
}

func newLoop(b *budget) *loop {
	return &loop{
		mail:       newMailbox(),
		conns:      newSlab(),
		wheel:      newWheel(),
		pipes:      pipes{budget: b},
		pipesTimer: timer{id: pipesTimerID},
	}
}

// on has the loop work with a kernel.
func (lp *loop) on(k kernel) {
	lp.kernel = k
	lp.pipes.transport = k
	lp.mover = mover{transport: k, lender: lp, buf: new(block)}
}

// open makes what the loop runs on. When it fails, close has to follow.
func (lp *loop) open() error {
	k, err := openLinux()
	if err != nil {
		return fmt.Errorf("make an epoll set: %w", err)
	}
	lp.on(k)
	if err := lp.mail.open(); err != nil {
		return fmt.Errorf("make an eventfd: %w", err)
	}
	if err := lp.kernel.watch(lp.mail.fd, unix.EPOLLIN, tag{id: mailboxID}); err != nil {
		return fmt.Errorf("watch an eventfd: %w", err)
	}
	return nil
}

// close ends all connections and gives back what the loop has.
func (lp *loop) close() {
	lp.mail.end()
	for _, a := range lp.acceptors {
		lp.stop(a)
	}
	lp.conns.each(lp.reset)
	for lp.pipes.trim() {
	}
	lp.wheel.stop(&lp.pipesTimer)
	if k, is := lp.kernel.(*linux); is {
		closeFD(k.ep)
	}
}

// run serves until it was told to quit.
func (lp *loop) run() error {
	defer lp.close()
	for !lp.ending {
		n, err := lp.wait()
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		lp.turn(n)
	}
	return nil
}

// turn does what n events ask for, and what is due.
func (lp *loop) turn(n int) {
	lp.now = lp.kernel.now()
	for i := range n {
		lp.dispatch(&lp.events[i])
	}
	lp.accept()
	lp.goOn()
	lp.wheel.advance(lp.now, lp.expired)
}

// dispatch hands an event to whom it concerns, if that is still there.
func (lp *loop) dispatch(ev *unix.EpollEvent) {
	switch id, generation := ev.Fd, uint32(ev.Pad); {
	case id == mailboxID:
		for _, m := range lp.mail.receive() {
			lp.obey(m)
		}
	case id <= firstAcceptorID:
		if a := lp.acceptors[firstAcceptorID-id]; a != nil && a.serial == generation {
			lp.acceptable(a)
		}
	default:
		if c := lp.conns.find(id>>1, generation); c != nil {
			lp.told(c, int(id&1), ev.Events)
		}
	}
}

// obey does what it is told, and answers.
func (lp *loop) obey(m message) {
	switch m.order {
	case serve:
		m.reply <- lp.serve(m.on, m.socket)
	case stopAccepting:
		lp.stopAccepting(lp.acceptorOf(m.on))
		m.reply <- 0
	case resetAll:
		lp.resetThose(m.reply, func(c *conn) bool { return c.from.l == m.on })
	case resetBackend:
		lp.resetThose(m.reply, func(c *conn) bool {
			return c.from.l == m.on && c.phase == relaying && c.target == m.backend && !c.mute()
		})
		lp.elsewhere(m.on, m.backend)
	case retune:
		lp.retune(lp.acceptorOf(m.on))
		m.reply <- 0
	case shed:
		m.reply <- lp.shed(m)
	case answer:
		m.reply <- 0
	case quit:
		lp.ending = true
		m.reply <- 0
	}
}

// goOn gives connections that have more to do another turn, until about one
// turn's bytes were moved: then it is the time to look for events again.
func (lp *loop) goOn() {
	done, moved := 0, 0
	for done < len(lp.todo) && moved < turn {
		c := lp.conns.at(lp.todo[done])
		done++
		if c.queued {
			c.queued = false
			if c.again {
				lp.startOver(c)
			} else {
				moved += lp.pump(c)
			}
		}
	}
	lp.todo = lp.todo[:copy(lp.todo, lp.todo[done:])]
}

// expired is told of timers.
func (lp *loop) expired(t *timer) {
	switch {
	case t.id == pipesTimerID:
		if lp.pipes.trim() {
			lp.wheel.set(t, lp.now+spareFor)
		}
	case t.id <= firstAcceptorID:
		lp.acceptable(lp.acceptors[firstAcceptorID-t.id])
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
