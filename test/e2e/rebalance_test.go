package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// http2 is a client with one connection, as long as that lasts.
type http2 struct {
	*http.Client
	url string
}

// http2 makes one with a certificate: who is nobody, kube-apiserver has connect anew
// for each request (UnauthenticatedHTTP2DOSMitigation).
func (p *controlPlane) http2(cert tls.Certificate) http2 {
	return http2{url: "https://" + netip.AddrPortFrom(p.VIP, cluster.Port).String(), Client: &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			DialContext: p.Client.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: p.CA.Pool(), ServerName: cluster.Name, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		},
	}}
}

func (c http2) ask(ctx context.Context) error { return get(ctx, c.Client, c.url+"/version") }

// TestRebalance: after an API server was away, idle HTTP/2 clients come back to it by
// themselves, and no request of anybody fails, neither theirs nor those of clients
// that always have one on its way.
func TestRebalance(t *testing.T) {
	const busy, idle = 6, 21
	p := startAs(t, ours{}, cluster.Options{Balance: "leastconn", Rebalance: "{within: 5s, idle: 2s, maxPerSecond: 10}"})
	pair, err := p.CA.Issue(pki.Names{CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}})
	must(t, err)
	cert, err := pair.TLS()
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	h := p.Master(holder(t, p))
	away := p.Masters[0]
	if away == h {
		away = p.Masters[1]
	}

	must(t, p.running[away.Name()].Stop(labtest.Context(t, startup)))
	keep := func(every time.Duration) {
		c := p.http2(cert)
		tasks.Go(func() {
			defer c.CloseIdleConnections()
			for range ticks(ctx, every) {
				if err := c.ask(ctx); err != nil && ctx.Err() == nil {
					t.Errorf("a client that asks each %s: %v", every, err)
				}
			}
		})
	}
	for range busy {
		keep(100 * time.Millisecond)
	}
	for range idle {
		keep(4 * time.Second)
	}
	must(t, h.WaitStatus(labtest.Context(t, startup), func(n status.Node) error {
		if n.Listeners[0].Active < busy+idle {
			return fmt.Errorf("%d clients are there, want %d", n.Listeners[0].Active, busy+idle)
		}
		return nil
	}))

	show := func(when string) {
		n, err := h.Status(t.Context())
		must(t, err)
		for _, b := range n.Listeners[0].Backends {
			t.Logf("%s: %s is %s, %d clients now, %d so far", when, b.Address, b.State, b.Active, b.Connections)
		}
	}
	show("before")
	must(t, p.startAPIServer(away))
	must(t, p.restored(labtest.Context(t, startup)))
	back := time.Now()
	show("back")
	must(t, h.WaitStatus(labtest.Context(t, startup), func(n status.Node) error {
		for _, b := range n.Listeners[0].Backends {
			if b.Active < (busy+idle)/3-2 {
				return fmt.Errorf("%s has %d clients of %d", b.Address, b.Active, busy+idle)
			}
		}
		return nil
	}))
	t.Logf("shares are even %s after the API server came back", time.Since(back).Round(time.Millisecond))
	show("after")
	sum := 0.0
	for _, m := range p.Masters {
		moved, err := h.Metric(t.Context(), fmt.Sprintf(`kshalb_proxy_rebalanced_total{backend="%s",listener="apiserver"}`, netip.AddrPortFrom(m.Addr(), cluster.Port)))
		must(t, err)
		t.Logf("%v clients were sent away from the API server of %s", moved, m.Name())
		sum += moved
	}
	if sum == 0 {
		t.Error("nobody was sent away")
	}
}
