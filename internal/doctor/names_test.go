package doctor

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
)

func nameOf(name string, addresses ...string) Name {
	n := Name{Name: name, From: []string{"/etc/kubernetes/admin.conf"}, By: hostsFile}
	for _, a := range addresses {
		n.Addresses = append(n.Addresses, netip.MustParseAddr(a))
	}
	return n
}

func namesOf(names []Name, servers ...Server) func(v *View) {
	return func(v *View) { v.Names = &Names{Names: names, Servers: servers} }
}

func TestJudgeNames(t *testing.T) {
	const admin, kubelet = "/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf"
	good := namesOf([]Name{nameOf("lb", "192.168.0.10")}, Server{admin, "lb", 6443}, Server{kubelet, "192.168.0.1", 6443})
	other := func(names ...string) func(v *View) { return namesOf([]Name{nameOf("lb", names...)}) }
	server := func(file, host string, port uint16) func(v *View) { return namesOf(nil, Server{file, host, port}) }
	two := []string{"{name: api, address: 192.168.0.10}", "{name: api, address: 192.168.0.10}, {name: two, address: 192.168.0.11}"}
	local := []string{"listeners:", "listeners:\n- {name: local, bind: 127.0.0.1, port: 8443, backends: {peers: true, port: 6443}}"}
	for name, tt := range map[string]struct {
		replace []string
		change  func(v *View)
		want    []string
	}{
		"healthy":              {nil, good, nil},
		"no name":              {nil, namesOf(nil), nil},
		"none":                 {nil, on("m2", good, other()), []string{"fault m2: lb (/etc/kubernetes/admin.conf) has no address"}},
		"a peer":               {nil, on("m2", good, other("192.168.0.1")), []string{"fault m2: lb is 192.168.0.1"}},
		"a stranger":           {nil, on("m2", good, other("10.0.0.1")), []string{"fault m2: lb is 10.0.0.1"}},
		"one of two":           {nil, on("m2", good, other("192.168.0.10", "10.0.0.1")), []string{"fault m2: lb is 192.168.0.10, 10.0.0.1"}},
		"loopback":             {nil, on("m2", good, other("127.0.0.1")), []string{"warning m2: lb is 127.0.0.1"}},
		"loopback, served":     {local, on("m2", good, other("127.0.0.1")), nil},
		"contained":            {nil, on("m2", good, func(v *View) { other("10.0.0.1")(v); v.Contained = true }), []string{"unseen m2: lb is 10.0.0.1"}},
		"they differ":          {two, on("m2", good, other("192.168.0.11")), []string{"warning : lb is 192.168.0.10 on m1, m3; 192.168.0.11 on m2"}},
		"admin.conf to a peer": {nil, on("m2", good, server(admin, "192.168.0.1", 6443)), []string{"warning m2: /etc/kubernetes/admin.conf goes to 192.168.0.1"}},
		"admin.conf elsewhere": {nil, on("m2", good, server(admin, "10.0.0.1", 6443)), []string{"warning m2: goes to 10.0.0.1"}},
		"to this host":         {nil, on("m2", good, server(admin, "127.0.0.1", 6443)), nil},
		"to the VIP":           {nil, on("m2", good, server(admin, "192.168.0.10", 6443)), nil},
		"its private port":     {nil, on("m2", good, server(admin, "192.168.0.10", 26443)), nil},
		"another port":         {nil, on("m2", good, server(admin, "192.168.0.10", 8443)), []string{"warning m2: 192.168.0.10, port 8443"}},
		"the name's port":      {nil, namesOf([]Name{nameOf("lb", "192.168.0.10")}, Server{admin, "lb", 8443}), []string{"warning m1: lb, port 8443", "warning m2: lb, port 8443", "warning m3: lb, port 8443"}},
		"RKE2's other port":    {nil, on("m2", good, server("/etc/rancher/rke2/config.yaml", "192.168.0.10", 9345)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, judgeNames(caseOf(configOf(t, tt.replace...), tt.change)), tt.want...)
		})
	}
}

func TestLookNames(t *testing.T) {
	l := looker(t, configOf(t), map[string]string{
		"/etc/hosts": "127.0.0.1 localhost # 192.168.0.10 comment\n192.168.0.10 LB.example. alias\n10.0.0.9 alias\nrubbish x\n192.168.0.2\n",
		"/etc/kubernetes/admin.conf": "apiVersion: v1\nclusters:\n- cluster:\n    server: https://lb.example:6443\n  name: kubernetes\n" +
			"- cluster:\n    server: https://lb.example:6443\n",
		"/etc/kubernetes/kubelet.conf":        "    server: \"https://192.168.0.1:6443\"\n",
		"/etc/kubernetes/kubeadm-config.yaml": "controlPlaneEndpoint: cp.example # the VIP\n",
		"/etc/rancher/k3s/config.yaml":        "server: 'https://[fd00::1]'\ntls-san: [x]\n",
	})
	l.Domains = []string{"API.example"}
	l.Lookup = func(_ context.Context, name string) ([]netip.Addr, error) {
		if name == "api.example" {
			return []netip.Addr{netip.MustParseAddr("::ffff:192.168.0.10"), vip}, nil
		}
		return nil, errors.New("no such host")
	}
	n := looked(t, l, lookNames).Names
	wantServers := []Server{
		{"/etc/kubernetes/admin.conf", "lb.example", 6443},
		{"/etc/kubernetes/kubelet.conf", "192.168.0.1", 6443},
		{"/etc/kubernetes/kubeadm-config.yaml", "cp.example", 6443},
		{"/etc/rancher/k3s/config.yaml", "fd00::1", 443},
	}
	if !slices.Equal(n.Servers, wantServers) {
		t.Errorf("servers %+v", n.Servers)
	}
	got := make(map[string]Name)
	for _, name := range n.Names {
		got[name.Name] = name
	}
	if a := got["alias"]; len(got) != 4 || len(a.Addresses) != 2 || a.By != hostsFile {
		t.Errorf("%+v", n.Names)
	}
	if a := got["api.example"]; len(a.Addresses) != 1 || a.By != byDNS || a.Addresses[0] != vip {
		t.Errorf("by DNS: %+v", a)
	}
	if a := got["cp.example"]; a.Error != "no such host" {
		t.Errorf("of no address: %+v", a)
	}
	if a := got["lb.example"]; !slices.Equal(a.From, []string{"/etc/kubernetes/admin.conf", "/etc/hosts"}) {
		t.Errorf("from %v", a.From)
	}
}

func TestLookNamesWithoutFiles(t *testing.T) {
	if n := looked(t, looker(t, configOf(t), nil), lookNames).Names; len(n.Names)+len(n.Servers) != 0 {
		t.Errorf("%+v", n)
	}
}
