package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

// kshalb is the path of the program, built by TestMain.
var kshalb string

func TestMain(m *testing.M) { labtest.Main(m, labtest.Build("cmd/kshalb", &kshalb)) }

// program is the path that the script run gave, or the test is skipped.
func program(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s is not set; `make e2e` builds a control plane and sets it", variable)
	}
	return path
}

// controlPlane is masters with etcd and kube-apiserver, as kubeadm's stacked
// ones are: each apiserver talks to the etcd beside it.
type controlPlane struct {
	*cluster.Cluster

	etcd, apiserver string
	running         map[string]*lab.Process // the apiserver of each master
}

// startup is what the whole start may take on a busy machine; an idle one needs
// about 20 s.
const startup = 3 * time.Minute

// start starts a control plane with kshalb in front of it.
func start(t *testing.T) *controlPlane {
	t.Helper()
	return startAs(t, ours{}, cluster.Options{})
}

// startAs starts one with a balancer, and kshalb's options.
func startAs(t *testing.T, b balancer, o cluster.Options) *controlPlane {
	t.Helper()
	p := startWithout(t, o)
	must(t, p.startBalancer(labtest.Context(t, startup), b))
	return p
}

// startWithout starts one with nothing in front of it.
func startWithout(t *testing.T, o cluster.Options) *controlPlane {
	t.Helper()
	p := &controlPlane{etcd: program(t, "KSHALB_E2E_ETCD"), apiserver: program(t, "KSHALB_E2E_APISERVER"), running: make(map[string]*lab.Process)}
	var err error
	p.Cluster, err = cluster.NewWith(labtest.New(t), kshalb, o)
	must(t, err)
	must(t, p.writeServiceAccountKey())
	ctx := labtest.Context(t, startup)
	for _, m := range p.Masters {
		must(t, p.startEtcd(m))
	}
	// The first apiserver alone writes what an empty etcd lacks, as under kubeadm:
	// of several that do so at once, all but one may exit ("another caller has
	// already initialized the resource").
	first, others := p.Masters[0], p.Masters[1:]
	must(t, p.startAPIServer(first))
	must(t, p.waitAPI(ctx, first))
	for _, m := range others {
		must(t, p.startAPIServer(m))
	}
	for _, m := range others {
		must(t, p.waitAPI(ctx, m))
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *controlPlane) startEtcd(m *cluster.Master) error {
	var members []string
	for _, peer := range p.Masters {
		members = append(members, fmt.Sprintf("%s=http://%s:2380", peer.Name(), peer.Addr()))
	}
	self := fmt.Sprintf("http://%s:2380", m.Addr())
	_, err := m.Host.Start(lab.Spec{Name: "etcd", Path: p.etcd, Args: []string{
		"--name=" + m.Name(), "--data-dir=" + filepath.Join(m.Dir(), "etcd"),
		"--listen-peer-urls=" + self, "--initial-advertise-peer-urls=" + self,
		"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
		"--initial-cluster=" + strings.Join(members, ","), "--log-level=warn",
	}})
	return err
}

func (p *controlPlane) serviceAccountKey() string { return filepath.Join(p.Lab.Dir(), "sa") }

func (p *controlPlane) writeServiceAccountKey() error {
	pair, err := p.CA.Issue(pki.Names{CommonName: "service-accounts"})
	if err != nil {
		return err
	}
	return pair.Write(p.serviceAccountKey())
}

func (p *controlPlane) startAPIServer(m *cluster.Master, more ...string) error {
	pair, err := m.Certificate(pki.Names{
		DNS: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		IPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")},
	})
	if err != nil {
		return err
	}
	prefix := filepath.Join(m.Dir(), "apiserver")
	if err := pair.Write(prefix); err != nil {
		return err
	}
	p.running[m.Name()], err = m.Host.Start(lab.Spec{Name: "kube-apiserver", Path: p.apiserver, Args: append([]string{
		"--bind-address=::", fmt.Sprintf("--secure-port=%d", cluster.Port),
		"--advertise-address=" + m.Addr().String(), "--etcd-servers=http://127.0.0.1:2379",
		"--tls-cert-file=" + prefix + ".crt", "--tls-private-key-file=" + prefix + ".key",
		"--client-ca-file=" + p.CAFile, "--authorization-mode=Node,RBAC",
		"--service-cluster-ip-range=10.96.0.0/12", "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + p.serviceAccountKey() + ".crt",
		"--service-account-signing-key-file=" + p.serviceAccountKey() + ".key",
	}, more...)})
	return err
}

// waitAPI waits until the master's apiserver says that it is ready, asked from
// the client host and past kshalb.
func (p *controlPlane) waitAPI(ctx context.Context, m *cluster.Master) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{
		DialContext: p.Client.DialContext, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: p.CA.Pool(), MinVersion: tls.VersionTLS12},
	}}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := get(ctx, &client, fmt.Sprintf("https://%s/readyz", netip.AddrPortFrom(m.Addr(), cluster.Port)))
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the apiserver of %s: %w; last: %w", m.Name(), context.Cause(ctx), err)
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<12)) // all of it, or the connection is not used again
	if resp.StatusCode == http.StatusOK {
		return err
	}
	return fmt.Errorf("%s: %s %w", resp.Status, body, err)
}
