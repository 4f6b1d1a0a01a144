// Package staticpods holds what the manifests beside it promise.
package staticpods

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/state"
)

// pod is as much of a Kubernetes pod as master.yaml uses; a key that is not
// here is refused, so that a misspelled one is found.
type pod struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name, Namespace string
		Labels          map[string]string
	}
	Spec struct {
		HostNetwork                   bool   `yaml:"hostNetwork"`
		AutomountServiceAccountToken  *bool  `yaml:"automountServiceAccountToken"`
		PriorityClassName             string `yaml:"priorityClassName"`
		TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
		SecurityContext               struct {
			SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
		} `yaml:"securityContext"`
		Containers []container
		Volumes    []volume
	}
}

type container struct {
	Name, Image     string
	ImagePullPolicy string `yaml:"imagePullPolicy"`
	Command         []string
	SecurityContext struct {
		RunAsUser                *int  `yaml:"runAsUser"`
		RunAsGroup               *int  `yaml:"runAsGroup"`
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop, Add []string }
	} `yaml:"securityContext"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Resources      struct{ Requests map[string]string }
	VolumeMounts   []mount `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct {
		Host, Path string
		Port       uint16
	} `yaml:"httpGet"`
	InitialDelaySeconds int `yaml:"initialDelaySeconds"`
	PeriodSeconds       int `yaml:"periodSeconds"`
	TimeoutSeconds      int `yaml:"timeoutSeconds"`
	FailureThreshold    int `yaml:"failureThreshold"`
}

type mount struct {
	Name      string
	MountPath string `yaml:"mountPath"`
	ReadOnly  bool   `yaml:"readOnly"`
}

type volume struct {
	Name     string
	HostPath struct{ Path, Type string } `yaml:"hostPath"`
}

// master reads master.yaml, and the defaults of the configuration it runs with.
func master(t *testing.T) (pod, container, *config.Config) {
	t.Helper()
	f, err := os.Open("master.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	strict := yaml.NewDecoder(f)
	strict.KnownFields(true)
	var p pod
	if err := strict.Decode(&p); err != nil {
		t.Fatal(err)
	}
	if len(p.Spec.Containers) != 1 {
		t.Fatalf("%d containers, want 1", len(p.Spec.Containers))
	}
	cfg, err := config.Parse("reference.yaml", []byte(config.Reference))
	if err != nil {
		t.Fatal(err)
	}
	return p, p.Spec.Containers[0], cfg
}

func TestPod(t *testing.T) {
	p, c, _ := master(t)
	if p.APIVersion != "v1" || p.Kind != "Pod" || p.Metadata.Namespace != "kube-system" {
		t.Errorf("%s %s in %s, want v1 Pod in kube-system", p.APIVersion, p.Kind, p.Metadata.Namespace)
	}
	if !p.Spec.HostNetwork {
		t.Error("the pod has a network of its own")
	}
	if token := p.Spec.AutomountServiceAccountToken; token == nil || *token {
		t.Error("the pod gets a service account token")
	}
	if got := p.Spec.PriorityClassName; got != "system-node-critical" {
		t.Errorf("priority class %q", got)
	}
	if want := []string{"kshalb", "run", "--config", "/etc/kshalb/kshalb.yaml"}; !slices.Equal(c.Command, want) {
		t.Errorf("command %q, want %q", c.Command, want)
	}
	name, version, ok := strings.Cut(c.Image, ":")
	first, _, _ := strings.Cut(name, "/")
	if !ok || version == "latest" || first == "localhost" || strings.ContainsAny(first, ".") || strings.Contains(version, "/") {
		t.Errorf("image %q: want a name without a host, and a version", c.Image)
	}
}

func TestRights(t *testing.T) {
	p, c, cfg := master(t)
	s := c.SecurityContext
	if !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
		t.Errorf("capabilities dropped: %q", s.Capabilities.Drop)
	}
	if want := []string{"NET_ADMIN", "NET_RAW"}; !slices.Equal(s.Capabilities.Add, want) {
		t.Errorf("capabilities added: %q, want %q", s.Capabilities.Add, want)
	}
	for _, l := range cfg.Listeners {
		if l.Bind.Port() < 1024 {
			t.Errorf("listener %s on %s needs NET_BIND_SERVICE", l.Name, l.Bind)
		}
	}
	if s.RunAsUser == nil || *s.RunAsUser != 0 {
		t.Error("not run as root, whose capabilities alone are kept")
	}
	if s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || !s.ReadOnlyRootFilesystem {
		t.Error("more rights than needed")
	}
	if got := p.Spec.SecurityContext.SeccompProfile.Type; got != "RuntimeDefault" {
		t.Errorf("seccomp profile %q", got)
	}
}

func TestProbes(t *testing.T) {
	_, c, cfg := master(t)
	for path, p := range map[string]probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if got := p.HTTPGet; got.Path != path || got.Host != cfg.Admin.HTTP.Addr().String() || got.Port != cfg.Admin.HTTP.Port() {
			t.Errorf("probe of %+v, want %s at %s", got, path, cfg.Admin.HTTP)
		}
		if p.TimeoutSeconds >= p.PeriodSeconds {
			t.Errorf("%s: a timeout of %d s in a period of %d s", path, p.TimeoutSeconds, p.PeriodSeconds)
		}
	}
}

func TestGracePeriod(t *testing.T) {
	const slack = 20 * time.Second // for the parts that end before and after the listeners
	p, _, cfg := master(t)
	grace := time.Duration(p.Spec.TerminationGracePeriodSeconds) * time.Second
	for _, l := range cfg.Listeners {
		if grace < l.Timeouts.Drain+slack {
			t.Errorf("%s until the kill, listener %s drains for %s", grace, l.Name, l.Timeouts.Drain)
		}
	}
}

func TestVolumes(t *testing.T) {
	p, c, cfg := master(t)
	readOnly := make(map[string]bool)
	for _, v := range p.Spec.Volumes {
		if strings.HasPrefix(v.HostPath.Type, "File") {
			t.Errorf("%s: a file that is replaced, or is not there yet, needs its folder", v.HostPath.Path)
		}
		i := slices.IndexFunc(c.VolumeMounts, func(m mount) bool { return m.Name == v.Name })
		if i < 0 || c.VolumeMounts[i].MountPath != v.HostPath.Path {
			t.Errorf("%s is not mounted where the host has it", v.HostPath.Path)
			continue
		}
		readOnly[v.HostPath.Path] = c.VolumeMounts[i].ReadOnly
	}
	want := map[string]bool{string(state.Default): false, "/etc/kshalb": true, "/run/kshalb": false, "/etc/kubernetes/pki": true}
	for path, ro := range want {
		if got, ok := readOnly[path]; !ok || got != ro {
			t.Errorf("%s: mounted %t, read-only %t", path, ok, got)
		}
	}
	if len(readOnly) != len(want) || len(c.VolumeMounts) != len(want) {
		t.Errorf("%d volumes, %d mounts, want %d", len(readOnly), len(c.VolumeMounts), len(want))
	}
	for _, file := range []string{cfg.Admin.Socket, cfg.Cluster.Gossip.KeyFile} {
		if !strings.HasPrefix(file, "/run/kshalb/") && !strings.HasPrefix(file, "/etc/kshalb/") {
			t.Errorf("%s is in no mounted folder", file)
		}
	}
}
