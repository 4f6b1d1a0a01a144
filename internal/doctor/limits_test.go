package doctor

import (
	"math"
	"testing"
)

func TestJudgeLimits(t *testing.T) {
	base := func(v *View) {
		v.Limits = &Limits{Process: 7, Loops: 2, Files: 1 << 20, Memory: 8 << 30, Available: 4 << 30, Buffers: 1 << 30, Trackable: 262144}
	}
	with := func(change func(s *Limits)) func(v *View) { return on("m2", base, func(v *View) { change(v.Limits) }) }
	for name, tt := range map[string]struct {
		change func(v *View)
		want   []string
	}{
		"healthy":          {base, nil},
		"nothing is known": {func(v *View) { v.Limits = &Limits{Process: 7, Loops: 2} }, nil},
		"few files":        {with(func(s *Limits) { s.Files = 1024 }), []string{"warning m2: need 42"}},
		"few, of doctor":   {with(func(s *Limits) { s.Files, s.Process = 1024, 0 }), []string{"unseen m2: kshalb does not run here"}},
		"little memory":    {with(func(s *Limits) { s.Memory = 64 << 20 }), []string{"warning m2: of memory when nobody reads"}},
		"none left":        {with(func(s *Limits) { s.Available = 4 << 20 }), []string{"warning m2: 4 MiB of the host's memory are available"}},
		"full buffers":     {with(func(s *Limits) { s.InBuffers = 1 << 30 }), []string{"warning m2: TCP sockets have 1024 of 1024 MiB"}},
		"full conntrack":   {with(func(s *Limits) { s.Tracked = 250000 }), []string{"warning m2: conntrack has 250000 of 262144"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := judgeLimits(caseOf(configOf(t), tt.change))
			expect(t, got, tt.want...)
			if len(got) < 3 {
				t.Errorf("not each node was told of: %+v", got)
			}
		})
	}
	witness := configOf(t, "192.168.0.2}", "192.168.0.2, witness: true}")
	expect(t, judgeLimits(caseOf(witness, with(func(s *Limits) { s.Files = 10 }))))
	unbounded := configOf(t, "port: 6443}}", "port: 6443}, limits: {connections: 0}}")
	expect(t, judgeLimits(caseOf(unbounded, with(func(s *Limits) { s.Available = 1 }))))
}

func TestLookLimits(t *testing.T) {
	const limits = "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 unlimited            files\n"
	files := map[string]string{
		"/proc/5/comm": "kshalb\n", "/proc/5/cmdline": "kshalb\x00doctor\x00",
		"/proc/6/comm": "kshalb\n", "/proc/6/cmdline": "kshalb\x00run\x00--loops=5\x00",
		"/proc/6/limits":                             limits,
		"/proc/6/cgroup":                             "0::/kube/pod\n",
		"/proc/meminfo":                              "MemTotal:        8000000 kB\nMemAvailable:    4000000 kB\n",
		"/proc/sys/net/ipv4/tcp_mem":                 "1\t2\t3\n",
		"/proc/net/sockstat":                         "sockets: used 1\nTCP: inuse 5 orphan 0 tw 0 alloc 6 mem 2\n",
		"/sys/fs/cgroup/kube/memory.max":             "1000000\n",
		"/sys/fs/cgroup/kube/pod/memory.max":         "max\n",
		"/proc/sys/net/netfilter/nf_conntrack_max":   "100\n",
		"/proc/sys/net/netfilter/nf_conntrack_count": "7\n",
	}
	l := looker(t, configOf(t), files)
	s := *looked(t, l, lookLimits).Limits
	if s.Process != 6 || s.Loops != 5 || s.Files != 1024 || s.HardFiles != math.MaxUint64 || s.Memory != 1000000 || s.Available != 4096000000 ||
		s.Buffers == 0 || s.InBuffers*3 != s.Buffers*2 || s.Tracked != 7 || s.Trackable != 100 {
		t.Errorf("%+v", s)
	}
	files["/proc/6/cgroup"] = "4:memory:/slice\n1:cpu:/other\n"
	files["/sys/fs/cgroup/memory/memory.limit_in_bytes"] = "9223372036854771712\n"
	files["/sys/fs/cgroup/memory/slice/memory.limit_in_bytes"] = "5000\n"
	if s := looked(t, looker(t, configOf(t), files), lookLimits).Limits; s.Memory != 5000 {
		t.Errorf("of version 1: %+v", s)
	}
}
