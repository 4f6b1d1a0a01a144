package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// TestSentAway: a client that is sent away gets a FIN, what it says then still
// arrives, and one that takes no notice is reset in the end. Its backend gets no
// blame for that.
func TestSentAway(t *testing.T) {
	full, empty := newBackend(t), newBackend(t)
	f := openWith(t, proxy.Config{
		Rebalance: proxy.Rebalance{Within: time.Millisecond, Idle: 200 * time.Millisecond, MaxPerSecond: 100},
		Timeouts:  proxy.Timeouts{HalfClosed: time.Second},
		Report:    func(b netip.AddrPort, e proxy.Evidence) { t.Errorf("%s is accused: %s", b, e.Reason) },
	}, proxy.PoolConfig{Balance: proxy.LeastConn}, full.addr, empty.addr)
	f.pool.SetState(empty.addr, proxy.Down)
	type pair struct{ client, server *net.TCPConn }
	var all []pair
	for range 6 {
		c, s := f.connect(t, full)
		all = append(all, pair{c, s})
	}
	f.pool.SetState(empty.addr, proxy.Up)

	ended := make(chan pair, len(all))
	for _, p := range all {
		go func() {
			if _, err := p.client.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
				ended <- p
			}
		}()
	}
	polite, rude := <-ended, <-ended
	if n := f.value(t, "kshalb_proxy_rebalanced_total", full.addr.String()); n < 2 {
		t.Errorf("%v connections are counted", n)
	}
	if _, err := polite.client.Write([]byte("last words")); err != nil {
		t.Error(err)
	}
	polite.client.Close()
	if said, err := io.ReadAll(polite.server); string(said) != "last words" || err != nil {
		t.Errorf("the backend was told %q, and then %v", said, err)
	}
	hearReset(t, rude.server)
	eventually(t, "two have gone", func() bool { return f.clients(t) <= 4 })
}

// TestRebalanceHTTP2: when a backend comes back, connections of net/http's HTTP/2
// that are idle move to it until all have their share, and no request fails, on those
// nor on busy ones.
func TestRebalanceHTTP2(t *testing.T) {
	var backends []netip.AddrPort
	for range 3 {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
		s.EnableHTTP2 = true
		s.StartTLS()
		t.Cleanup(s.Close)
		backends = append(backends, s.Listener.Addr().(*net.TCPAddr).AddrPort())
	}
	f := openWith(t, proxy.Config{
		Rebalance: proxy.Rebalance{Within: 2 * time.Second, Idle: time.Second, MaxPerSecond: 10},
		Timeouts:  proxy.Timeouts{HalfClosed: *patience},
	}, proxy.PoolConfig{Balance: proxy.LeastConn}, backends...)
	f.pool.SetState(backends[2], proxy.Down)

	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	var moved atomic.Int64
	for i := range 12 {
		c := newHTTP2(f.Addr())
		c.ask(t)
		t.Cleanup(c.CloseIdleConnections)
		if i < 6 {
			clients.Go(func() { c.askOften(ctx, t) })
		} else {
			clients.Go(func() { c.askWhenEnded(ctx, t, &moved) })
		}
	}
	f.pool.SetState(backends[2], proxy.Up)
	eventually(t, "the shares are even", func() bool {
		for _, b := range f.Status().Backends {
			if b.Active < 3 || b.Active > 5 {
				return false
			}
		}
		return f.Status().Active == 12
	})
	if n := moved.Load(); n < 3 || n > 6 {
		t.Errorf("%d clients moved", n)
	}
	if n := f.value(t, "kshalb_proxy_rebalanced_total"); int64(n) != moved.Load() {
		t.Errorf("%v connections were ended and %d clients moved", n, moved.Load())
	}
}

// http2 is a client with one connection.
type http2 struct {
	*http.Client
	url   string
	ended chan struct{} // the client has closed its connection
}

func newHTTP2(to netip.AddrPort) *http2 {
	c := &http2{url: "https://" + to.String(), ended: make(chan struct{}, 10)}
	c.Client = &http.Client{Timeout: *patience, Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &tellingConn{Conn: conn, ended: c.ended}, err
		},
	}}
	return c
}

// tellingConn tells when it is closed.
type tellingConn struct {
	net.Conn
	once  sync.Once
	ended chan<- struct{}
}

func (c *tellingConn) Close() error {
	c.once.Do(func() { c.ended <- struct{}{} })
	return c.Conn.Close()
}

func (c *http2) ask(t *testing.T) {
	r, err := c.Get(c.url)
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Body.Close()
	if proto, err := io.ReadAll(r.Body); string(proto) != "HTTP/2.0" || err != nil {
		t.Errorf("answered %q, %v", proto, err)
	}
}

func (c *http2) askOften(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		c.ask(t)
		select {
		case <-tick.C:
		case <-ctx.Done():
		case <-c.ended:
			t.Error("a busy connection was ended")
		}
	}
}

func (c *http2) askWhenEnded(ctx context.Context, t *testing.T, moved *atomic.Int64) {
	for {
		select {
		case <-c.ended:
			moved.Add(1)
			c.ask(t)
		case <-ctx.Done():
			return
		}
	}
}
