package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// newWorker is a host that is no master, and two that are.
func newWorker(t *testing.T) (n *node, m1, m2 *lab.Host) {
	t.Helper()
	l := labtest.New(t)
	add := func(name, prefix string) *lab.Host {
		h, err := l.AddHost(name, netip.MustParsePrefix(prefix))
		must(t, err)
		return h
	}
	n = &node{t, add("worker", "192.168.0.4/24"), labtest.Context(t, 3*limit)}
	m1, m2 = add("m1", "192.168.0.1/24"), add("m2", "192.168.0.2/24")
	n.awaitCarrier()
	return n, m1, m2
}

// workerConfig is what `kshalb manifest` prints for a worker, with its socket here.
func (n *node) workerConfig(flags ...string) (file string) {
	n.Helper()
	text, err := exec.CommandContext(n.ctx, binary, append([]string{"manifest", "--role", "node", "--print", "config"}, flags...)...).Output()
	must(n.T, err)
	file = filepath.Join(n.Dir(), "worker.yaml")
	must(n.T, os.WriteFile(file, fmt.Appendf(text, "admin: {socket: %s}\n", n.socket()), 0o600))
	return file
}

func (n *node) work(file string) *lab.Process {
	n.Helper()
	return n.start(lab.Spec{Path: binary, Args: []string{"run", "--config", file, "--state", n.state()}})
}

// apiserver answers on a master as far as a worker asks, until the test ends.
func apiserver(t *testing.T, h *lab.Host) {
	t.Helper()
	ca, err := pki.NewCA("lab")
	must(t, err)
	pair, err := ca.Issue(pki.Names{CommonName: h.Name(), IPs: []netip.Addr{h.Addr()}})
	must(t, err)
	cert, err := pair.TLS()
	must(t, err)
	ln, err := h.Listen("tcp", fmt.Sprintf("[::]:%d", port))
	must(t, err)
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, h.Name()) }),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
		ErrorLog:  log.New(io.Discard, "", 0), // probes and connections that were cut off
	}
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(ln, "", "") }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-ended); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// asks is the answer through the worker's own balancer.
func (n *node) asks() (string, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return n.DialContext(ctx, network, address)
		},
	}}
	resp, err := client.Get("https://127.0.0.1:6443/version")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// states are the backends with their states, in order.
func states(s status.Node) (text string) {
	for _, b := range s.Listeners[0].Backends {
		text += b.Address + " " + b.State + "\n"
	}
	return text
}

// TestWorker: a worker starts from the printed configuration and its memory while
// nobody else is there, no nameserver either; refuses clients meanwhile; serves as
// soon as a master comes; and takes a new one without a restart.
func TestWorker(t *testing.T) {
	n, m1, m2 := newWorker(t)
	must(t, os.Mkdir(n.state(), 0o700))
	memory := filepath.Join(n.state(), "backends.json")
	must(t, os.WriteFile(memory, []byte(`{"masters.invalid":["127.0.0.1","192.168.0.1"]}`+"\n"), 0o600)) // as an earlier run left it
	file := n.workerConfig("--masters", "192.168.0.3", "--vip", "192.168.0.10", "--dns", "masters.invalid")

	p := n.work(file)
	n.untilStatus(p, "all backends are down", func(s status.Node) bool {
		return states(s) == "192.168.0.3:6443 down\n192.168.0.10:6443 down\n192.168.0.1:6443 down\n"
	})
	n.untilSays(p, "that address is left out") // 127.0.0.1:6443 is the worker itself
	if _, err := n.asks(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("without a master: %v", err)
	}

	apiserver(t, m1)
	n.untilStatus(p, "m1 is up", func(s status.Node) bool { return strings.Contains(states(s), "192.168.0.1:6443 up") })
	if got, err := n.asks(); got != "m1" || err != nil {
		t.Errorf("%q, %v", got, err)
	}

	apiserver(t, m2)
	n.workerConfig("--masters", "192.168.0.2", "--vip", "192.168.0.10", "--dns", "localhost")
	if code, out, errs := n.ask("reload"); code != 0 || !strings.Contains(out, "listeners[0].backends.addresses: ") {
		t.Fatalf("reload: exit code %d, %s%s", code, out, errs)
	}
	n.untilStatus(p, "m2 has taken the place of the others", func(s status.Node) bool {
		return strings.HasPrefix(states(s), "192.168.0.2:6443 up\n192.168.0.10:6443 ") && !strings.Contains(states(s), "192.168.0.1:")
	})
	if got, err := n.asks(); got != "m2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	n.until(p, "the new name is remembered, the old one is not", func() bool {
		text, err := os.ReadFile(memory)
		return err == nil && strings.Contains(string(text), "localhost") && !strings.Contains(string(text), "masters.invalid")
	})
	n.ends(p, syscall.SIGTERM, orderly)
}
