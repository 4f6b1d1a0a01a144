package failover

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// serves says what is missing until a backend is up, or, with up false, is not there.
func serves(backend netip.AddrPort, up bool) func(status.Node) error {
	return func(n status.Node) error {
		for _, b := range n.Listeners[0].Backends {
			if b.Address == backend.String() {
				if up && b.State != "up" {
					return fmt.Errorf("%s is %s: %s", b.Address, b.State, b.Reason)
				}
				if !up {
					return fmt.Errorf("%s is still there", b.Address)
				}
				return nil
			}
		}
		if up {
			return fmt.Errorf("%s is no backend", backend)
		}
		return nil
	}
}

// TestMasterJoins: a fourth master, of which the others' files know nothing, serves
// at all of them as soon as its kshalb runs, has no vote, is remembered by a node that
// starts again, and serves no more when its kshalb was stopped.
func TestMasterJoins(t *testing.T) {
	c := masters(t, cluster.Options{})
	ctx := labtest.Context(t, limit)
	h, err := c.Lab.AddHost("master4", cluster.Address(4, false), cluster.Address(4, true))
	must(t, err)
	serveOn(t, c, h)
	text, err := os.ReadFile(c.Masters[0].ConfigFile())
	must(t, err)
	peer := "  - {name: master4, address: \"192.168.0.4\"}\n  gossip:"
	file := filepath.Join(h.Dir(), "kshalb.yaml")
	must(t, os.WriteFile(file, []byte(strings.NewReplacer("  gossip:", peer, c.Masters[0].Dir(), h.Dir()).Replace(string(text))), 0o600))
	began := time.Now()
	joined, err := h.Start(lab.Spec{Name: "kshalb", Path: binary, Args: []string{"run", "--config", file, "--node", "master4", "--state", filepath.Join(h.Dir(), "state")}})
	must(t, err)

	fourth := netip.AddrPortFrom(h.Addr(), cluster.Port)
	for _, m := range c.Masters {
		must(t, m.WaitStatus(ctx, serves(fourth, true)))
	}
	t.Logf("it serves at all others %s after it was started", time.Since(began).Round(time.Millisecond))
	n, err := c.Masters[0].Status(ctx)
	must(t, err)
	if len(n.Peers) != 3 {
		t.Errorf("%d peers, want the 3 that vote", len(n.Peers))
	}

	m := c.Masters[0]
	must(t, m.Kshalb().Kill())
	must(t, m.Start())
	must(t, m.WaitStatus(ctx, serves(fourth, true)))

	must(t, joined.Stop(ctx))
	for _, m := range c.Masters[1:] {
		must(t, m.WaitStatus(ctx, serves(fourth, false)))
	}
}

// serveOn is an API server on a host that is no master of the cluster.
func serveOn(t *testing.T, c *cluster.Cluster, h *lab.Host) {
	t.Helper()
	pair, err := c.CA.Issue(pki.Names{CommonName: h.Name(), DNS: []string{cluster.Name}, IPs: []netip.Addr{h.Addr(), c.VIP}})
	must(t, err)
	cert, err := pair.TLS()
	must(t, err)
	ln, err := h.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
	must(t, err)
	labtest.Background(t, func(ctx context.Context) error { return demo.ServeAPI(ctx, ln, h.Name(), cert) })
}
