package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// idle opens all connections, asks once on each, and looks at what the balancer
// then holds for them.
func (c *client) idle() (map[string]float64, error) {
	memory, files, err := c.held()
	if err != nil {
		return nil, err
	}
	for i := range c.conns {
		k := &c.conns[i]
		if err := errors.Join(c.dial(k), c.ask(k)); err != nil {
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, len(c.conns), err)
		}
	}
	time.Sleep(c.Time) // idle is what they are to be
	memoryNow, filesNow, err := c.held()
	if err != nil {
		return nil, err
	}
	n := float64(len(c.conns))
	return map[string]float64{
		"memory": float64(memoryNow-memory) / n, "descriptors": float64(filesNow-files) / n,
	}, c.alive()
}

func (c *client) held() (memory int64, files int, err error) {
	if memory, err = c.Balancer.memory(); err != nil {
		return 0, 0, err
	}
	files, err = c.Balancer.descriptors()
	return memory, files, err
}

// alive makes sure that they are still there: a balancer that closes its
// clients' connections holds little.
func (c *client) alive() error {
	for i := range c.conns {
		if n, errno := recv(c.conns[i].fd, c.in, unix.MSG_DONTWAIT); errno != unix.EAGAIN {
			return failed("keep a connection", n, errno)
		}
	}
	return nil
}
