package kubeadm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

const (
	apiGroup    = "kubeadm.k8s.io"
	defaultPort = 6443
)

var isGroup = regexp.MustCompile(`(?m)^[ \t{"']*apiVersion["']?\s*:\s*["']?kubeadm\.k8s\.io/`)

// Is reports whether a document of a file, or one in a ConfigMap of it, is of
// kubeadm's API group.
func Is(f plan.File) bool {
	return isGroup.Match(f.Data)
}

// Read makes a plan of kubeadm's documents in one file or several, such as one of
// each master. The error is one [*plan.Error] or several, joined: a file is no
// YAML, is of a kubeadm before 1.13, or there is none of these documents.
func Read(in plan.Input) (plan.Plan, error) {
	r := &reader{}
	var errs []error
	for _, f := range in.Files {
		docs, err := yamlnode.Documents(f)
		if err != nil {
			errs = append(errs, err)
		}
		for _, d := range docs {
			if err := r.sort(d); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if len(errs) > 0 {
		return plan.Plan{}, errors.Join(errs...)
	}
	if !r.cluster.Given() && len(r.nodes) == 0 {
		return plan.Plan{}, r.nothing(in)
	}
	r.read()
	return r.p, nil
}

// reader gathers the plan of one input.
type reader struct {
	p plan.Plan

	cluster yamlnode.Node
	status  yamlnode.Node   // ClusterStatus, which kubeadm kept before 1.22
	nodes   []yamlnode.Node // InitConfigurations and JoinConfigurations
	others  []string        // kinds of the other documents

	first     string        // the node that kubeadm init makes, if it has a name
	joinsAt   yamlnode.Node // the endpoint that a JoinConfiguration goes to
	end       endpoint
	manifests string // folder of static pods
}

func (r *reader) nothing(in plan.Input) error {
	var at plan.Source
	if len(in.Files) > 0 {
		at.File = in.Files[0].Name
	}
	err := errors.New("has no ClusterConfiguration, InitConfiguration or JoinConfiguration")
	if len(r.others) > 0 {
		err = fmt.Errorf("has no ClusterConfiguration, InitConfiguration or JoinConfiguration, but %s", yamlnode.Words(r.others))
	}
	return &plan.Error{At: at, Err: err}
}

// sort finds out what a document is.
func (r *reader) sort(d yamlnode.Node) error {
	group, version, _ := strings.Cut(d.Get("apiVersion").Text(), "/")
	kind := d.Get("kind").Text()
	switch {
	case kind == "ConfigMap" && (d.Get("data", "ClusterConfiguration").Given() || d.Get("data", "ClusterStatus").Given()):
		return r.configMap(d)
	case group == apiGroup && strings.HasPrefix(version, "v1alpha"):
		return &plan.Error{At: d.At(), Err: fmt.Errorf("is of %s, which is from before Kubernetes 1.13; `kubeadm config migrate` of 1.13 makes v1beta1 of it", yamlnode.Word(version))}
	case group == apiGroup && kind == "ClusterConfiguration":
		r.one(&r.cluster, d, kind)
	case group == apiGroup && kind == "ClusterStatus":
		r.one(&r.status, d, kind)
	case group == apiGroup && (kind == "InitConfiguration" || kind == "JoinConfiguration"):
		r.nodes = append(r.nodes, d)
	default:
		r.others = append(r.others, kind)
		r.other(d, kind)
	}
	return nil
}

func (r *reader) one(slot *yamlnode.Node, d yamlnode.Node, kind string) {
	if slot.Given() {
		r.p.Note(plan.Fault, d.At(), "another "+kind, fmt.Sprintf("the one at %s was read; give those of one cluster", slot.At()))
		return
	}
	*slot = d
}

// configMap reads the ConfigMap kubeadm-config, as kubectl prints it.
func (r *reader) configMap(d yamlnode.Node) error {
	var errs []error
	for _, key := range []string{"ClusterConfiguration", "ClusterStatus"} {
		docs, err := d.Get("data", key).Documents()
		if err != nil {
			errs = append(errs, err)
		}
		for _, inner := range docs {
			if inner.Get("kind").Text() == "ConfigMap" {
				continue // none holds another, whatever it says
			}
			if err := r.sort(inner); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// other notes a document that is not kubeadm's own, and reads what of kubelet's
// is of use.
func (r *reader) other(d yamlnode.Node, kind string) {
	if folder := d.Get("staticPodPath"); kind == "KubeletConfiguration" && strings.HasPrefix(folder.Text(), "/") && !strings.ContainsAny(folder.Text(), " \n\r\t`") {
		r.manifests = strings.TrimSuffix(folder.Text(), "/")
	}
	r.p.Note(plan.Needless, d.At(), "a document of kind "+yamlnode.Word(kind), "a balancer in front of the API servers has no part in it")
}

// unknown notes what is left of a mapping as keys that kubeadm does not know.
func (r *reader) unknown(m *yamlnode.Map, where string, known []string) {
	yamlnode.Unknown(&r.p, plan.Fault, m.Rest(), known, where+": ", "kubeadm has no such key there, and passes over it with a warning")
}

// needless takes keys and notes those that are there, in one note.
func (r *reader) needless(m *yamlnode.Map, where, why string, keys []string) {
	var there []string
	var at plan.Source
	for _, key := range keys {
		if n := m.Take(key); n.Given() {
			if there == nil || n.At().Line < at.Line {
				at = n.At()
			}
			there = append(there, key)
		}
	}
	if there != nil {
		r.p.Note(plan.Needless, at, where+": "+yamlnode.Words(there), why)
	}
}
