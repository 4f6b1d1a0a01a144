package kubevip

import (
	"errors"
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

var (
	isImage = regexp.MustCompile(`(?m)^[ \t-]*["']?image["']?\s*:\s*["']?[^\s"'{]*kube-vip`)
	isEnv   = regexp.MustCompile(`["']?name["']?\s*:\s*["']?(vip_interface|vip_address|vip_arp|cp_enable)["']?\s*[,}\n]`)
	isKind  = regexp.MustCompile(`(?m)^[ \t{"'-]*kind["']?\s*:\s*["']?(Pod|DaemonSet|Deployment|List)\b`)
)

// Is reports whether a file has a pod, or what makes pods, with kube-vip's image or
// its environment.
func Is(f plan.File) bool {
	return isKind.Match(f.Data) && (isImage.Match(f.Data) || isEnv.Match(f.Data))
}

// Read makes a plan of kube-vip's manifests in one file or several, such as those
// of all masters. The error is one [*plan.Error] or several, joined: a file is no
// YAML, or there is no kube-vip.
func Read(in plan.Input) (plan.Plan, error) {
	r := &reader{configMaps: make(map[string]yamlnode.Node)}
	var errs []error
	for _, f := range in.Files {
		docs, err := yamlnode.Documents(f)
		if err != nil {
			errs = append(errs, err)
		}
		for _, d := range docs {
			r.sort(d)
		}
	}
	if len(errs) > 0 {
		return plan.Plan{}, errors.Join(errs...)
	}
	for _, w := range r.workloads {
		r.pod(w)
	}
	if len(r.instances) == 0 {
		return plan.Plan{}, nothing(in)
	}
	for _, i := range r.instances {
		r.instance(i)
	}
	r.steps()
	return r.p, nil
}

// maxInstances is more than any cluster has masters.
const maxInstances = 100

// reader gathers the plan of one input.
type reader struct {
	p plan.Plan

	workloads  []workload
	configMaps map[string]yamlnode.Node
	instances  []*instance
	done       []*instance // those that gave VIPs

	services   bool   // kube-vip has to stay for them
	loadBalanc bool   // kube-vip has IPVS rules
	superAdmin bool   // super-admin.conf is mounted
	flavour    string // the distribution, where that matters
}

// workload is a document that has pods.
type workload struct {
	kind, name, namespace string
	spec                  yamlnode.Node // of the pod
}

func nothing(in plan.Input) error {
	var at plan.Source
	if len(in.Files) > 0 {
		at.File = in.Files[0].Name
	}
	return &plan.Error{At: at, Err: errors.New("has no Pod or DaemonSet with kube-vip in it")}
}

// sort finds out what a document is.
func (r *reader) sort(d yamlnode.Node) {
	kind := d.Get("kind").Text()
	w := workload{kind: kind, name: d.Get("metadata", "name").Text(), namespace: d.Get("metadata", "namespace").Text()}
	switch kind {
	case "Pod":
		w.spec = d.Get("spec")
		r.workloads = append(r.workloads, w)
	case "DaemonSet", "Deployment":
		w.spec = d.Get("spec", "template", "spec")
		r.workloads = append(r.workloads, w)
	case "List":
		for _, item := range d.Get("items").Items() {
			if item.Get("kind").Text() != "List" {
				r.sort(item)
			}
		}
	case "ConfigMap":
		r.configMaps[w.name] = d.Get("data")
		r.other(d, kind)
	default:
		r.other(d, kind)
		r.within(d)
	}
}

// within reads manifests that stand as texts in another document, as in the files
// of Cluster API's KubeadmControlPlane.
func (r *reader) within(n yamlnode.Node) {
	for _, p := range n.Pairs() {
		r.within(p.Value)
	}
	for _, item := range n.Items() {
		r.within(item)
	}
	if text := n.Raw(); strings.Contains(text, "kube-vip") && isKind.MatchString(text) {
		docs, err := n.Documents()
		if err != nil {
			r.p.Note(plan.Fault, n.At(), "a text with a manifest of kube-vip", "it is not read as YAML; is it a template still? Give it as a file of its own, filled in")
		}
		for _, d := range docs {
			if d.Get("kind").Text() == "Pod" {
				r.sort(d)
			}
		}
	}
}

func (r *reader) other(d yamlnode.Node, kind string) {
	r.p.Note(plan.Needless, d.At(), "a document of kind "+yamlnode.Word(kind), "kshalb has no part in the cluster's API; what is kube-vip's alone goes with it")
}
