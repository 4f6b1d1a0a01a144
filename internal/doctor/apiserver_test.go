package doctor

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func apiserverOf(flags ...string) func(v *View) {
	return func(v *View) {
		v.APIServer = &APIServer{Where: "kube-apiserver (process 1)", Flags: make(map[string]string)}
		for _, f := range flags {
			name, value, _ := strings.Cut(f, "=")
			v.APIServer.Flags[name] = value
		}
	}
}

func TestJudgeAPIServer(t *testing.T) {
	base := apiserverOf("advertise-address=192.168.0.1", "secure-port=6443")
	certain := []string{"port: 6443}}", "port: 6443}, check: {expect: [200, 401]}}"}
	elsewhere := []string{"{peers: true, port: 6443}}", "{addresses: [10.0.0.1:6443]}}"}
	for name, tt := range map[string]struct {
		replace []string
		change  func(v *View)
		want    []string
	}{
		"healthy":             {nil, base, nil},
		"none":                {nil, func(v *View) { v.APIServer = &APIServer{} }, nil},
		"nothing seen":        {nil, func(*View) {}, nil},
		"at the VIP":          {nil, on("m2", base, apiserverOf("advertise-address=192.168.0.10")), []string{"fault m2: --advertise-address is VIP"}},
		"bound to the VIP":    {nil, on("m2", base, apiserverOf("bind-address=192.168.0.10")), []string{"fault m2: --bind-address is VIP"}},
		"bound to itself":     {nil, on("m2", base, apiserverOf("bind-address=192.168.0.2")), nil},
		"bound to all":        {nil, on("m2", base, apiserverOf("bind-address=::")), nil},
		"bound to loopback":   {nil, on("m2", base, apiserverOf("bind-address=127.0.0.1")), []string{"fault m2: --bind-address is 127.0.0.1"}},
		"bound, no backend":   {elsewhere, on("m2", base, apiserverOf("bind-address=127.0.0.1")), nil},
		"no anonymous":        {nil, on("m2", base, apiserverOf("anonymous-auth=false")), []string{"fault m2: --anonymous-auth is false, and listener api"}},
		"no anonymous, known": {certain, on("m2", base, apiserverOf("anonymous-auth=false")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, judgeAPIServer(caseOf(configOf(t, tt.replace...), tt.change)), tt.want...)
		})
	}
}

// TestAPIServerAdvice: what could be better is said, as fine.
func TestAPIServerAdvice(t *testing.T) {
	for name, tt := range map[string]struct {
		flags []string
		want  []string
		not   []string
	}{
		"kubeadm's": {nil, []string{"--shutdown-delay-duration is 0", "--goaway-chance is 0"}, []string{"permit-port-sharing"}},
		"tuned": {[]string{"shutdown-delay-duration=20s", "goaway-chance=0.001", "permit-port-sharing"},
			[]string{"--shutdown-delay-duration is 20s", "--permit-port-sharing"}, []string{"goaway-chance"}},
	} {
		got := judgeAPIServer(caseOf(configOf(t), apiserverOf(tt.flags...)))[0]
		for _, w := range tt.want {
			if !strings.Contains(got.Saw, w) {
				t.Errorf("%s: no %q in %q", name, w, got.Saw)
			}
		}
		for _, w := range tt.not {
			if strings.Contains(got.Saw, w) {
				t.Errorf("%s: %q in %q", name, w, got.Saw)
			}
		}
	}
}

const apiserverManifest = `spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=192.168.0.1
    # - --bind-address=127.0.0.1
    - --etcd-servers=https://10.0.0.1:2379,https://[fd00::2]:2379
    - "--goaway-chance=0.001"
    args: [--secure-port=6444, --bind-address=0.0.0.0]
    - --service-account-issuer=https://x
`

func TestLookAPIServer(t *testing.T) {
	files := map[string]string{"/etc/kubernetes/manifests/kube-apiserver.yaml": apiserverManifest}
	a := looked(t, looker(t, configOf(t), files), lookAPIServer).APIServer
	want := map[string]string{"advertise-address": "192.168.0.1", "goaway-chance": "0.001", "secure-port": "6444", "bind-address": "0.0.0.0"}
	if a.Where != "/etc/kubernetes/manifests/kube-apiserver.yaml" || !maps.Equal(a.Flags, want) || !slices.Equal(a.Etcd, []string{"10.0.0.1:2379", "[fd00::2]:2379"}) {
		t.Errorf("by its manifest: %+v", a)
	}
	files["/proc/5/comm"], files["/proc/5/cmdline"] = "kube-apiserver\n", "kube-apiserver\x00--bind-address=0.0.0.0\x00--permit-port-sharing\x00"
	a = looked(t, looker(t, configOf(t), files), lookAPIServer).APIServer
	if a.Where != "kube-apiserver (process 5)" || !maps.Equal(a.Flags, map[string]string{"bind-address": "0.0.0.0", "permit-port-sharing": ""}) {
		t.Errorf("by its process: %+v", a)
	}
	if a := looked(t, looker(t, configOf(t), nil), lookAPIServer).APIServer; a.Where != "" {
		t.Errorf("without one: %+v", a)
	}
}
