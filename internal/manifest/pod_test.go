package manifest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kshalb/kshalb/internal/config"
)

const masters = `version: 1
cluster:
  peers: [{name: m1, address: 192.168.0.1}, {name: m2, address: 192.168.0.2}, {name: w, address: 192.168.0.3, witness: true}]
vips: [{name: apiserver, address: 192.168.0.10}]
listeners:
- {name: apiserver, vip: apiserver, port: 6443, backends: {peers: true, port: 6443}}
admin: {http: 127.0.0.1:9446}
`

const worker = `version: 1
listeners:
- {name: apiserver, bind: 127.0.0.1, port: 6443, backends: {addresses: [192.168.0.1:6443]}}
`

// parsed is a configuration, changed by pairs of an old and a new text.
func parsed(t *testing.T, text string, changes ...string) *config.Config {
	t.Helper()
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("there is no %q", changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	cfg, err := config.Parse("kshalb.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func options(role Role) Options {
	return Options{Role: role, Image: "kshalb/kshalb:v1.2.3", Path: "/etc/kshalb/kshalb.yaml"}
}

// read is a manifest as a kubelet reads it; test/e2e does so with Kubernetes' own
// types, strictly.
func read(t *testing.T, cfg *config.Config, o Options) spec {
	t.Helper()
	text, err := Pod(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Pod(cfg, o); !bytes.Equal(again, text) || err != nil {
		t.Error("the second time it is another text", err)
	}
	var p struct{ Spec spec }
	if err := yaml.Unmarshal(text, &p); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if len(p.Spec.Containers) != 1 || !p.Spec.HostNetwork {
		t.Fatalf("%+v", p)
	}
	return p.Spec
}

type spec struct {
	HostNetwork bool  `yaml:"hostNetwork"`
	Token       *bool `yaml:"automountServiceAccountToken"`
	Grace       int64 `yaml:"terminationGracePeriodSeconds"`
	Containers  []container
	Volumes     []struct {
		Name     string
		HostPath struct{ Path, Type string } `yaml:"hostPath"`
	}
}

type container struct {
	Image           string
	Command         []string
	SecurityContext struct {
		Escalation   *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities struct{ Drop, Add []string }
	} `yaml:"securityContext"`
	Liveness  *probe `yaml:"livenessProbe"`
	Readiness *probe `yaml:"readinessProbe"`
	Mounts    []struct {
		Name     string
		Path     string `yaml:"mountPath"`
		ReadOnly bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct {
		Host, Path string
		Port       uint16
	} `yaml:"httpGet"`
}

// folders are those of the host, with "rw" behind those that are written to.
func (s spec) folders(t *testing.T) (all []string) {
	t.Helper()
	names := map[string]bool{}
	for i, m := range s.Containers[0].Mounts {
		v := s.Volumes[i]
		if v.Name != m.Name || v.HostPath.Path != m.Path || names[v.Name] || strings.HasPrefix(v.HostPath.Type, "File") {
			t.Errorf("mount %+v of %+v", m, v)
		}
		names[m.Name] = true
		if !m.ReadOnly {
			m.Path += " rw"
		}
		all = append(all, m.Path)
	}
	return all
}

func TestRights(t *testing.T) {
	const low = "NET_BIND_SERVICE"
	floats := []string{"NET_ADMIN", "NET_RAW"}
	for name, c := range map[string]struct {
		role    Role
		text    string
		changes []string
		want    []string
	}{
		"a master":                       {Master, masters, nil, floats},
		"a witness":                      {Witness, masters, nil, nil},
		"a worker":                       {Node, worker, nil, nil},
		"a worker on port 443":           {Node, worker, []string{"port: 6443", "port: 443"}, []string{low}},
		"a VIP's port 443, shared":       {Master, masters, []string{"port: 6443, b", "port: 443, b"}, append(floats, low)},
		"a VIP's port 443, redirected":   {Master, masters, []string{"port: 6443, b", "port: 443, portConflict: dnat, b"}, floats},
		"a VIP's port 443, of a witness": {Witness, masters, []string{"port: 6443, b", "port: 443, b"}, nil},
		"metrics on port 90":             {Master, masters, []string{"9446", "90"}, append(floats, low)},
		"gossip on port 900":             {Witness, masters, []string{"cluster:\n", "cluster:\n  gossip: {port: 900}\n"}, []string{low}},
		"clients' addresses":             {Node, worker, []string{"127.0.0.1, port: 6443,", "192.168.0.4, port: 6443, source: client,"}, []string{"NET_ADMIN"}},
		"a master without a VIP":         {Master, worker, nil, nil},
	} {
		s := read(t, parsed(t, c.text, c.changes...), options(c.role))
		sc := s.Containers[0].SecurityContext
		if !slices.Equal(sc.Capabilities.Add, c.want) || !slices.Equal(sc.Capabilities.Drop, []string{"ALL"}) {
			t.Errorf("%s: %+v, want %v", name, sc.Capabilities, c.want)
		}
		if !sc.ReadOnly || sc.Escalation == nil || *sc.Escalation || s.Token == nil || *s.Token {
			t.Errorf("%s: more than it needs: %+v", name, sc)
		}
	}
}

func TestProbes(t *testing.T) {
	for http, want := range map[string]string{
		"127.0.0.1:9446": "127.0.0.1", "192.168.0.1:80": "192.168.0.1", "0.0.0.0:9446": "127.0.0.1",
		`"[::]:9446"`: "::1", `"[2001:db8::1]:9446"`: "2001:db8::1", `""`: "",
	} {
		cfg := parsed(t, masters, "127.0.0.1:9446", http)
		c := read(t, cfg, options(Master)).Containers[0]
		if want == "" {
			if c.Liveness != nil || c.Readiness != nil {
				t.Error("probes where nobody listens")
			}
			continue
		}
		for path, p := range map[string]*probe{"/healthz": c.Liveness, "/readyz": c.Readiness} {
			if p == nil || p.HTTPGet.Host != want || p.HTTPGet.Path != path || p.HTTPGet.Port != cfg.Admin.HTTP.Port() {
				t.Errorf("%s: %+v, want %s of %s", http, p, path, want)
			}
		}
	}
}

func TestFolders(t *testing.T) {
	const run, state, pki = "/run/kshalb rw", "/var/lib/kshalb rw", "/etc/kubernetes/pki"
	check := func(text string) []string { return []string{"port: 6443}", "port: 6443}, check: {" + text + "}"} }
	for name, c := range map[string]struct {
		changes []string
		want    []string
	}{
		"as usual":            {nil, []string{"/etc/kshalb", run, state, pki}},
		"a key elsewhere":     {[]string{"cluster:\n", "cluster:\n  gossip: {keyFile: /srv/keys/gossip}\n"}, []string{"/etc/kshalb", "/srv/keys", run, state, pki}},
		"no key":              {[]string{"cluster:\n", "cluster:\n  gossip: {insecure: true}\n"}, []string{"/etc/kshalb", run, state, pki}},
		"no socket":           {[]string{"admin: {", "admin: {socket: \"\", "}, []string{"/etc/kshalb", state, pki}},
		"a socket elsewhere":  {[]string{"admin: {", "admin: {socket: '/run/a \"b\"/s', "}, []string{"/etc/kshalb", "/run/a \"b\" rw", state, pki}},
		"a socket beside it":  {[]string{"admin: {", "admin: {socket: /etc/kshalb/s, "}, []string{"/etc/kshalb rw", state, pki}},
		"a socket below it":   {[]string{"admin: {", "admin: {socket: /etc/kshalb/run/s, "}, []string{"/etc/kshalb", "/etc/kshalb/run rw", state, pki}},
		"checks without TLS":  {check("type: tcp"), []string{"/etc/kshalb", run, state}},
		"a CA beside it":      {check("caFile: /etc/kshalb/ca/ca.crt"), []string{"/etc/kshalb", run, state}},
		"certificates":        {check("caFile: /a/b/c, certFile: /a/c/d, keyFile: /a/d/e"), []string{"/etc/kshalb", run, state, "/a/b", "/a/c", "/a/d"}},
		"a CA of the cluster": {check("caFile: /etc/kubernetes/pki/ca.crt"), []string{"/etc/kshalb", run, state, pki}},
	} {
		if got := read(t, parsed(t, masters, c.changes...), options(Master)).folders(t); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	o := options(Witness)
	o.Path = "/srv/my config/kshalb.yaml"
	s := read(t, parsed(t, masters), o)
	if got, want := s.folders(t), []string{"/srv/my config", "/etc/kshalb", run, state}; !slices.Equal(got, want) {
		t.Errorf("a witness: %q, want %q", got, want)
	}
	if got := s.Containers[0].Command[3]; got != o.Path {
		t.Errorf("it reads %q", got)
	}
}

// TestHooksAreNotInThePod: it says so, and only where there are some.
func TestHooksAreNotInThePod(t *testing.T) {
	for hooks, want := range map[string]bool{"": false, "hooks: [{on: [holder], exec: [/usr/local/bin/on-change]}]\n": true} {
		text, err := Pod(parsed(t, masters+hooks), options(Master))
		if err != nil || bytes.Contains(text, []byte("docs/hooks.md")) != want {
			t.Errorf("%q: %v\n%s", hooks, err, text)
		}
		if bytes.Contains(text, []byte("/usr/local/bin")) {
			t.Error("a folder is mounted over that of kshalb")
		}
	}
}

func TestPodRefuses(t *testing.T) {
	one, two := options(Master), options(Node)
	for want, c := range map[string]struct {
		cfg *config.Config
		o   Options
	}{
		"no image's name":  {parsed(t, masters), Options{Role: Master, Image: "a b", Path: one.Path}},
		"no role":          {parsed(t, masters), Options{Role: "slave", Image: one.Image, Path: one.Path}},
		"worker's":         {parsed(t, masters), two},
		"nothing to vote":  {parsed(t, worker), options(Witness)},
		"no witness among": {parsed(t, masters, ", witness: true", ""), options(Witness)},
		"is in /etc":       {parsed(t, masters, "cluster:\n", "cluster:\n  gossip: {keyFile: /etc/key}\n"), one},
		"is in /":          {parsed(t, masters), Options{Role: Master, Image: one.Image, Path: "/kshalb.yaml"}},
		"absolute":         {parsed(t, masters), Options{Role: Master, Image: one.Image, Path: "kshalb.yaml"}},
		"control":          {parsed(t, masters, "cluster:\n", "cluster:\n  gossip: {keyFile: \"/etc/kshalb/a\\nb\"}\n"), one},
	} {
		if text, err := Pod(c.cfg, c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q:\n%s", err, want, text)
		}
	}
}

func TestImage(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "kshalb/kshalb:v1.2.3", "v1.2.3-rc.1": "kshalb/kshalb:v1.2.3-rc.1", "v0.1.0-beta2": "kshalb/kshalb:v0.1.0-beta2",
		"v1.2.3-4-gabcdef0": "", "v1.2.3-dirty": "", "abcdef0": "", "(devel)": "", "unknown": "", "": "",
		"v0.0.0-20260101000000-abcdef012345": "",
	} {
		got, err := Image(version)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrNoImage) {
			t.Errorf("%q: %q, %v; want %q", version, got, err, want)
		}
	}
}

func TestGrace(t *testing.T) {
	short := read(t, parsed(t, masters), options(Master)).Grace
	long := read(t, parsed(t, masters, "port: 6443}}", "port: 6443}, timeouts: {drain: 10m}}"), options(Master)).Grace
	if long-short != 570 {
		t.Errorf("%d s with a drain of 30 s, %d s with one of 600 s", short, long)
	}
	if w := read(t, parsed(t, masters, "port: 6443}}", "port: 6443}, timeouts: {drain: 10m}}"), options(Witness)).Grace; w >= short {
		t.Errorf("a witness, which carries nothing, has %d s", w)
	}
}
