package failover

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// told is when clients have learnt of a cut at the latest, on a busy machine: another one
// has the VIP after a lease, and tells them at once, and again.
const told = 2 * time.Second

// TestClientsOfTheDead: clients on every host, the one that takes the VIP over
// included, learn that its holder is gone: who only waits for bytes, and who asks.
func TestClientsOfTheDead(t *testing.T) {
	for name, o := range map[string]cluster.Options{"IPv4": {}, "IPv6": {IPv6: true}} {
		t.Run(name, func(t *testing.T) { orphaned(t, masters(t, o)) })
	}
}

func orphaned(t *testing.T, c *cluster.Cluster) {
	s := observe(t, c)
	var clients []client
	for _, h := range append(hosts(c.Masters), c.Client) {
		if h != s.holder.Host {
			clients = append(clients, s.client(h, "who waits", waits), s.client(h, "who asks", asks))
		}
	}
	s.known()
	cut := time.Now()
	must(t, s.holder.Cut(lab.Isolate))
	next, _ := s.owner(cut, s.holder.Name())
	t.Log("next holder: ", next.Name())
	for _, c := range clients {
		s.told(c, cut, cut.Add(told))
	}
}

// TestClientsHearLate: a client that hears nothing of the new holder at first, as
// behind a switch that is busy or has to learn, is told all the same.
func TestClientsHearLate(t *testing.T) {
	s := observe(t, masters(t, cluster.Options{}))
	c := s.client(s.Client, "who waits", waits)
	s.known()
	for _, m := range s.Masters {
		must(t, meet(s.ctx, s.Client, m.Host))
		must(t, m.Block(s.Client))
	}
	cut := time.Now()
	must(t, s.holder.Cut(lab.Isolate))
	_, moved := s.owner(cut, s.holder.Name())
	<-time.After(time.Until(moved.Add(1500 * time.Millisecond))) // the time that the scene is about
	heard := time.Now()
	for _, m := range s.Masters {
		must(t, m.Unblock(s.Client))
	}
	s.told(c, heard, heard.Add(2*told))
}

// meet has two hosts know where the other is: what is sent is not kept until they do.
func meet(ctx context.Context, a, b *lab.Host) error {
	conn, err := a.DialContext(ctx, "tcp", netip.AddrPortFrom(b.Addr(), cluster.Port).String())
	if err != nil {
		return err
	}
	return conn.Close()
}

// known lets the time pass in which a holder tells its peers of its clients: soon of new ones, and
// again each second.
func (s *scene) known() { <-time.After(1500 * time.Millisecond) }

// told waits until a client's connection is reset, and asserts that this is between two
// moments.
func (s *scene) told(c client, from, to time.Time) {
	s.Helper()
	select {
	case e := <-c.over:
		s.Logf("%s: after %s: %v", c.name, e.at.Sub(from).Round(time.Millisecond), e.err)
		if e.at.Before(from) || !errors.Is(e.err, syscall.ECONNRESET) {
			s.Errorf("%s: %v, want a reset", c.name, e.err)
		}
	case <-time.After(time.Until(to)):
		s.Errorf("%s is not told within %s", c.name, to.Sub(from))
	}
}

// client is one on a connection of its own through the VIP.
type client struct {
	name string
	over chan ending
}

// ending is when a connection failed, and how.
type ending struct {
	at  time.Time
	err error
}

// client connects from a host, and does something until that fails.
func (s *scene) client(h *lab.Host, name string, do func(*tls.Conn) error) client {
	s.Helper()
	raw, err := h.DialContext(s.ctx, "tcp", netip.AddrPortFrom(s.VIP, cluster.Port).String())
	must(s.T, err)
	conn := tls.Client(raw, &tls.Config{RootCAs: s.CA.Pool(), ServerName: cluster.Name, MinVersion: tls.VersionTLS12})
	s.Cleanup(func() { conn.Close() })
	must(s.T, conn.HandshakeContext(s.ctx))
	c := client{name + " on " + h.Name(), make(chan ending, 1)}
	go func() {
		err := do(conn)
		c.over <- ending{time.Now(), err}
	}()
	return c
}

// waits for bytes that never come.
func waits(conn *tls.Conn) error {
	_, err := conn.Read(make([]byte, 1))
	return err
}

// asks each 100 ms.
func asks(conn *tls.Conn) error {
	answers := bufio.NewReader(conn)
	for range time.Tick(100 * time.Millisecond) {
		if _, err := fmt.Fprintf(conn, "GET /whoami HTTP/1.1\r\nHost: %s\r\n\r\n", cluster.Name); err != nil {
			return err
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
	}
	return nil
}
