package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
)

// TestPort: an apiserver on all addresses starts, and starts again, on a host
// whose kshalb holds the VIP. With --permit-port-sharing kshalb shares its port
// and gets every client of the VIP, and leaves the port when the apiserver comes
// back without.
func TestPort(t *testing.T) {
	p := start(t)
	ctx := labtest.Context(t, startup)
	m := p.held(ctx, t)

	p.restart(ctx, t, m) // kshalb is there before it, and was started after the last one
	p.bound(ctx, t, m, 26443)
	p.restart(ctx, t, m, "--permit-port-sharing=true")
	p.bound(ctx, t, m, 26443) // as it was when kshalb started
	p.reaches(ctx, t, m, p.VIP, 10)

	must(t, m.Kshalb().Stop(ctx))
	must(t, m.Start())
	must(t, p.restored(ctx))
	p.bound(ctx, t, m, cluster.Port)
	p.handOver(ctx, t, m)
	p.reaches(ctx, t, m, p.VIP, 40)
	p.reaches(ctx, t, m, m.Addr(), 0)

	p.restart(ctx, t, m)
	p.bound(ctx, t, m, 26443)
	p.reaches(ctx, t, p.held(ctx, t), p.VIP, 10)
}

// held waits until one has the address, and returns it.
func (p *controlPlane) held(ctx context.Context, t *testing.T) *cluster.Master {
	t.Helper()
	w, err := p.Lab.Watch(p.VIP)
	must(t, err)
	seen, err := w.WaitOwner(ctx, time.Now())
	must(t, err)
	return p.Master(seen.Host)
}

// handOver gives the VIP to a master, once the others hear it.
func (p *controlPlane) handOver(ctx context.Context, t *testing.T, to *cluster.Master) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		from := p.held(ctx, t)
		_, err := admin.AskHandover(ctx, from.Socket(), "apiserver", to.Name())
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

// restart kills the apiserver of a master and starts it again, with more flags.
func (p *controlPlane) restart(ctx context.Context, t *testing.T, m *cluster.Master, more ...string) {
	t.Helper()
	must(t, p.running[m.Name()].Kill())
	begin := time.Now()
	must(t, p.startAPIServer(m, more...))
	ended, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		<-p.running[m.Name()].Done()
		cancel(fmt.Errorf("the apiserver has ended: %s", p.running[m.Name()].Tail(500)))
	}()
	must(t, p.waitAPI(ended, m))
	t.Logf("the apiserver of %s is ready %v after it was killed", m.Name(), time.Since(begin).Round(time.Millisecond))
	must(t, m.WaitStatus(ctx, allUp))
}

// bound waits until the listener's socket is on a port of the VIP.
func (p *controlPlane) bound(ctx context.Context, t *testing.T, m *cluster.Master, port int) {
	t.Helper()
	must(t, m.WaitStatus(ctx, func(n status.Node) error {
		if got := n.Listeners[0].Bind; !strings.HasSuffix(got, fmt.Sprint(":", port)) {
			return fmt.Errorf("the socket is at %s, want port %d", got, port)
		}
		return nil
	}))
}

// reaches connects to port 6443 of an
// address, and wants so many of a master's kshalb to have relayed.
func (p *controlPlane) reaches(ctx context.Context, t *testing.T, m *cluster.Master, to netip.Addr, want int) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DialContext: p.Client.DialContext, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: p.CA.Pool(), ServerName: cluster.Name, MinVersion: tls.VersionTLS12},
	}}
	before := p.relayed(ctx, t, m)
	for range max(want, 5) {
		must(t, get(ctx, &client, fmt.Sprintf("https://%s/readyz", netip.AddrPortFrom(to, cluster.Port))))
	}
	if n := p.relayed(ctx, t, m) - before; n != want {
		t.Errorf("kshalb on %s relayed %d of %d connections to %s, want %d", m.Name(), n, max(want, 5), to, want)
	}
}

// relayed is how many connections kshalb's own metric counts.
func (p *controlPlane) relayed(ctx context.Context, t *testing.T, m *cluster.Master) (sum int) {
	t.Helper()
	for _, b := range p.Masters {
		n, err := m.Metric(ctx, fmt.Sprintf(`kshalb_proxy_connections_total{backend="%s",listener="apiserver",result="ok"}`,
			netip.AddrPortFrom(b.Addr(), cluster.Port)))
		must(t, err)
		sum += int(n)
	}
	return sum
}
