package doctor

import (
	"net/netip"
	"os"
	"testing"
)

func TestJudgeKubeProxy(t *testing.T) {
	base := func(v *View) { v.KubeProxy = &KubeProxy{Process: "kube-proxy (process 1)", Mode: "ipvs"} }
	with := func(change func(k *KubeProxy)) func(v *View) {
		return on("m2", base, func(v *View) { change(v.KubeProxy) })
	}
	for name, tt := range map[string]struct {
		change func(v *View)
		want   []string
	}{
		"ipvs":         {base, nil},
		"nftables":     {with(func(k *KubeProxy) { k.Mode = "nftables" }), nil},
		"the default":  {with(func(k *KubeProxy) { k.Mode = "" }), nil},
		"none":         {with(func(k *KubeProxy) { *k = KubeProxy{} }), nil},
		"hidden":       {with(func(k *KubeProxy) { *k = KubeProxy{Hidden: "why"} }), []string{"unseen m2: its mode was not seen: why"}},
		"bound":        {with(func(k *KubeProxy) { k.Bound = []netip.Addr{vip} }), []string{"fault m2: VIP 192.168.0.10 is on kube-ipvs0"}},
		"virtual":      {with(func(k *KubeProxy) { k.Virtual = []netip.AddrPort{netip.AddrPortFrom(vip, 6443)} }), []string{"warning m2: virtual server at 192.168.0.10:6443"}},
		"a private":    {with(func(k *KubeProxy) { k.Virtual = []netip.AddrPort{netip.AddrPortFrom(vip, 26443)} }), []string{"fault m2: 192.168.0.10:26443"}},
		"a node port":  {with(func(k *KubeProxy) { k.Virtual = []netip.AddrPort{netip.AddrPortFrom(vip, 30000)} }), nil},
		"nothing seen": {func(*View) {}, nil},
	} {
		t.Run(name, func(t *testing.T) { expect(t, judgeKubeProxy(caseOf(configOf(t), tt.change)), tt.want...) })
	}
}

const ipVS = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A8000A:192B rr persistent 10800
  -> C0A80001:192B      Masq    1      0          0
UDP  C0A8000A:0035 rr
TCP  [fd00:006b:0000:0000:0000:0000:0000:0010]:192B rr
TCP  0A600001:01BB rr
TCP  C0A8000A:78A0 rr
TCP  C0A80001:78A0 rr
FWM  00000001 rr
`

func TestLookKubeProxy(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{
		"/proc/net/ip_vs": ipVS,
		"/proc/5/comm":    "kube-proxy\n", "/proc/5/cmdline": "kube-proxy\x00--config=/var/lib/kube-proxy/config.conf\x00--proxy-mode=iptables\x00",
		"/proc/5/root/var/lib/kube-proxy/data/config.conf": "ipvs:\n  excludeCIDRs: null\n  strictARP: true\nmode: \"ipvs\"\n",
	})
	if err := os.Symlink("data/config.conf", l.path("/proc/5/root/var/lib/kube-proxy/config.conf")); err != nil {
		t.Fatal(err)
	}
	k := looked(t, l, lookKubeProxy).KubeProxy
	if k.Process != "kube-proxy (process 5)" || k.Mode != "ipvs" || !k.StrictARP || len(k.Virtual) != 1 || k.Virtual[0].String() != "192.168.0.10:6443" {
		t.Errorf("%+v", k)
	}
	if all := parseIPVS(ipVS); len(all) != 5 || all[1].String() != "[fd00:6b::10]:6443" {
		t.Errorf("%v", all)
	}
}

// TestProcessFileStaysInside: a container's link to the outside is not followed.
func TestProcessFileStaysInside(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{"/etc/shadow": "secret", "/proc/5/root/etc/x": ""})
	for name, to := range map[string]string{"up": "../../../../etc/shadow", "absolute": l.path("/etc/shadow")} {
		if err := os.Symlink(to, l.path("/proc/5/root/etc/"+name)); err != nil {
			t.Fatal(err)
		}
		if data, err := l.processFile(process{pid: 5}, "/etc/"+name); err == nil {
			t.Errorf("%s: read %q", name, data)
		}
	}
}
