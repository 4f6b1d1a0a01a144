package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kshalb/kshalb/internal/status"
)

// TestBackendByName: a name stands for its addresses, which are remembered.
func TestBackendByName(t *testing.T) {
	n := newNode(t)
	n.serve()
	p := n.run("vip: apiserver, port: 6443, backends: {peers: true, port: 6443}", "bind: 127.0.0.1, port: 7443, backends: {addresses: [localhost:6443]}",
		"vips: [{name: apiserver, address: 192.168.0.10}]\n", "")
	n.untilStatus(p, "what localhost stands for is up", func(s status.Node) bool {
		b := s.Listeners[0].Backends
		return len(b) > 0 && b[0].Address == "127.0.0.1:6443" && b[0].State == "up"
	})
	n.until(p, "it is remembered", func() bool {
		text, err := os.ReadFile(filepath.Join(n.state(), "backends.json"))
		return err == nil && strings.Contains(string(text), "127.0.0.1")
	})
	n.ends(p, syscall.SIGTERM, orderly)
}
