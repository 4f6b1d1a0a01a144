package page

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

var binary string

func TestMain(m *testing.M) { labtest.Main(m, labtest.Build("cmd/kshalb", &binary)) }

// masters starts three, each with an API server.
func masters(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := cluster.New(labtest.New(t), binary)
	must(t, err)
	for _, m := range c.Masters {
		pair, err := m.Certificate(pki.Names{})
		must(t, err)
		cert, err := pair.TLS()
		must(t, err)
		ln, err := m.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
		must(t, err)
		labtest.Background(t, func(ctx context.Context) error { return demo.ServeAPI(ctx, ln, m.Name(), cert) })
		must(t, m.Start())
	}
	must(t, c.WaitReady(labtest.Context(t, 30*time.Second)))
	return c
}

// roles waits until a master has the address, and returns it and another one.
func roles(t *testing.T, c *cluster.Cluster) (holder, other *cluster.Master) {
	t.Helper()
	w, err := c.Lab.Watch(c.VIP)
	must(t, err)
	seen, err := w.WaitOwner(labtest.Context(t, 30*time.Second), time.Now())
	must(t, err)
	must(t, w.Close())
	for _, m := range c.Masters {
		if m.Name() != seen.Host {
			other = m
		}
	}
	return c.Master(seen.Host), other
}

// bridge lets this host's browser see a master's own loopback.
func bridge(t *testing.T, m *cluster.Master) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "127.0.0.1:9446"})
	proxy.Transport = &http.Transport{DialContext: m.DialContext}
	proxy.FlushInterval = -1
	srv := httptest.NewServer(proxy)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv.URL
}

// TestLive: the page shows a failover as it happens, and says when it has lost its
// own server.
func TestLive(t *testing.T) {
	c := masters(t)
	holder, other := roles(t, c)
	b := open(t, bridge(t, other))
	b.until(fmt.Sprintf("document.getElementById('vips').innerText.includes('● %s has it')", holder.Name()), 10*time.Second)
	b.until("document.querySelectorAll('#peers li').length === 3 && document.getElementById('live').innerText === 'Live: this node is ready.'", 10*time.Second)
	b.until("[...document.querySelectorAll('#backends tbody tr')].filter(r => r.innerText.includes('✓ up')).length === 3", 10*time.Second)
	labtest.Background(t, c.Traffic("/whoami").Run)
	busy := open(t, bridge(t, holder))
	busy.until("/now [1-9].*a second/.test([...document.querySelectorAll('svg')][1].getAttribute('aria-label'))", 20*time.Second)
	busy.noTroubles()

	must(t, holder.Kshalb().Kill())
	b.until(fmt.Sprintf("(t => t.includes('has it') && !t.includes('● %s '))(document.getElementById('vips').innerText)", holder.Name()), 20*time.Second)
	b.until(fmt.Sprintf("document.getElementById('peers').innerText.includes('✕ dead') && document.getElementById('changes').innerText.includes('%s')", holder.Name()), 30*time.Second)
	b.noTroubles()

	must(t, other.Kshalb().Kill())
	b.until("document.getElementById('live').innerText.startsWith('Lost: this kshalb has not answered since ')", 20*time.Second)
	must(t, other.Start())
	b.until("document.getElementById('live').innerText.startsWith('Live: ')", 30*time.Second)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
