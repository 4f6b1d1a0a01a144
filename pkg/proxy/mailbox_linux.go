package proxy

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// order is what a loop is told by others.
type order int

const (
	serve         order = iota // accept from a socket; 1 is the answer when that is done
	stopAccepting              // close it
	resetAll                   // reset a listener's connections, and say how many
	resetBackend               // those to one backend
	shed                       // send up to n of those away that are idle for long enough, and say how many
	retune                     // set a listening socket's options anew
	answer                     // do nothing else
	quit                       // reset everything and end
)

// message is an order, and for whom.
type message struct {
	order   order
	on      *Listener
	socket  int32   // to serve
	backend *member // whose connections to reset, or to send away
	n       int
	idle    time.Duration
	reply   chan<- int
}

// mailbox takes messages to a loop from any goroutine and wakes it. What comes
// before the loop runs waits for it; what comes after its end is answered 0.
type mailbox struct {
	mu    sync.Mutex
	fd    int32 // an eventfd (eventfd(2)) in the loop's epoll set; noFD unless it runs
	ended bool
	queue []message
}

func newMailbox() *mailbox { return &mailbox{fd: noFD} }

// open makes the eventfd that wakes.
func (m *mailbox) open() error {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fd = int32(fd)
	if len(m.queue) > 0 {
		m.wake()
	}
	return nil
}

// end says that the loop won't look again.
func (m *mailbox) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	for _, left := range m.queue {
		left.reply <- 0
	}
	m.queue = nil
	if m.fd != noFD {
		closeFD(m.fd)
		m.fd = noFD
	}
}

// send returns where the answer will come.
func (m *mailbox) send(what message) <-chan int {
	reply := make(chan int, 1)
	what.reply = reply
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		reply <- 0
		return reply
	}
	m.queue = append(m.queue, what)
	if m.fd != noFD {
		m.wake()
	}
	return reply
}

// wake fails when the counter is full only; the loop is woken then anyhow.
func (m *mailbox) wake() {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(m.fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
}

// receive returns what was sent since the last call.
func (m *mailbox) receive() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fd != noFD {
		var n uint64
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(m.fd), uintptr(unsafe.Pointer(&n)), unsafe.Sizeof(n))
	}
	got := m.queue
	m.queue = nil
	return got
}
