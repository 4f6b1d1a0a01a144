package monitoring

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

var binary string

func TestMain(m *testing.M) { labtest.Main(m, labtest.Build("cmd/kshalb", &binary)) }

// masters starts three, which Prometheus may ask, each with an API server.
func masters(t *testing.T) *cluster.Cluster {
	t.Helper()
	program(t, "prometheus") // before the work
	c, err := cluster.NewWith(labtest.New(t), binary, cluster.Options{HTTP: "0.0.0.0:9446"})
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

// TestMonitoring: a real Prometheus reads three masters, has data for each panel
// of the dashboard, and tells when one of them is lost.
func TestMonitoring(t *testing.T) {
	c := masters(t)
	for _, m := range c.Masters {
		checkMetrics(t, c, m)
	}
	p := scrape(t, c)
	traffic := c.Traffic("/whoami")
	labtest.Background(t, traffic.Run)
	p.waitFor(`up{job="kshalb"} == 1`, 3)
	p.waitFor(`kshalb_vip_assigned == 1`, 1)
	p.waitFor(`count(kshalb_config_info) == 3`, 1)
	p.wait(p.panels)
	firing, err := p.firing()
	must(t, err)
	if delete(firing, "KshalbCertificateExpires"); len(firing) > 1 { // those of the lab live for days
		t.Errorf("all is well, and %v fire", firing)
	}

	holder := c.Masters[0]
	for _, m := range c.Masters {
		if v, err := m.VIP(p.ctx); err == nil && v.Assigned {
			holder = m
		}
	}
	must(t, holder.Kshalb().Kill())
	p.waitFor(fmt.Sprintf(`kshalb_vip_assigned{instance!=%q} == 1`, fmt.Sprintf("%s:9446", holder.Addr())), 1)
	p.waitFor(`ALERTS{alertname="KshalbDown", alertstate="pending"}`, 1)
	p.waitFor(`ALERTS{alertname="KshalbPeerLost", alertstate="pending"}`, 2)
}

// checkMetrics holds the metrics of a master to Prometheus' rules.
func checkMetrics(t *testing.T, c *cluster.Cluster, m *cluster.Master) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: c.Client.DialContext, DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://%s:9446/metrics", m.Addr()))
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	if !bytes.Contains(text, []byte("kshalb_vip_fence")) {
		t.Errorf("%s: %s", m.Name(), text)
	}
	cmd := exec.CommandContext(t.Context(), program(t, "promtool"), "check", "metrics")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// quiet are panels that have no data while all is well.
var quiet = map[string]bool{"Attempts that failed": true}

// panels asks what the dashboard asks; an error names a panel without an answer.
func (p *prometheus) panels() error {
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	must(p.T, json.Unmarshal(read(p.T, "dashboard.json"), &board))
	asked := 0
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			asked++
			expr := strings.NewReplacer("$job", "kshalb", "$__rate_interval", "10s").Replace(target.Expr)
			got, err := p.series(expr)
			if err == nil && len(got) == 0 && !quiet[panel.Title] {
				err = fmt.Errorf("no data for %s", expr)
			}
			if err != nil {
				return fmt.Errorf("panel %s: %w", panel.Title, err)
			}
		}
	}
	if asked < 25 {
		return fmt.Errorf("only %d questions", asked)
	}
	return nil
}
