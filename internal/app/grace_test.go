package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/manifest"
)

// TestPodHasTimeToStop: the kubelet kills no earlier than all parts together may
// take, one after the other, and not much later.
func TestPodHasTimeToStop(t *testing.T) {
	key := writeFile(t, t.TempDir(), "gossip.key", []byte(oneKey))
	for name, cfg := range map[string]*config.Config{
		"a cluster":     parsed(t, key),
		"a long drain":  parsed(t, key, "port: 6443}}", "port: 6443}, timeouts: {drain: 10m}}"),
		"a long lease":  parsed(t, key, "vips:", "election: {lease: 2s}\nvips:"),
		"two addresses": parsed(t, key, "vips:", "vips:\n- {name: other, address: 192.0.2.11}"),
		"a worker":      embedded(t, "192.0.2.1:6443"),
	} {
		role, node := manifest.Master, "m1"
		if len(cfg.VIPs) == 0 {
			role, node = manifest.Node, ""
		}
		a, err := New(cfg, Options{Node: node}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		sum := time.Duration(0)
		for _, task := range a.tasks(new(admin.Server)) {
			sum += task.limit()
		}
		if grace := manifest.Grace(cfg, role); grace < sum || grace > sum+15*time.Second {
			t.Errorf("%s: %s; the parts may take %s", name, grace, sum)
		}
	}
}
