package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// Master is a host with kshalb.
type Master struct {
	*lab.Host

	cluster *Cluster

	mu     sync.Mutex
	kshalb *lab.Process
}

const configText = `version: 1
cluster:
  peers:
{{- range .Masters}}
  - {name: {{.Name}}, address: "{{.Addr}}"}
{{- end}}
  gossip: {{if .Options.Insecure}}{insecure: true}{{else}}{keyFile: {{.KeyFile}}}{{end}}
election: {{or .Options.Election "{}"}}
vips: {{or .Options.VIPs (printf "[{name: apiserver, address: '%s'}]" .VIP)}}
listeners:
- name: apiserver
  vip: apiserver
  port: {{.Port}}
  portConflict: {{or .Options.PortConflict "auto"}}
  balance: {{or .Options.Balance "roundrobin"}}
  rebalance: {{or .Options.Rebalance "{}"}}
  backends: {{or .Options.Backends (printf "{peers: true, port: %d}" .Port)}}
  check: {{or .Options.Check (printf "{type: https, path: /readyz, caFile: %s}" .CAFile)}}
hooks: {{or .Options.Hooks "[]"}}
admin: {socket: {{.Socket}}, http: "{{or .Options.HTTP .HTTP}}"}
`

// httpAddress is where kshalb's read-only side is asked on each master.
const httpAddress = "127.0.0.1:9446"

// ConfigFile is the path of the master's kshalb.yaml.
func (m *Master) ConfigFile() string { return filepath.Join(m.Dir(), "kshalb.yaml") }

// Socket is the path of kshalb's admin socket.
func (m *Master) Socket() string { return filepath.Join(m.Dir(), "kshalb.sock") }

func (m *Master) writeConfig() error {
	t, err := template.New("kshalb.yaml").Parse(configText)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(m.ConfigFile(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.Execute(f, map[string]any{
		"Masters": m.cluster.Masters, "VIP": m.cluster.VIP, "Port": Port,
		"KeyFile": m.cluster.keyFile, "CAFile": m.cluster.CAFile,
		"Socket": m.Socket(), "HTTP": httpAddress,
		"Options": m.cluster.options,
	})
}

// Start starts kshalb, which must not run.
func (m *Master) Start() error {
	args := []string{"run", "--config", m.ConfigFile(), "--node", m.Name(), "--state", filepath.Join(m.Dir(), "state"), "--watch=false"}
	if m.cluster.options.Supervised {
		args = append(args, "--supervised")
	}
	p, err := m.Host.Start(lab.Spec{Name: "kshalb", Path: m.cluster.binary, Args: args})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kshalb = p
	return nil
}

// Supervise starts kshalb again each time it ends, as a kubelet does, until ctx ends.
// It has to run.
func (m *Master) Supervise(ctx context.Context) error {
	for {
		select {
		case <-m.Kshalb().Done():
		case <-ctx.Done():
			return nil
		}
		if err := m.Start(); err != nil {
			return err
		}
	}
}

// Kshalb is the process that was started last, or nil.
func (m *Master) Kshalb() *lab.Process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kshalb
}

// Certificate makes one for an API server of this master: for its names and
// addresses, for those of the VIP, and for more.
func (m *Master) Certificate(more pki.Names) (pki.Pair, error) {
	return m.cluster.CA.Issue(pki.Names{
		CommonName: m.Name(),
		DNS:        append([]string{m.Name(), Name, "localhost"}, more.DNS...),
		IPs:        append([]netip.Addr{m.Addr(), m.cluster.VIP, netip.AddrFrom4([4]byte{127, 0, 0, 1})}, more.IPs...),
	})
}

// Status is what kshalb says of itself.
func (m *Master) Status(ctx context.Context) (status.Node, error) {
	return admin.FetchStatus(ctx, m.Socket())
}

// VIP is what kshalb says of the VIP.
func (m *Master) VIP(ctx context.Context) (status.VIP, error) {
	n, err := m.Status(ctx)
	if err != nil {
		return status.VIP{}, err
	}
	if len(n.VIPs) != 1 {
		return status.VIP{}, fmt.Errorf("%s has %d VIPs, want 1", m.Name(), len(n.VIPs))
	}
	return n.VIPs[0], nil
}

// WaitReady waits until kshalb says that it can serve, or has ended.
func (m *Master) WaitReady(ctx context.Context) error {
	return m.WaitStatus(ctx, func(n status.Node) error {
		if !n.Ready {
			return fmt.Errorf("not ready: %s", n.Reason)
		}
		return nil
	})
}

// WaitStatus asks for the status until ok has nothing to object, kshalb has
// ended or ctx is done.
func (m *Master) WaitStatus(ctx context.Context, ok func(status.Node) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := m.Status(ctx)
		if err == nil {
			err = ok(n)
		}
		if err == nil {
			return nil
		}
		select {
		case <-m.Kshalb().Done():
			return fmt.Errorf("%s ended (%v):\n%s", m.Kshalb().Name(), m.Kshalb().State(), m.Kshalb().Tail(2000))
		case <-ctx.Done():
			return fmt.Errorf("wait for kshalb on %s: %w; last: %w", m.Name(), context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Metric is the value of a series of /metrics, named as it stands there, such as
// kshalb_vip_assigned{vip="apiserver"}.
func (m *Master) Metric(ctx context.Context, series string) (float64, error) {
	client := http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{DialContext: m.DialContext, DisableKeepAlives: true},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+httpAddress+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("read the metrics of %s: %w", m.Name(), err)
	}
	defer resp.Body.Close()
	return findSeries(resp.Body, series)
}

func findSeries(r io.Reader, series string) (float64, error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("there is no series %s", series)
}
