package doctor

import (
	"net/netip"
	"testing"
)

// sysctlsOf has one VIP on eth0, and settings of it.
func sysctlsOf(set map[string]int) func(v *View) {
	return func(v *View) {
		v.Sysctls = &Sysctls{Set: set, Homes: []Home{{VIP: "api", Interface: "eth0", Network: netip.MustParsePrefix("192.168.0.0/24")}}}
	}
}

func TestJudgeSysctls(t *testing.T) {
	base := sysctlsOf(map[string]int{"ipv4/conf/eth0/arp_ignore": 1, "ipv4/conf/all/rp_filter": 1, "ipv4/ip_forward": 0})
	six := []string{"192.168.0.1}", `"fd00:6b::1"}`, "192.168.0.2}", `"fd00:6b::2"}`, "192.168.0.3}", `"fd00:6b::3"}`, "192.168.0.10", `"fd00:6b::10"`}
	for name, tt := range map[string]struct {
		replace []string
		change  func(v *View)
		want    []string
	}{
		"healthy":      {nil, base, nil},
		"silent":       {nil, on("m2", base, sysctlsOf(map[string]int{"ipv4/conf/all/arp_ignore": 8})), []string{"fault m2: arp_ignore is 8 for eth0"}},
		"silent eth0":  {nil, on("m2", base, sysctlsOf(map[string]int{"ipv4/conf/eth0/arp_ignore": 8})), []string{"fault m2: arp_ignore is 8"}},
		"2 in its net": {nil, sysctlsOf(map[string]int{"ipv4/conf/eth0/arp_ignore": 2}), nil},
		"2 in none": {nil, on("m2", base, func(v *View) {
			*v = View{Node: v.Node, Sysctls: &Sysctls{Set: map[string]int{"ipv4/conf/eth0/arp_ignore": 2}, Homes: []Home{{VIP: "api", Interface: "eth0"}}}}
		}), []string{"fault m2: no address in the network"}},
		"deaf":          {nil, on("m3", base, sysctlsOf(map[string]int{"ipv4/conf/eth0/drop_gratuitous_arp": 1})), []string{"warning m3: drop_gratuitous_arp is 1"}},
		"two ways":      {nil, on("m1", base, func(v *View) { v.Sysctls.Homes[0].Refuses = true }), []string{"warning m1: rp_filter is 1 for eth0"}},
		"pods":          {nil, on("m1", base, func(v *View) { v.Sysctls.Pods = true }), []string{"warning m1: ip_forward is 0"}},
		"pods, unknown": {nil, on("m1", base, func(v *View) { v.Sysctls = &Sysctls{Pods: true} }), nil},
		"marks": {nil, on("m1", base, func(v *View) {
			v.Sysctls = &Sysctls{ToBackends: []string{"eth1"}, Set: map[string]int{"ipv4/conf/all/src_valid_mark": 1}}
		}), []string{"fault m1: src_valid_mark is 1 for eth1"}},
		"a witness":       {[]string{"192.168.0.3}", "192.168.0.3, witness: true}"}, on("m3", base, sysctlsOf(map[string]int{"ipv4/conf/all/arp_ignore": 8})), nil},
		"no IPv6":         {six, on("m1", sysctlsOf(map[string]int{"ipv6/conf/eth0/disable_ipv6": 0}), sysctlsOf(nil)), []string{"fault m1: IPv6 is switched off on eth0"}},
		"IPv6 off":        {six, on("m1", sysctlsOf(map[string]int{"ipv6/conf/eth0/disable_ipv6": 0}), sysctlsOf(map[string]int{"ipv6/conf/eth0/disable_ipv6": 1})), []string{"fault m1: IPv6 is switched off on eth0"}},
		"IPv6, arp 8":     {six, sysctlsOf(map[string]int{"ipv6/conf/eth0/disable_ipv6": 0, "ipv4/conf/all/arp_ignore": 8}), nil},
		"IPv6, NAs":       {six, on("m1", sysctlsOf(map[string]int{"ipv6/conf/eth0/disable_ipv6": 0}), sysctlsOf(map[string]int{"ipv6/conf/eth0/disable_ipv6": 0, "ipv6/conf/all/drop_unsolicited_na": 1})), []string{"warning m1: drop_unsolicited_na is 1"}},
		"nothing is seen": {nil, func(*View) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := caseOf(configOf(t, tt.replace...), tt.change)
			got := judgeSysctls(c)
			expect(t, got, tt.want...)
			if seen := c.Views["m1"].Sysctls != nil; seen && len(got) < 3 {
				t.Errorf("not each node was told of: %+v", got)
			}
		})
	}
}

func TestLookSysctls(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{
		"/proc/net/route":                             routes4,
		"/proc/sys/net/ipv4/ip_forward":               "1\n",
		"/proc/sys/net/ipv4/conf/all/arp_ignore":      "0\n",
		"/proc/sys/net/ipv4/conf/eth2/arp_ignore":     "8\n",
		"/proc/sys/net/ipv4/conf/eth0/arp_ignore":     "2\n",
		"/proc/sys/net/ipv4/conf/eth2/src_valid_mark": "1\n",
		"/proc/7/comm":                                "kubelet\n", "/proc/7/cmdline": "kubelet\x00",
	})
	s := looked(t, l, lookSysctls).Sysctls
	if len(s.Homes) != 1 || s.Homes[0].Interface != "eth2" || s.Homes[0].Refuses || !s.Pods || len(s.Set) != 3 ||
		s.Set["ipv4/conf/eth2/arp_ignore"] != 8 || s.Set["ipv4/ip_forward"] != 1 {
		t.Errorf("%+v", s)
	}
	l.Config = configOf(t, "{peers: true, port: 6443}}", "{addresses: [192.168.1.5:80, 172.16.0.1:80]}, source: client, check: {type: tcp}}")
	s = looked(t, l, lookSysctls).Sysctls
	if len(s.ToBackends) != 2 || s.ToBackends[0] != "eth1" || s.ToBackends[1] != "eth0" {
		t.Errorf("to backends: %v, want eth1 by its network and eth0 by the default route", s.ToBackends)
	}
}
