package vip

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestSetRedirects(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		if err := b.SetRedirects([]Redirect{{6443, 0}}); err == nil || !strings.Contains(err.Error(), "6443 to 0") {
			b.Errorf("a wrong redirect: %v", err)
		}
		if err := b.SetRedirects(nil); err != nil {
			b.Error(err)
		}
		synctest.Wait()
		b.calls("redirects []") // nothing is held yet
		b.hold(time.Minute)
		b.calls("redirect", "assign", "open", "announce")
		if err := b.SetRedirects([]Redirect{{6443, 16443}}); err != nil {
			b.Error(err)
		}
		synctest.Wait()
		b.calls("redirect anew [{6443 16443}]")
		b.answers(true)
	})
}

// TestSetRedirectsFails: a VIP whose port leads nowhere is let go, and taken
// again by the next Hold.
func TestSetRedirectsFails(t *testing.T) {
	inFakeTime(t, func(b *rig) {
		b.hold(time.Minute)
		b.host.take()
		b.host.breaks("redirect anew [{6443 16444}]", errBroken)
		if err := b.SetRedirects([]Redirect{{6443, 16444}}); err != nil {
			b.Error(err)
		}
		synctest.Wait()
		b.calls("redirect anew [{6443 16444}]", "shut", "remove", "unredirect")
		b.answers(false)
		if err := b.Status().Err; !errors.Is(err, errBroken) {
			b.Errorf("Status().Err is %v", err)
		}
		b.hold(2 * time.Minute)
		b.answers(true)
	})
}

// TestKernelRedirectComesLater: the socket is at VIP:port first, and connections
// to it go on when a redirect takes its place, although conntrack begins with it.
func TestKernelRedirectComesLater(t *testing.T) {
	cfg := testConfig()
	cfg.Redirects = nil
	k := running(t, cfg)
	k.host.serve(t, "10.99.0.10:16443", "redirected")
	served := k.host.accept(t, "10.99.0.10:6443")
	defer k.keep()()
	client := k.peer.dial(t, "10.99.0.10:6443")
	server := <-served
	defer server.Close()
	go func() { // whoever asks too early comes here
		for c := range served {
			c.Close()
		}
	}()
	if err := k.SetRedirects([]Redirect{{6443, 16443}}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); k.peer.ask(t, "10.99.0.10:6443", time.Second) != "redirected"; {
		if time.Now().After(deadline) {
			t.Fatal("it is never redirected")
		}
	}
	for range 3 {
		pass(t, client, server) // the peer first: its packet is the one that conntrack meets
		pass(t, server, client)
	}
}

// accept takes one connection after the other to an address that need not be there.
func (n namespace) accept(t *testing.T, addr string) <-chan net.Conn {
	t.Helper()
	accepted := make(chan net.Conn, 100)
	n.do(t, func() error {
		lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
			ctlErr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
			return errors.Join(ctlErr, err)
		}}
		l, err := lc.Listen(t.Context(), "tcp", addr)
		if err != nil {
			return err
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			defer close(accepted)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		return nil
	})
	return accepted
}

func (n namespace) dial(t *testing.T, addr string) (c net.Conn) {
	t.Helper()
	n.do(t, func() (err error) {
		c, err = net.DialTimeout("tcp", addr, 10*time.Second)
		return err
	})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pass sends a byte from one end of a connection to the other.
func pass(t *testing.T, from, to net.Conn) {
	t.Helper()
	if _, err := from.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := to.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}
