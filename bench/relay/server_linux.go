package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

const (
	requestSize = 200
	endless     = ^uint32(0) // the answer to a request that asks for a flow
	flowChunk   = 256 << 10  // bytes written at a time
)

// request is what a client sends: the size of the answer, and padding.
func request(answer uint32) []byte {
	b := make([]byte, requestSize)
	binary.LittleEndian.PutUint32(b, answer)
	return b
}

// server answers requests from one thread. Its memory is there before the
// first client comes.
type server struct {
	epoll, listener int
	peers           []peer // by descriptor
	in, out         []byte
	events          []unix.EpollEvent
}

// peer is one connection.
type peer struct {
	head [4]byte // of the request that is coming in
	got  int     // bytes of it
	left int     // bytes of an answer that the socket did not take yet
	flow bool    // send for ever
}

// serve runs until the process is killed.
func serve(at netip.AddrPort) error {
	limit, err := raiseDescriptors(maxDescriptors)
	if err != nil {
		return err
	}
	s := &server{
		peers: make([]peer, limit), in: make([]byte, 64<<10), out: make([]byte, flowChunk),
		events: make([]unix.EpollEvent, 512),
	}
	if err := s.listen(at); err != nil {
		return fmt.Errorf("listen on %s: %w", at, err)
	}
	for {
		events, err := wait(s.epoll, s.events, -1)
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Fd < 0 {
				err = s.accept()
			} else if s.handle(e) != nil {
				err = unix.Close(int(e.Fd))
			}
			if err != nil {
				return err
			}
		}
	}
}

func (s *server) listen(at netip.AddrPort) (err error) {
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	fd, err := socket(unix.SOCK_NONBLOCK)
	if err != nil {
		return err
	}
	s.listener = int(fd)
	return errors.Join(
		unix.SetsockoptInt(s.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(s.listener, sockaddr(at)),
		unix.Listen(s.listener, 1<<15), // the kernel caps it at somaxconn
		watch(s.epoll, fd, -1, unix.EPOLLIN),
	)
}

func (s *server) accept() error {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ECONNABORTED) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		s.peers[fd] = peer{}
		if err := watch(s.epoll, int32(fd), int32(fd), unix.EPOLLIN); err != nil {
			return err
		}
	}
}

// handle does what an event asks for; an error is the end of the connection.
func (s *server) handle(e unix.EpollEvent) error {
	p := &s.peers[e.Fd]
	if e.Events&unix.EPOLLOUT != 0 {
		if err := s.push(e.Fd, p); err != nil {
			return err
		}
	}
	if e.Events&^unix.EPOLLOUT == 0 {
		return nil
	}
	n, errno := recv(e.Fd, s.in, 0)
	if errno == unix.EAGAIN {
		return nil
	}
	if errno != 0 {
		return errno
	}
	if n == 0 {
		return unix.ENOTCONN
	}
	return s.take(e.Fd, p, s.in[:n])
}

// take answers every request that is complete with these bytes.
func (s *server) take(fd int32, p *peer, in []byte) error {
	for len(in) > 0 {
		if p.got < len(p.head) {
			copy(p.head[p.got:], in)
		}
		n := min(len(in), requestSize-p.got)
		p.got, in = p.got+n, in[n:]
		if p.got < requestSize {
			return nil
		}
		p.got = 0
		size := binary.LittleEndian.Uint32(p.head[:])
		p.flow = size == endless
		if !p.flow {
			p.left += int(size)
		}
		if err := s.push(fd, p); err != nil {
			return err
		}
		if p.flow || p.left > 0 {
			if err := s.await(fd, unix.EPOLLIN|unix.EPOLLOUT); err != nil {
				return err
			}
		}
	}
	return nil
}

// push sends what the peer is owed, one write at a time so that many flows get
// their turns.
func (s *server) push(fd int32, p *peer) error {
	size := min(p.left, len(s.out))
	if p.flow {
		size = len(s.out)
	}
	if size == 0 {
		return s.await(fd, unix.EPOLLIN)
	}
	n, errno := send(fd, s.out[:size], 0)
	if errno == unix.EAGAIN {
		return nil
	}
	if errno != 0 {
		return errno
	}
	if !p.flow {
		p.left -= n
	}
	return nil
}

func (s *server) await(fd int32, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: fd}
	return unix.EpollCtl(s.epoll, unix.EPOLL_CTL_MOD, int(fd), &e)
}
