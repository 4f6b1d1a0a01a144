package proxy

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// legs returns the two ends of a connection.
func legs(t *testing.T) (ours, peers *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err := net.Dial("tcp4", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

func wantReset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read gave %v, want ECONNRESET", err)
	}
}

// TestAttachTooLate: a backend leg that comes when its connection was reset is
// reset itself, and not leaked.
func TestAttachTooLate(t *testing.T) {
	client, clientPeer := legs(t)
	backend, backendPeer := legs(t)
	c := newConn(client)
	if !c.reset() {
		t.Error("a new connection was not alive")
	}
	if c.attach(backend) {
		t.Error("attached to a connection that has ended")
	}
	wantReset(t, clientPeer)
	wantReset(t, backendPeer)
	if c.reset() {
		t.Error("reset twice")
	}
	if c.ctx.Err() == nil {
		t.Error("the connect phase goes on")
	}
}

// TestFirstEndCounts: what is closed in peace is not reset afterwards.
func TestFirstEndCounts(t *testing.T) {
	client, peer := legs(t)
	c := newConn(client)
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	c.close()
	if c.reset() {
		t.Error("reset after close")
	}
	if n, err := peer.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("read %d bytes and %v", n, err)
	}
}
