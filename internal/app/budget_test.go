package app

import (
	"log/slog"
	"math"
	"os"
	"testing"
	"testing/fstest"
)

// TestGroupMemory: the least of what a control group and those above it may have
// counts, with both kinds of them.
func TestGroupMemory(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"nothing is known": {nil, math.MaxInt64},
		"no limit":         {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, math.MaxInt64},
		"its own": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "900\n", "sys/fs/cgroup/a/b/memory.max": "800\n",
		}, 800},
		"the one above": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "700\n", "sys/fs/cgroup/a/b/memory.max": "800\n",
		}, 700},
		"in a container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "600\n"}, 600},
		"version 1": {map[string]string{
			"proc/self/cgroup": "5:cpu:/x\n4:memory:/a\n0::/\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "500\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 500},
		"something else": {map[string]string{"proc/self/cgroup": "?\n::\n", "sys/fs/cgroup/memory.max": "\n"}, math.MaxInt64},
	} {
		root := fstest.MapFS{}
		for at, text := range tc.files {
			root[at] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := groupMemory(root); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// TestMeans asks this host, which knows.
func TestMeans(t *testing.T) {
	m := means(os.DirFS("/"))
	if m.Files == 0 || m.Memory < 1<<20 || m.Buffers < 1<<20 {
		t.Errorf("%+v", m)
	}
	if m := means(fstest.MapFS{}); m.Buffers != 0 || m.Memory < 1<<20 {
		t.Errorf("of an empty file system: %+v", m)
	}
}

// TestDemand adds up what the listeners may have.
func TestDemand(t *testing.T) {
	cfg := embedded(t, "192.0.2.1:6443")
	cfg.Listeners[0].Limits.Connections = 500
	a, err := New(cfg, Options{Version: "v0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if d := a.demand(); d.Connections != 500 || d.Sockets != d.Loops || d.Loops == 0 || d.Others != ownFiles+filesPerBackend {
		t.Errorf("%+v", d)
	}
	a.front.list()[0].cfg().Limits.Connections = 0
	if d := a.demand(); d.Connections != 0 {
		t.Errorf("without a limit: %+v", d)
	}
}
