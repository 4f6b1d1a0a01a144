package failover

import (
	"bufio"
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

// TestClientsOfTheDead: clients on every host, the one that takes the address over
// included, learn that the holder of the VIP is gone: one that only waits for bytes, and
// one that asks again and again.
func TestClientsOfTheDead(t *testing.T) {
	for name, o := range map[string]cluster.Options{"IPv4": {}, "IPv6": {IPv6: true}} {
		t.Run(name, func(t *testing.T) { orphaned(t, masters(t, o)) })
	}
}

// told is when clients learn of a cut at the latest: after a lease, and after the second
// of the tickles if the first was not heard.
const told = 2 * time.Second

func orphaned(t *testing.T, c *cluster.Cluster) {
	s := observe(t, c)
	var all []client
	for _, h := range append(hosts(c.Masters), c.Client) {
		if h != s.holder.Host {
			all = append(all, s.client(h, "who waits", waits), s.client(h, "who asks", asks))
		}
	}
	// The time in which the holder tells its peers of them: soon of new ones, and again
	// each second.
	<-time.After(2 * time.Second)
	cut := time.Now()
	must(t, s.holder.Cut(lab.Isolate))
	next, _ := s.owner(cut, s.holder.Name())
	for _, c := range all {
		select {
		case e := <-c.over:
			t.Logf("%s (next holder %s): told after %s: %v", c.name, next.Name(), e.at.Sub(cut).Round(time.Millisecond), e.err)
			if e.at.Before(cut) || !errors.Is(e.err, syscall.ECONNRESET) {
				t.Errorf("%s: %v, want a reset", c.name, e.err)
			}
		case <-time.After(time.Until(cut.Add(told))):
			t.Errorf("%s (next holder %s) is not told within %s", c.name, next.Name(), told)
		}
	}
	must(t, s.holder.Heal())
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
