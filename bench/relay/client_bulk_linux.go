package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// flowLeast is how much must have come before the client is woken. Without it
// most of a machine's work is waking the client, whatever stands between.
const flowLeast = 128 << 10

// bulk takes an endless answer from each connection and throws it away.
func (c *client) bulk() (map[string]float64, error) {
	for i := range c.conns {
		k := &c.conns[i]
		if err := c.dial(k); err != nil {
			return nil, fmt.Errorf("flow %d of %d: %w", i+1, len(c.conns), err)
		}
		if n, errno := send(k.fd, c.request, 0); n != len(c.request) {
			return nil, failed("ask for a flow", n, errno)
		}
		err := errors.Join(
			unix.SetsockoptInt(int(k.fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, flowLeast),
			unix.SetNonblock(int(k.fd), true),
			watch(c.epoll, k.fd, k.id, unix.EPOLLIN),
		)
		if err != nil {
			return nil, err
		}
	}
	u, err := c.loop(c.flowed)
	if err != nil {
		return nil, err
	}
	if n := c.stalled(); n > 0 {
		return nil, fmt.Errorf("%d of %d flows had no byte in %.1f s", n, len(c.conns), u.seconds)
	}
	if c.done == 0 {
		return nil, fmt.Errorf("no byte within %s", c.Time)
	}
	gigabytes := float64(c.done) / 1e9
	m := map[string]float64{"rate": 8 * gigabytes / u.seconds, "busy": u.busy / gigabytes}
	if len(c.Balancer) > 0 {
		m["cpu"] = u.cpu / gigabytes
	}
	return m, nil
}

// flowed takes what has come, without copying it.
func (c *client) flowed(k *conn, _ uint32) error {
	n, errno := recv(k.fd, c.in, unix.MSG_TRUNC)
	if errno == unix.EAGAIN {
		return nil
	}
	if errno != 0 || n == 0 {
		return failed("read from a flow", n, errno)
	}
	if c.counting {
		c.done += int64(n)
		k.done += int64(n)
	}
	return nil
}
