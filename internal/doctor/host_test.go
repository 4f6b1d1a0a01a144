package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
)

// three are masters with a VIP.
const three = `version: 1
cluster:
  peers:
  - {name: m1, address: 192.168.0.1}
  - {name: m2, address: 192.168.0.2}
  - {name: m3, address: 192.168.0.3}
vips: [{name: api, address: 192.168.0.10}]
listeners:
- {name: api, vip: api, port: 6443, backends: {peers: true, port: 6443}}
`

var vip = netip.MustParseAddr("192.168.0.10")

// configOf is a configuration; old and new replace parts of three.
func configOf(t testing.TB, replace ...string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("kshalb.yaml", []byte(strings.NewReplacer(replace...).Replace(three)))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// caseOf has the same view of each master, which change may change.
func caseOf(cfg *config.Config, change func(v *View)) Case {
	c := Case{Config: cfg, Self: "m1", Views: make(map[string]View)}
	for _, p := range cfg.Cluster.Peers {
		v := View{Node: p.Name, Digest: cfg.Digest()}
		change(&v)
		c.Views[p.Name] = v
	}
	return c
}

// on changes the view of one node only, and has base for the others.
func on(node string, base, other func(v *View)) func(v *View) {
	return func(v *View) {
		if base(v); v.Node == node {
			other(v)
		}
	}
}

// expect holds findings that are not fine against what is wanted, each of them
// "LEVEL NODE: a part of what was seen".
func expect(t *testing.T, got []Finding, want ...string) {
	t.Helper()
	for _, f := range got {
		if f.Saw == "" || f.Level < Unseen && (f.Why == "" || f.Mend == "") {
			t.Errorf("%+v does not say all", f)
		}
		if f.Level == Fine {
			continue
		}
		text := fmt.Sprintf("%s %s: %s", f.Level, f.Node, f.Saw)
		i := slices.IndexFunc(want, func(w string) bool {
			head, saw, _ := strings.Cut(w, ": ")
			return strings.HasPrefix(text, head+": ") && strings.Contains(f.Saw, saw)
		})
		if i < 0 {
			t.Errorf("not expected: %s", text)
			continue
		}
		want = slices.Delete(slices.Clone(want), i, i+1)
	}
	for _, w := range want {
		t.Errorf("not found: %s", w)
	}
}

// plant writes files below a folder that stands for a host's root.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// looker looks at planted files, and knows no DNS.
func looker(t *testing.T, cfg *config.Config, files map[string]string) *Looker {
	root := plant(t, files)
	if err := os.MkdirAll(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &Looker{Config: cfg, Node: "m1", Root: root,
		Lookup: func(_ context.Context, name string) ([]netip.Addr, error) { return nil, fmt.Errorf("no %s", name) }}
}

// looked is the view that one topic fills.
func looked(t *testing.T, l *Looker, look func(context.Context, *Looker, *View) error) View {
	t.Helper()
	v := View{Node: l.Node}
	if err := look(t.Context(), l, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestNoSecretLeaves plants secrets wherever hosts have them.
func TestNoSecretLeaves(t *testing.T) {
	const secret = "s3cret"
	files := map[string]string{
		"/etc/kubernetes/admin.conf":                    "clusters:\n- cluster:\n    certificate-authority-data: s3cret\n    server: https://user:s3cret@lb.example:6443/?token=s3cret\nusers:\n- user: {token: s3cret, client-key-data: s3cret}\n",
		"/etc/kubernetes/kubelet.conf":                  "server: s3cret\n",
		"/etc/rancher/rke2/config.yaml":                 "token: s3cret\nserver: https://lb.example:9345\nnode-ip: 192.168.0.1\n",
		"/etc/kubernetes/manifests/etcd.yaml":           "- etcd\n- --initial-cluster-token=s3cret\n",
		"/etc/kubernetes/manifests/kube-vip.yaml":       "image: kube-vip:v1\nenv:\n- name: BGP_PASS\n  value: s3cret\n",
		"/etc/kubernetes/manifests/kube-apiserver.yaml": "- kube-apiserver\n- --etcd-servers=https://u:s3cret@10.0.0.1:2379\n- --oidc-client-id=s3cret\n",
		"/etc/keepalived/keepalived.conf":               "auth_pass s3cret\n192.168.0.10\n",
		"/proc/41/comm":                                 "ucarp\n",
		"/proc/41/cmdline":                              "ucarp\x00--pass=s3cret\x00--addr=192.168.0.10\x00",
		"/proc/42/comm":                                 "keepalived\n",
		"/proc/42/cmdline":                              "keepalived\x00",
		"/proc/42/root/etc/keepalived/keepalived.conf":  "auth_pass s3cret\nvirtual_ipaddress { 192.168.0.10 }\n",
		"/proc/43/comm":                                 "k3s-server\n",
		"/proc/43/cmdline":                              "/usr/bin/k3s server\x00--token=s3cret\x00--node-ip=192.168.0.1\x00",
		"/proc/44/comm":                                 "kube-vip\n",
		"/proc/44/cmdline":                              "/kube-vip\x00manager\x00",
		"/proc/44/environ":                              "bgp_routerpass=s3cret\x00address=192.168.0.10\x00",
		"/proc/net/route":                               "",
		"/etc/hosts":                                    "192.168.0.10 lb.example\n",
	}
	l := looker(t, configOf(t), files)
	v := l.Look(t.Context())
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	findings := fmt.Sprintf("%+v", Judge(Case{Config: l.Config, Self: "m1", Views: map[string]View{"m1": v}}))
	if strings.Contains(string(text)+findings, secret) {
		t.Errorf("a secret is in\n%s\n%s", text, findings)
	}
	for _, known := range []string{"ucarp runs", "keepalived runs", "kube-vip runs", "--node-ip is 192.168.0.1"} {
		if !strings.Contains(findings, known) {
			t.Errorf("%q was not found: the test proves nothing\n%s", known, findings)
		}
	}
}

// TestContained: what a container does not see is said, and nothing is guessed.
func TestContained(t *testing.T) {
	v := View{Contained: true, Unseen: map[string]string{"kubelet": errHidden.Error()}, Leftovers: &Leftovers{Hidden: errHidden.Error()},
		KubeProxy: &KubeProxy{Hidden: errHidden.Error()}}
	c := caseOf(configOf(t), func(own *View) { node := own.Node; *own = v; own.Node, own.Digest = node, configOf(t).Digest() })
	for _, f := range Judge(c) {
		if f.Level < Unseen {
			t.Errorf("%+v", f)
		}
	}
}

func TestHasWord(t *testing.T) {
	for _, tt := range []struct {
		text, word string
		want       bool
	}{
		{"192.168.0.10/24 dev eth0", "192.168.0.10", true},
		{"addr=192.168.0.10", "192.168.0.10", true},
		{"192.168.0.10:6443", "192.168.0.10", true},
		{"192.168.0.100", "192.168.0.10", false},
		{"1192.168.0.10", "192.168.0.10", false},
		{"192.168.0.100 192.168.0.10", "192.168.0.10", true},
		{"[fd00::10]:6443", "fd00::10", true},
		{"fd00::10:1", "fd00::10", false},
		{"", "192.168.0.10", false},
		{"x", "", false},
	} {
		if got := hasWord(tt.text, tt.word); got != tt.want {
			t.Errorf("hasWord(%q, %q) is %v", tt.text, tt.word, got)
		}
	}
}

func TestFlag(t *testing.T) {
	args := []string{"kubelet", "--a=1", "-b", "2", "--c", "--d", "--a=3"}
	for name, want := range map[string]string{"a": "3", "b": "2", "c": "", "d": ""} {
		if got, ok := flag(args, name); got != want || !ok {
			t.Errorf("%s is %q, %v, want %q", name, got, ok, want)
		}
	}
	if _, ok := flag(args, "e"); ok {
		t.Error("e was not given")
	}
}

// TestHostFile: what is too large, or no file, is not read.
func TestHostFile(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{"/etc/hosts": strings.Repeat("x", maxHostFile+1), "/etc/x/y": ""})
	for _, name := range []string{"/etc/hosts", "/etc/x", "/etc/missing"} {
		if data, err := l.hostFile(name); err == nil {
			t.Errorf("%s: %d bytes", name, len(data))
		}
	}
}

const routes4 = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth1	00000000	0100A8C0	0003	0	0	200	00000000	0	0	0
eth0	00000000	0100A8C0	0003	0	0	100	00000000	0	0	0
eth1	0000A8C0	00000000	0001	0	0	0	0000FFFF	0	0	0
eth0	0000A8C0	00000000	0001	0	0	100	00FFFFFF	0	0	0
eth2	0000A8C0	00000000	0001	0	0	50	00FFFFFF	0	0	0
`

const routes6 = `fd00006b000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0
fd00006b000000000000000000000010 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000002 00000000 80200001     eth1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd00006b000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`

func TestHome(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{"/proc/net/route": routes4, "/proc/net/ipv6_route": routes6})
	for _, tt := range []struct{ address, named, link, network string }{
		{"192.168.0.10", "", "eth2", "192.168.0.0/24"}, // the lowest metric of the narrowest
		{"192.168.0.10", "eth1", "eth1", "192.168.0.0/16"},
		{"192.168.0.10", "eth9", "eth9", "invalid Prefix"},
		{"10.0.0.1", "", "", "invalid Prefix"},
		{"fd00:6b::10", "", "eth0", "fd00:6b::/64"}, // not the route to an address of this host
	} {
		link, network, err := l.home(config.VIP{Address: netip.MustParseAddr(tt.address), Interface: tt.named})
		if link != tt.link || network.String() != tt.network || err != nil {
			t.Errorf("%s: %q, %s, %v, want %+v", tt.address, link, network, err, tt)
		}
	}
	routes, err := l.hostRoutes(vip)
	if out := outward(routes); out != "eth0" || err != nil {
		t.Errorf("outward is %s, %v", out, err)
	}
}
