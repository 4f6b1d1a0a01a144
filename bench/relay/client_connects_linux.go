package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// connects opens a connection, asks once, closes it and opens the next.
func (c *client) connects() (map[string]float64, error) {
	for i := range c.conns {
		if err := c.open(&c.conns[i], time.Now()); err != nil {
			return nil, err
		}
	}
	u, err := c.loop(func(k *conn, events uint32) error {
		if k.got < 0 {
			return c.opened(k, events)
		}
		return c.closeAnswered(k)
	})
	if err != nil {
		return nil, err
	}
	return c.perRequest(u)
}

// open begins to connect.
func (c *client) open(k *conn, now time.Time) (err error) {
	k.got, k.sent = -1, now
	if k.fd, err = socket(unix.SOCK_NONBLOCK); err != nil {
		return err
	}
	if err := unix.Connect(int(k.fd), sockaddr(c.To)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect to %s: %w", c.To, err)
	}
	return watch(c.epoll, k.fd, k.id, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLET)
}

func (c *client) opened(k *conn, events uint32) error {
	if events&unix.EPOLLOUT == 0 {
		return nil
	}
	k.got = 0
	if n, errno := send(k.fd, c.request, 0); n != len(c.request) {
		return failed("send a request on a new connection", n, errno)
	}
	return nil
}

func (c *client) closeAnswered(k *conn) error {
	for {
		n, errno := recv(k.fd, c.in, 0)
		if errno == unix.EAGAIN {
			return nil
		}
		if errno != 0 || n == 0 {
			return failed("wait for an answer on a new connection", n, errno)
		}
		if k.got += n; k.got >= c.Answer {
			break
		}
	}
	if err := unix.Close(int(k.fd)); err != nil {
		return fmt.Errorf("close a connection: %w", err)
	}
	now := time.Now()
	c.count(k, now)
	return c.open(k, now)
}
