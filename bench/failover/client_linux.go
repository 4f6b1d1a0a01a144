package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
)

const (
	attemptEvery = 5 * time.Millisecond
	attemptLimit = 300 * time.Millisecond
)

// client connects to an address again and again. It is safe for concurrent use.
type client struct {
	host *lab.Host
	to   netip.AddrPort

	mu       sync.Mutex
	attempts []attempt // in the order in which they were over
	changed  chan struct{}
}

func newClient(h *lab.Host, to netip.AddrPort) *client {
	return &client{host: h, to: to, changed: make(chan struct{})}
}

// Run begins attempts until ctx is done, and returns when the last is over. The
// sockets are made by one thread that stays in the host's namespace; nothing
// else of an attempt needs a thread, so any number may hang.
func (c *client) Run(ctx context.Context) error {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	return c.host.Do(func() error {
		tick := time.NewTicker(attemptEvery)
		defer tick.Stop()
		for {
			a := attempt{begin: time.Now()}
			conn, err := c.begin()
			if err != nil {
				return fmt.Errorf("make the client's socket: %w", err)
			}
			attempts.Go(func() { c.finish(a, conn) })
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// begin sends a SYN. That the kernel refuses to is no error, but an attempt that
// fails: reading says so.
func (c *client) begin() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	// Closing resets: no port is kept for TIME_WAIT, of which there would be thousands.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	_ = unix.Connect(fd, &unix.SockaddrInet4{Addr: c.to.Addr().As4(), Port: int(c.to.Port())})
	return os.NewFile(uintptr(fd), "attempt"), nil
}

// finish waits for the reply, which is a name.
func (c *client) finish(a attempt, conn *os.File) {
	defer conn.Close()
	reply := make([]byte, 64)
	n := 0
	if conn.SetReadDeadline(a.begin.Add(attemptLimit)) == nil {
		n, _ = conn.Read(reply)
	}
	a.end, a.by = time.Now(), string(reply[:max(n, 0)])

	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = append(c.attempts, a)
	close(c.changed)
	c.changed = make(chan struct{})
}

// seen returns the attempts that are over.
func (c *client) seen() []attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.attempts)
}

// forget drops what is of no use to later trials.
func (c *client) forget(before time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = since(c.attempts, before)
}

// waitSteady waits until masters for which ok holds have served without a break
// for so long, by attempts that began after a moment.
func (c *client) waitSteady(ctx context.Context, after time.Time, need time.Duration, ok func(by string) bool) error {
	for {
		c.mu.Lock()
		is, changed := steady(c.attempts, after, need, ok), c.changed
		c.mu.Unlock()
		if is {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %v of service without a break: %w", need, context.Cause(ctx))
		}
	}
}
