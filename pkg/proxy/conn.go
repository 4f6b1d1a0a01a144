package proxy

import (
	"context"
	"net"
	"sync"
)

// conn is one client's connection from accept to its end. Whoever ends it
// first, by close or reset, decides how it ends; later calls do nothing.
type conn struct {
	client *net.TCPConn
	ctx    context.Context // lives until the connect phase is over
	cancel context.CancelFunc

	mu      sync.Mutex
	backend *net.TCPConn // nil while connecting
	gone    bool
}

func newConn(client *net.TCPConn) *conn {
	c := &conn{client: client}
	// Not the listener's context: a client that was accepted is served, and
	// what drain does not wait for is reset.
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// attach ends the connect phase with a backend leg. It returns false, and
// resets the leg, when the connection has ended meanwhile.
func (c *conn) attach(backend *net.TCPConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel()
	if c.gone {
		_ = resetLeg(backend) // it is closed whatever this says
		return false
	}
	c.backend = backend
	return true
}

// close ends the connection in peace: what is written still goes out, then a
// FIN on each leg that has not sent one.
func (c *conn) close() {
	c.end((*net.TCPConn).Close)
}

// reset ends the connection with a RST on both legs, which have been sent when
// it returns. It reports whether the connection was alive.
func (c *conn) reset() bool {
	return c.end(resetLeg)
}

func (c *conn) end(how func(*net.TCPConn) error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	c.gone = true
	c.cancel()
	// Nothing is to be done about an error: the descriptor is given back in
	// any case, and there is nobody to tell.
	_ = how(c.client)
	if c.backend != nil {
		_ = how(c.backend)
	}
	return true
}
