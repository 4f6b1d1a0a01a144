package doctor

import (
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

func leftoversOf(s Leftovers) func(v *View) { return func(v *View) { v.Leftovers = &s } }

func rivalOf(r Rival) func(v *View) { return leftoversOf(Leftovers{Rivals: []Rival{r}}) }

func TestJudgeLeftovers(t *testing.T) {
	base := leftoversOf(Leftovers{Heard: []string{"eth0"}})
	advert := func(source string, addresses ...netip.Addr) func(v *View) {
		return leftoversOf(Leftovers{Adverts: []Advert{{Interface: "eth0", Source: netip.MustParseAddr(source), Kind: "VRRPv2", ID: 51, Addresses: addresses}}})
	}
	ours, others := []netip.Addr{vip}, netip.MustParseAddr("192.168.0.77")
	for name, tt := range map[string]struct {
		change func(v *View)
		want   []string
	}{
		"healthy":             {base, nil},
		"hidden":              {on("m2", base, leftoversOf(Leftovers{Hidden: "why"})), []string{"unseen m2: not seen in part: why"}},
		"deaf":                {on("m2", base, leftoversOf(Leftovers{Deaf: "why"})), []string{"unseen m2: not seen in part: why"}},
		"keepalived":          {on("m2", base, rivalOf(Rival{Kind: "keepalived", Where: "process 1", Runs: true})), []string{"warning m2: keepalived runs (process 1)"}},
		"keepalived, VIP":     {on("m2", base, rivalOf(Rival{Kind: "keepalived", Where: "process 1", Runs: true, VIPs: ours})), []string{"fault m2: and is to have VIP 192.168.0.10"}},
		"keepalived, enabled": {on("m2", base, rivalOf(Rival{Kind: "keepalived", Where: "/x/keepalived.service"})), []string{"warning m2: keepalived: /x/keepalived.service"}},
		"kube-vip":            {on("m2", base, rivalOf(Rival{Kind: "kube-vip", Where: "/m/kube-vip.yaml", VIPs: ours})), []string{"fault m2: kube-vip: /m/kube-vip.yaml"}},
		"kube-vip, Services":  {on("m2", base, rivalOf(Rival{Kind: "kube-vip", Where: "process 1", Runs: true, Services: true})), nil},
		"kube-vip, both":      {on("m2", base, rivalOf(Rival{Kind: "kube-vip", Where: "process 1", Runs: true, Services: true, VIPs: ours})), []string{"fault m2: kube-vip"}},
		"ucarp":               {on("m2", base, rivalOf(Rival{Kind: "ucarp", Where: "process 1", Runs: true})), []string{"warning m2: ucarp"}},
		"haproxy elsewhere":   {on("m2", base, rivalOf(Rival{Kind: "haproxy", Where: "process 1", Runs: true, Ports: []uint16{80}})), nil},
		"haproxy on ours":     {on("m2", base, rivalOf(Rival{Kind: "haproxy", Where: "process 1", Runs: true, Ports: []uint16{80, 26443}})), []string{"warning m2: listens on port 26443"}},
		"haproxy, a backend":  {on("m2", base, rivalOf(Rival{Kind: "haproxy", Where: "process 1", Runs: true, Ports: []uint16{6443}})), nil},
		"haproxy's manifest":  {on("m2", base, rivalOf(Rival{Kind: "haproxy", Where: "/m/haproxy.yaml", VIPs: ours})), nil},
		"foreign": {on("m2", base, leftoversOf(Leftovers{Foreign: []ForeignAddress{{"eth0", netip.PrefixFrom(vip, 24), "eth0", keepalivedProto}}})),
			[]string{"fault m2: VIP 192.168.0.10 is on eth0 as 192.168.0.10/24"}},
		"an advert of ours":       {advert("192.168.0.99", vip, others), []string{"fault : VRRPv2 51 from 192.168.0.99 on eth0 for 192.168.0.10, 192.168.0.77, heard by m1, m2, m3"}},
		"a peer's advert of ours": {advert("192.168.0.2", vip), []string{"fault m2: VRRPv2 51 from 192.168.0.2"}},
		"a peer's advert":         {advert("192.168.0.2", others), []string{"warning m2: VRRPv2 51 from 192.168.0.2"}},
		"a router's advert":       {advert("192.168.0.254", others), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := judgeLeftovers(caseOf(configOf(t), tt.change))
			expect(t, got, tt.want...)
			if len(got) < 3 {
				t.Errorf("not each node was told of: %+v", got)
			}
		})
	}
}

