package proxy

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// order is what a loop is told by others.
type order int

const (
	stopAccepting order = iota
	resetAll
)

// message is an order; what the loop answers is how many connections it reset.
type message struct {
	order order
	reply chan<- int
}

// mailbox takes messages to a loop from any goroutine and wakes it. Nobody ever
// waits for a loop that does not run: it is answered at once.
type mailbox struct {
	fd int32 // an eventfd (eventfd(2)) in the loop's epoll set

	mu    sync.Mutex
	open  bool
	queue []message
}

func newMailbox() (*mailbox, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &mailbox{fd: int32(fd)}, nil
}

// begin says that the loop runs, end that it won't look again.
func (m *mailbox) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open = true
}

func (m *mailbox) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open = false
	for _, left := range m.queue {
		left.reply <- 0
	}
	m.queue = nil
	closeFD(m.fd)
}

// send returns where the answer will come.
func (m *mailbox) send(o order) <-chan int {
	reply := make(chan int, 1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.open {
		reply <- 0
		return reply
	}
	m.queue = append(m.queue, message{o, reply})
	one := uint64(1)
	// It fails when the counter is full only; the loop is woken then anyhow.
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(m.fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
	return reply
}

// receive returns what was sent since the last call.
func (m *mailbox) receive() []message {
	var n uint64
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(m.fd), uintptr(unsafe.Pointer(&n)), unsafe.Sizeof(n))
	m.mu.Lock()
	defer m.mu.Unlock()
	got := m.queue
	m.queue = nil
	return got
}
