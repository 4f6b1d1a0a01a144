package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// client is the load: one thread, all connections.
type client struct {
	order
	epoll   int
	conns   []conn
	request []byte
	in      []byte
	events  []unix.EpollEvent

	counting bool
	done     int64 // requests, connections or bytes while counting
	latency  histogram
}

// conn is one connection.
type conn struct {
	fd   int32
	id   int32     // its place among the connections
	got  int       // bytes of the answer
	sent time.Time // when the request was, or the connection was begun
	done int64     // as in client
}

func newClient(o order) *client {
	answer := uint32(o.Answer)
	if o.Kind == bulk {
		answer = endless
	}
	c := &client{
		order: o, conns: make([]conn, o.Conns), request: request(answer),
		in: make([]byte, 1<<20), events: make([]unix.EpollEvent, 512),
	}
	for i := range c.conns {
		c.conns[i].id = int32(i)
	}
	return c
}

func (c *client) run() (map[string]float64, error) {
	if _, err := raiseDescriptors(maxDescriptors); err != nil {
		return nil, err
	}
	if err := c.awaitService(10 * time.Second); err != nil {
		return nil, err
	}
	var err error
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("make an epoll set: %w", err)
	}
	switch c.Kind {
	case await:
		return map[string]float64{}, nil
	case requests:
		return c.requests()
	case bulk:
		return c.bulk()
	case connects:
		return c.connects()
	case idle:
		return c.idle()
	}
	return nil, fmt.Errorf("there is no workload %q", c.Kind)
}

// awaitService asks until there is an answer.
func (c *client) awaitService(limit time.Duration) error {
	small := newClient(order{To: c.To, Answer: 1})
	for end := time.Now().Add(limit); ; {
		var probe conn
		err := small.dial(&probe)
		if err == nil {
			err = errors.Join(small.ask(&probe), unix.Close(int(probe.fd)))
		}
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("no answer within %s: %w", limit, err)
		}
		time.Sleep(2 * time.Millisecond) // nothing says when a balancer begins to listen
	}
}

// dial connects, and waits for it.
func (c *client) dial(k *conn) (err error) {
	if k.fd, err = socket(0); err != nil {
		return err
	}
	patience := unix.Timeval{Sec: 2}
	err = errors.Join(
		unix.SetsockoptTimeval(int(k.fd), unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience),
		unix.Connect(int(k.fd), sockaddr(c.To)),
	)
	if err != nil {
		return errors.Join(fmt.Errorf("connect to %s: %w", c.To, err), unix.Close(int(k.fd)))
	}
	return nil
}

// ask sends a request on a new connection and waits for the answer.
func (c *client) ask(k *conn) error {
	if _, errno := send(k.fd, c.request, 0); errno != 0 {
		return fmt.Errorf("send a first request: %w", errno)
	}
	for got := 0; got < c.Answer; {
		n, errno := recv(k.fd, c.in, 0)
		if errno != 0 {
			return fmt.Errorf("wait for a first answer: %w", errno)
		}
		if n == 0 {
			return errors.New("wait for a first answer: the connection was closed")
		}
		got += n
	}
	return nil
}

// loop hands out events until the warm-up and the counted time are over, and
// returns what the balancer and the machine have used in the latter. On a machine
// so busy that nothing was done in it, it goes on until something is.
func (c *client) loop(handle func(*conn, uint32) error) (used, error) {
	warm := time.Now().Add(c.Warm)
	if err := c.until(warm, handle); err != nil {
		return used{}, err
	}
	m, err := startMeter(c.Balancer)
	if err != nil {
		return used{}, err
	}
	c.counting = true
	for end := m.start.Add(c.Time); ; end = end.Add(c.Time) {
		if err := c.until(end, handle); err != nil {
			return used{}, err
		}
		if c.done > 0 || time.Since(m.start) > 5*time.Second {
			return m.stop()
		}
	}
}

func (c *client) until(end time.Time, handle func(*conn, uint32) error) error {
	for {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		events, err := wait(c.epoll, c.events, int(left.Milliseconds())+1)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := handle(&c.conns[e.Fd], e.Events); err != nil {
				return err
			}
		}
	}
}

// stalled counts connections on which nothing was done, in a time that is long
// enough for each to have had its turn.
func (c *client) stalled() int {
	n := 0
	if c.Time < 500*time.Millisecond {
		return n
	}
	for i := range c.conns {
		if c.conns[i].done == 0 {
			n++
		}
	}
	return n
}

// failed is the error of a connection that should have gone on.
func failed(doing string, n int, errno unix.Errno) error {
	if errno != 0 {
		return fmt.Errorf("%s: %w", doing, errno)
	}
	return fmt.Errorf("%s: the connection ended after %d bytes more", doing, n)
}
