package paths

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// binary is the path of kshalb, built by TestMain.
var binary string

func TestMain(m *testing.M) {
	if role, is := os.LookupEnv(balancerMark); is {
		os.Exit(play(role))
	}
	labtest.Main(m, labtest.Build("cmd/kshalb", &binary))
}

// limit is what one step may take on a busy machine.
const limit = 30 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve is an API server on all addresses of a master, until stop is called or
// the test ends.
func serve(t *testing.T, m *cluster.Master) (stop func()) {
	t.Helper()
	ln, err := m.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
	must(t, err)
	return serveOn(t, m, ln)
}

func serveOn(t *testing.T, m *cluster.Master, ln net.Listener) (stop func()) {
	t.Helper()
	pair, err := m.Certificate(pki.Names{})
	must(t, err)
	cert, err := pair.TLS()
	must(t, err)
	return labtest.Background(t, func(ctx context.Context) error { return demo.ServeAPI(ctx, ln, m.Name(), cert) })
}

// holder waits until all serve and one has the address, and returns it.
func holder(t *testing.T, c *cluster.Cluster) *cluster.Master {
	t.Helper()
	ctx := labtest.Context(t, limit)
	must(t, c.WaitReady(ctx))
	w, err := c.Lab.Watch(c.VIP)
	must(t, err)
	seen, err := w.WaitOwner(ctx, time.Now())
	must(t, err)
	h := c.Master(seen.Host)
	must(t, h.WaitStatus(ctx, func(n status.Node) error {
		for _, b := range n.Listeners[0].Backends {
			if b.State != "up" {
				return fmt.Errorf("backend %s is %s", b.Address, b.State)
			}
		}
		return nil
	}))
	return h
}

// from is where connections begin.
type from func(ctx context.Context, network, address string) (net.Conn, error)

// ask sends n requests to an address and port 6443, each on a new connection,
// and counts the answers by who gave them.
func ask(ctx context.Context, c *cluster.Cluster, dial from, to netip.Addr, n int) (map[string]int, error) {
	client := http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{
		DialContext: dial, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: c.CA.Pool(), ServerName: cluster.Name, MinVersion: tls.VersionTLS12},
	}}
	by := make(map[string]int)
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://%s/whoami", netip.AddrPortFrom(to, cluster.Port)), http.NoBody)
		if err != nil {
			return by, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return by, err
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return by, err
		}
		by[strings.TrimSpace(string(body))]++
	}
	return by, nil
}

// relayed is how many connections kshalb has carried there.
func relayed(ctx context.Context, t *testing.T, m *cluster.Master) (sum uint64) {
	t.Helper()
	n, err := m.Status(ctx)
	must(t, err)
	for _, b := range n.Listeners[0].Backends {
		sum += b.Connections
	}
	return sum
}
