package doctor

import (
	"net/netip"
	"strings"
	"testing"
)

func TestJudgeKubelet(t *testing.T) {
	own := netip.MustParseAddr("192.168.0.1")
	base := func(v *View) {
		v.Kubelet = &Kubelet{Where: "kubelet (process 1)", Name: "m", Picked: own, PickedOn: "eth0"}
	}
	with := func(change func(k *Kubelet)) func(v *View) {
		return on("m2", base, func(v *View) { change(v.Kubelet) })
	}
	six := []string{"192.168.0.10}", `"fd00:6b::10"}`}
	for name, tt := range map[string]struct {
		replace []string
		change  func(v *View)
		want    []string
	}{
		"healthy":             {nil, base, nil},
		"none":                {nil, with(func(k *Kubelet) { *k = Kubelet{} }), nil},
		"its own":             {nil, with(func(k *Kubelet) { k.NodeIPs = []netip.Addr{own} }), nil},
		"its own, and a name": {nil, with(func(k *Kubelet) { k.NodeIPs, k.Named = []netip.Addr{own}, []netip.Addr{vip} }), nil},
		"told":                {nil, with(func(k *Kubelet) { k.NodeIPs = []netip.Addr{own, vip} }), []string{"fault m2: --node-ip of the kubelet (kubelet (process 1)) is VIP 192.168.0.10"}},
		"named":               {nil, with(func(k *Kubelet) { k.Named = []netip.Addr{vip} }), []string{"fault m2: the node's name m is VIP"}},
		"named as it is":      {nil, with(func(k *Kubelet) { k.Named, k.Own, k.Picked = []netip.Addr{own}, true, vip }), nil},
		"no way out":          {nil, with(func(k *Kubelet) { k.Picked = netip.Addr{} }), nil},
		"by a cloud":          {nil, with(func(k *Kubelet) { k.Cloud, k.Named = true, []netip.Addr{vip} }), nil},
		"picked":              {nil, with(func(k *Kubelet) { k.Picked = vip }), []string{"fault m2: VIP 192.168.0.10 is the first address of eth0"}},
		"IPv4 before IPv6":    {six, base, nil},
		"IPv6":                {six, with(func(k *Kubelet) { k.Picked = netip.MustParseAddr("fd00:6b::2") }), []string{"warning m2: now fd00:6b::2"}},
		"IPv6 beside IPv4":    {nil, with(func(k *Kubelet) { k.Picked = netip.MustParseAddr("fd00:6b::2") }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, judgeKubelet(caseOf(configOf(t, tt.replace...), tt.change)), tt.want...)
		})
	}
}

func TestLookKubelet(t *testing.T) {
	running := map[string]string{"/proc/5/comm": "kubelet\n", "/proc/5/cmdline": "/usr/bin/kubelet\x00--node-ip\x00192.168.0.1,fd00::1\x00"}
	k3s := map[string]string{"/proc/5/comm": "k3s-server\n", "/proc/5/cmdline": "/usr/bin/k3s server\x00",
		"/etc/rancher/k3s/config.yaml": "token: x\nnode-ip:\n  - 192.168.0.10\n  - 'fd00::1'\nnode-name: n\n"}
	for name, tt := range map[string]struct {
		files map[string]string
		where string
		ips   string
	}{
		"none":      {nil, "", ""},
		"a process": {running, "kubelet (process 5)", "192.168.0.1, fd00::1"},
		"kubeadm":   {map[string]string{"/var/lib/kubelet/kubeadm-flags.env": `KUBELET_KUBEADM_ARGS="--a=b --node-ip=192.168.0.10"`}, "/var/lib/kubelet/kubeadm-flags.env", "192.168.0.10"},
		"extra": {map[string]string{"/etc/default/kubelet": "#KUBELET_EXTRA_ARGS=--node-ip=192.168.0.1\nKUBELET_EXTRA_ARGS=--node-ip=192.168.0.10\n"},
			"/etc/default/kubelet", "192.168.0.10"},
		"any":  {map[string]string{"/etc/sysconfig/kubelet": "KUBELET_EXTRA_ARGS='--node-ip=0.0.0.0'"}, "/etc/sysconfig/kubelet", ""},
		"k3s":  {k3s, "k3s-server (process 5)", "192.168.0.10, fd00::1"},
		"RKE2": {map[string]string{"/etc/rancher/rke2/config.yaml": "node-ip: [192.168.0.10, \"fd00::1\"]\nx: y\n"}, "/etc/rancher/rke2/config.yaml", "192.168.0.10, fd00::1"},
	} {
		k := looked(t, looker(t, configOf(t), tt.files), lookKubelet).Kubelet
		if k.Where != tt.where || addressList(k.NodeIPs) != tt.ips {
			t.Errorf("%s: %+v", name, k)
		}
	}
	named := looked(t, looker(t, configOf(t), map[string]string{"/proc/5/comm": "kubelet\n", "/proc/5/cmdline": "kubelet\x00--cloud-provider=external\x00",
		"/proc/sys/kernel/hostname": "Master1\n", "/etc/hosts": "192.168.0.10 master1\n"}), lookKubelet).Kubelet
	if !named.Cloud || named.Name != "Master1" || addressList(named.Named) != "192.168.0.10" {
		t.Errorf("by its name: %+v", named)
	}
}

// TestPicks: the first global address of the interface with the default route, as a
// kubelet does.
func TestPicks(t *testing.T) {
	at := func(link, prefix string) hostAddress {
		return hostAddress{link: link, prefix: netip.MustParsePrefix(prefix)}
	}
	all := []hostAddress{
		at("lo", "127.0.0.1/8"), at("eth0", "169.254.0.1/16"), at("eth0", "192.168.0.10/32"), at("eth0", "192.168.0.1/24"),
		at("eth1", "10.0.0.1/8"), at("eth0", "fe80::1/64"), at("eth0", "fd00:6b::10/128"), at("eth0", "fd00:6b::1/64"),
	}
	four := strings.Join(strings.SplitAfter(routes4, "\n")[:1], "") + strings.Join(strings.SplitAfter(routes4, "\n")[2:], "")
	for name, tt := range map[string]struct {
		routes4 string
		six     bool
		want    string
	}{
		"IPv4":                  {four, false, "192.168.0.10 eth0"},
		"IPv4, the first route": {routes4, false, "10.0.0.1 eth1"},
		"IPv6":                  {four, true, "fd00:6b::10 eth0"},
		"only IPv6":             {"", false, "fd00:6b::10 eth0"},
	} {
		l := looker(t, configOf(t), map[string]string{"/proc/net/route": tt.routes4, "/proc/net/ipv6_route": routes6})
		if ip, link := l.picks(all, tt.six); ip.String()+" "+link != tt.want {
			t.Errorf("%s: %s of %s, want %s", name, ip, link, tt.want)
		}
	}
	if ip, link := looker(t, configOf(t), nil).picks(all, false); ip.IsValid() || link != "" {
		t.Errorf("without routes: %s of %s", ip, link)
	}
}
