package status

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// nodes are what the golden files of their names show.
var nodes = map[string]Node{
	"holder": {
		Name: "master1", Cluster: "kshalb", Version: "v0.1.0", Started: ago(26*time.Hour + 700*time.Millisecond), Ready: true,
		VIPs: []VIP{{
			Name: "apiserver", Address: "192.168.0.10", Interface: "eth0", Holder: "master1", Term: 12, Assigned: true,
			LeaseRemaining: 0.4321, State: "holding", Fence: []Fence{{Layer: "deadline", Active: true}, {Layer: "kernel", Active: true}, {Layer: "lifetime", Active: true}},
		}},
		Peers: []Peer{
			{Name: "master1", Address: "192.168.0.1", State: "self"},
			{Name: "master2", Address: "192.168.0.2", State: "alive", Reason: "has other voters: make cluster.peers the same"},
			{Name: "node1", Address: "192.168.0.4", Witness: true, State: "dead"},
		},
		Listeners: []Listener{{
			Name: "apiserver", Address: "192.168.0.10:6443", Bind: "192.168.0.10:26443", Active: 3, Balance: "roundrobin", Refused: Refused{"rate": 7, "no_backend": 1},
			Backends: []Backend{
				{Address: "192.168.0.1:6443", State: "up", Since: ago(time.Hour), Reason: "probe succeeded", Weight: 1, Active: 2, Connections: 40213},
				{Address: "192.168.0.2:6443", State: "up", Since: ago(90 * time.Second), Weight: 2, Backup: true, Active: 1, Connections: 7},
				{Address: "192.168.0.3:6443", State: "down", Since: ago(3400 * time.Millisecond), Reason: "connection refused", Weight: 1, Connections: 9},
			},
		}},
	},
	"standby": {
		Name: "master2", Cluster: "kshalb", Version: "v0.1.0", Started: ago(time.Second), Reason: "its vote is silent after the start",
		VIPs: []VIP{{
			Name: "apiserver", Address: "192.168.0.10", State: "silent", Reason: "another node holds it",
			Fence:    []Fence{{Layer: "deadline"}, {Layer: "kernel", Reason: "this kernel has no nf_tables"}, {Layer: "lifetime"}},
			Conflict: &Conflict{MAC: "00:00:5e:00:01:33", Who: "a VRRP router with VRID 51, a keepalived perhaps", Since: ago(time.Minute), Last: ago(2 * time.Second)},
		}},
		Peers: []Peer{{Name: "master1", Address: "192.168.0.1", State: "unknown"}, {Name: "master2", Address: "192.168.0.2", State: "self"}},
		Listeners: []Listener{{
			Name: "apiserver", Address: "192.168.0.10:6443",
			Backends: []Backend{{Address: "192.168.0.1:6443", State: "unknown", Weight: 1}},
		}},
	},
	"orders": {
		Name: "master1", Cluster: "kshalb", Version: "v0.1.0", Started: ago(26 * time.Hour), Ready: true,
		Listeners: []Listener{{
			Name: "apiserver", Address: "192.168.0.10:6443",
			Backends: []Backend{
				{
					Address: "192.168.0.1:6443", State: "up", Since: ago(time.Hour), Reason: "probe succeeded", Active: 2,
					Order: &Order{What: "drained", Drain: true, Who: "root@master1", Since: ago(40 * time.Minute), Why: "kernel update"},
				},
				{
					Address: "192.168.0.2:6443", State: "unknown", Since: ago(time.Minute), Reason: "not probed", Active: 1,
					Order: &Order{What: "in maintenance, weight 5", Maintenance: true, Weight: new(5), Since: ago(24 * time.Hour)},
				},
				{
					Address: "192.168.0.3:6443", State: "down", Since: ago(time.Second), Reason: "connection refused", Weight: 5,
					Order: &Order{What: "weight 5", Weight: new(5), Who: "ann@master1", Since: ago(400 * 24 * time.Hour), Why: "a small one"},
				},
				{Address: "192.168.0.4:6443", State: "suspect", Since: ago(time.Second), Reason: "its connections are reset", Weight: 1},
				{Address: "192.168.0.5:6443", State: "draining", Since: ago(time.Second), Reason: "503 Service Unavailable", Weight: 1},
			},
		}},
		Orders: []Order{
			{Backend: "192.168.0.8:6443", What: "drained", Drain: true, Who: "root@master1", Since: ago(5 * time.Minute), Why: "it is sold"},
			{Backend: "192.168.0.9:6443", Listener: "apiserver", What: "weight 0", Weight: new(0), Who: "root@master1", Since: ago(5 * time.Minute)},
		},
	},
	"wide": {
		Name: "master1", Cluster: "kshalb", Version: "v0.1.0", Digest: "13c4a8832d24", Started: ago(time.Hour), Ready: true,
		Listeners: []Listener{{Name: "apiserver", Address: "192.168.0.10:6443", Backends: []Backend{
			{
				Address: "192.168.0.1:6443", State: "up", Since: ago(time.Hour), Reason: "probe succeeded", Weight: 1, Active: 2, Connections: 40213,
				BytesIn: 5 << 20, BytesOut: 7 << 30, Probe: 0.00213, Expiry: now.Add(300 * 24 * time.Hour),
			},
			{Address: "192.168.0.2:6443", State: "unknown", Weight: 1, BytesIn: 17, BytesOut: 2048},
		}}},
		Changes: manyChanges(),
	},
	"cluster": {
		Name: "master1", Cluster: "kshalb", Version: "v0.1.0", Digest: "13c4a8832d24", Started: now, Ready: true,
		VIPs: []VIP{{Name: "apiserver", Address: "192.168.0.10", Holder: "master1", Term: 12, State: "holding"}},
		Peers: []Peer{
			{Name: "master1", Address: "192.168.0.1", State: "self"}, {Name: "master2", Address: "192.168.0.2", State: "alive"},
			{Name: "master3", Address: "192.168.0.3", State: "alive"}, {Name: "node1", Address: "192.168.0.4", Witness: true, State: "dead"},
		},
		Answers: []Answer{
			{
				From: "master2", Version: "v0.1.0", Digest: "13c4a8832d24", Ready: true, VIPs: []VIP{{Name: "apiserver", Holder: "master1", Term: 12}},
				Peers: []Peer{{Name: "master1", State: "alive"}, {Name: "master2", State: "self"}, {Name: "master3", State: "alive"}, {Name: "node1", State: "dead"}},
			},
			{
				From: "master3", Version: "v0.2.0", Digest: "aaaaaaaaaaaa", Reason: "its vote is silent after the start", VIPs: []VIP{{Name: "apiserver", Holder: "", Term: 11}},
				Peers: []Peer{{Name: "master1", State: "alive"}, {Name: "master2", State: "dead"}, {Name: "master3", State: "self"}},
			},
			{From: "node1", Err: "gave no answer"},
		},
	},
	"changes": {Version: "v0.1.0", Started: now, Ready: true, Changes: manyChanges()},
	"alone": {
		Version: "v0.1.0", Started: now, Ready: true,
		Listeners: []Listener{
			{Name: "default", Address: "127.0.0.1:6443", Backends: []Backend{{Address: "192.168.0.1:6443", State: "up", Since: now, Weight: 1}}},
			{Name: "other", Address: "127.0.0.1:443", Backends: []Backend{{Address: "192.168.0.1:443", State: "up", Since: now, Weight: 1}}},
		},
	},
}

func manyChanges() (all []Change) {
	for i := range 7 {
		all = append(all, Change{At: ago(time.Duration(i) * time.Hour), Level: "info", What: "backend up", Details: fmt.Sprintf("backend=192.168.0.%d:6443", i)})
	}
	all[1].Level, all[1].What = "warn", "backend down"
	all[2].Details = ""
	return all
}

func TestWriteText(t *testing.T) {
	for name, n := range nodes {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			if err := n.WriteText(&got, now, TextOptions{Wide: name == "wide"}); err != nil {
				t.Fatal(err)
			}
			file := "testdata/" + name + ".txt"
			if *update {
				if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; write it with -update", err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}