func TestOurs(t *testing.T) {
	at := func(a hostAddress) hostAddress { a.link = "eth0"; return a }
	for name, tt := range map[string]struct {
		a    hostAddress
		want bool
	}{
		"by its origin":      {hostAddress{proto: kshalbProto, prefix: netip.PrefixFrom(vip, 32), valid: math.MaxUint32}, true},
		"of another origin":  {hostAddress{proto: keepalivedProto, prefix: netip.PrefixFrom(vip, 32), valid: 2, label: "eth0:kshalb"}, false},
		"by its label":       {hostAddress{prefix: netip.PrefixFrom(vip, 32), valid: 2, label: "eth0:kshalb"}, true},
		"for ever":           {hostAddress{prefix: netip.PrefixFrom(vip, 32), valid: math.MaxUint32, label: "eth0:kshalb"}, false},
		"preferred":          {hostAddress{prefix: netip.PrefixFrom(vip, 32), valid: 2, preferred: 2, label: "eth0:kshalb"}, false},
		"with a net":         {hostAddress{prefix: netip.PrefixFrom(vip, 24), valid: 2, label: "eth0:kshalb"}, false},
		"of another label":   {hostAddress{prefix: netip.PrefixFrom(vip, 32), valid: 2, label: "eth0:1"}, false},
		"too long a name":    {hostAddress{prefix: netip.PrefixFrom(vip, 32), valid: 2, label: "eth0"}, true},
		"kube-vip's on IPv4": {hostAddress{prefix: netip.PrefixFrom(vip, 32), valid: math.MaxUint32, label: "eth0"}, false},
	} {
		if got := at(tt.a).ours(); got != tt.want {
			t.Errorf("%s: ours is %v", name, got)
		}
	}
}

const kubeVIP = `apiVersion: v1
kind: Pod
spec:
  containers:
  - image: "ghcr.io/kube-vip/kube-vip:v0.8.0"
    env:
    - name: svc_enable
      value: "true"
    - name: cp_enable
      value: "CP"
    - name: address
      value: 192.168.0.10
`

func TestRivals(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{
		"/proc/5/comm": "keepalived\n", "/proc/5/cmdline": "keepalived\x00-D\x00-f\x00/conf/k.conf\x00",
		"/proc/6/comm": "keepalived\n", "/proc/6/cmdline": "keepalived\x00-D\x00",
		"/proc/5/root/conf/k.conf": "# 192.168.0.1\nvirtual_ipaddress { 192.168.0.10/24 dev eth0 }\n",
		"/proc/8/comm":             "haproxy\n", "/proc/8/cmdline": "haproxy\x00",
		"/proc/9/comm": "keepalived\n", "/proc/9/cmdline": "", // it has ended
		"/proc/10/comm": "sh\n", "/proc/10/cmdline": "sh\x00keepalived\x00",
		"/etc/kubernetes/manifests/kube-vip.yaml":                        strings.Replace(kubeVIP, "CP", "true", 1),
		"/etc/kubernetes/manifests/services.yaml":                        strings.NewReplacer("CP", "false", "192.168.0.10", "").Replace(kubeVIP),
		"/etc/kubernetes/manifests/.hidden.yaml":                         kubeVIP,
		"/etc/kubernetes/manifests/etcd.yaml":                            "image: etcd:3\n# image: keepalived\n",
		"/var/lib/rancher/rke2/agent/pod-manifests/lb.yaml":              "containers: \n- image: osixia/keepalived:2.0.20@sha256:00\n  args: [--address, 192.168.0.100]\n",
		"/etc/systemd/system/multi-user.target.wants/ucarp.service":      "",
		"/etc/systemd/system/multi-user.target.wants/keepalived.service": "", // told of as a process
	})
	got, err := l.rivals()
	want := []Rival{
		{Kind: "keepalived", Where: "processes 5, 6", Runs: true, VIPs: []netip.Addr{vip}},
		{Kind: "ucarp", Where: "/etc/systemd/system/multi-user.target.wants/ucarp.service"},
		{Kind: "haproxy", Where: "process 8", Runs: true},
		{Kind: "kube-vip", Where: "/etc/kubernetes/manifests/kube-vip.yaml", VIPs: []netip.Addr{vip}},
		{Kind: "kube-vip", Where: "/etc/kubernetes/manifests/services.yaml", Services: true},
		{Kind: "keepalived", Where: "/var/lib/rancher/rke2/agent/pod-manifests/lb.yaml"},
	}
	if err != nil || !slices.EqualFunc(got, want, func(a, b Rival) bool {
		return a.Kind == b.Kind && a.Where == b.Where && a.Runs == b.Runs && a.Services == b.Services && slices.Equal(a.VIPs, b.VIPs)
	}) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
}

// TestPortsOf: what only this host reaches is nobody's rival.
func TestPortsOf(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	l := looker(t, configOf(t), map[string]string{
		"/proc/8/fd/keep": "",
		"/proc/net/tcp": head +
			"   0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1\n" +
			"   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1\n" +
			"   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 999 1\n" +
			"   3: 0100A8C0:0051 0200A8C0:0000 01 00000000:00000000 00:00000000 00000000     0        0 100 1\n",
		"/proc/net/tcp6": head +
			"   0: 00000000000000000000000000000000:20FB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1\n" +
			"   1: 00000000000000000000000001000000:20FC 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1\n",
	})
	for _, link := range []string{"100", "101", "102"} {
		if err := os.Symlink("socket:["+link+"]", l.path("/proc/8/fd/"+link)); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.portsOf([]process{{pid: 8}}); !slices.Equal(got, []uint16{6443, 8443}) {
		t.Errorf("ports %v", got)
	}
}

// TestTaken: a program on the port where clients come is in the way, where it is no
// backend.
func TestTaken(t *testing.T) {
	base := rivalOf(Rival{Kind: "haproxy", Where: "process 1", Runs: true, Ports: []uint16{6443, 8443}})
	c := caseOf(configOf(t, "port: 6443, b", "port: 8443, b"), on("m3", leftoversOf(Leftovers{}), base))
	expect(t, judgeLeftovers(c), "warning m3: haproxy runs (process 1), and listens on port 8443,")
}
