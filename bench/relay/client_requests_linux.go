package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// requests keeps one request under way on each connection.
func (c *client) requests() (map[string]float64, error) {
	for i := range c.conns {
		k := &c.conns[i]
		if err := errors.Join(c.dial(k), c.ask(k)); err != nil {
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, len(c.conns), err)
		}
		err := errors.Join(unix.SetNonblock(int(k.fd), true), watch(c.epoll, k.fd, k.id, unix.EPOLLIN))
		if err != nil {
			return nil, err
		}
	}
	for i := range c.conns {
		if err := c.askAgain(&c.conns[i], time.Now()); err != nil {
			return nil, err
		}
	}
	u, err := c.loop(c.answered)
	if err != nil {
		return nil, err
	}
	if n := c.stalled(); n > 0 && c.done > 20*int64(len(c.conns)) {
		return nil, fmt.Errorf("%d of %d connections had no answer while others had 20 each", n, len(c.conns))
	}
	return c.perRequest(u)
}

// perRequest are the figures of what is counted by the piece.
func (c *client) perRequest(u used) (map[string]float64, error) {
	if c.done == 0 {
		return nil, fmt.Errorf("no answer within %s", c.Time)
	}
	n := float64(c.done)
	m := map[string]float64{
		"rate": n / u.seconds, "busy": u.busy / n * 1e6,
		"p50": c.latency.quantile(0.50) / 1e3, "p99": c.latency.quantile(0.99) / 1e3,
	}
	if len(c.Balancer) > 0 {
		m["cpu"] = u.cpu / n * 1e6
	}
	return m, nil
}

func (c *client) askAgain(k *conn, now time.Time) error {
	k.got, k.sent = 0, now
	if n, errno := send(k.fd, c.request, unix.MSG_DONTWAIT); n != len(c.request) {
		return failed("send a request", n, errno)
	}
	return nil
}

// answered takes part of an answer, and asks again when it is complete.
func (c *client) answered(k *conn, _ uint32) error {
	n, errno := recv(k.fd, c.in, 0)
	if errno == unix.EAGAIN {
		return nil
	}
	if errno != 0 || n == 0 {
		return failed("wait for an answer", n, errno)
	}
	if k.got += n; k.got < c.Answer {
		return nil
	}
	if k.got > c.Answer {
		return fmt.Errorf("the answer has %d bytes, not %d", k.got, c.Answer)
	}
	now := time.Now()
	c.count(k, now)
	return c.askAgain(k, now)
}

func (c *client) count(k *conn, now time.Time) {
	if c.counting {
		c.done++
		k.done++
		c.latency.add(int64(now.Sub(k.sent)))
	}
}
