package kubekey

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

const (
	apiGroup      = "kubekey.kubesphere.io"
	defaultDomain = "lb.kubesphere.local"
	defaultPort   = 6443
)

var isGroup = regexp.MustCompile(`(?m)^[ \t{"']*apiVersion["']?\s*:\s*["']?kubekey\.kubesphere\.io/`)

// Is reports whether a document of a file is of KubeKey's API group.
func Is(f plan.File) bool {
	return isGroup.Match(f.Data)
}

// Read makes a plan of a Cluster, or of an Inventory and a Config or one of them,
// in one file or several. The error is one [*plan.Error] or several, joined: a
// file is no YAML, or there is none of these documents.
func Read(in plan.Input) (plan.Plan, error) {
	r := &reader{hosts: make(map[string]*host)}
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
	switch {
	case r.cluster.Given():
		r.readCluster()
	case r.inventory.Given() || r.config.Given():
		r.readV4()
	default:
		return plan.Plan{}, r.nothing(in)
	}
	r.steps()
	return r.p, nil
}

// reader gathers the plan of one input.
type reader struct {
	p plan.Plan

	cluster, inventory, config yamlnode.Node
	others                     []string // kinds of the other documents

	hosts map[string]*host // by name
	names []string         // of hosts, in the order of the file
	used  int              // names that ranges gave
	login []yamlnode.Pair  // how KubeKey logs in, by host

	end endpoint
}

func (r *reader) nothing(in plan.Input) error {
	var at plan.Source
	if len(in.Files) > 0 {
		at.File = in.Files[0].Name
	}
	err := errors.New("has no Cluster, Inventory or Config of KubeKey")
	if len(r.others) > 0 {
		err = fmt.Errorf("has no Cluster, Inventory or Config of KubeKey, but %s", yamlnode.Words(r.others))
	}
	return &plan.Error{At: at, Err: err}
}

// sort finds out what a document is.
func (r *reader) sort(d yamlnode.Node) {
	group, version, _ := strings.Cut(d.Get("apiVersion").Text(), "/")
	kind := d.Get("kind").Text()
	slot := map[string]*yamlnode.Node{"Cluster": &r.cluster, "Inventory": &r.inventory, "Config": &r.config}[kind]
	if group != apiGroup || slot == nil || !strings.HasPrefix(version, "v1") {
		r.others = append(r.others, kind)
		r.p.Note(plan.Needless, d.At(), "a document of kind "+yamlnode.Word(kind), "nothing in it is of KubeKey's control plane endpoint or hosts")
		return
	}
	if slot.Given() {
		r.p.Note(plan.Fault, d.At(), "another "+kind, fmt.Sprintf("the one at %s was read; give one at a time", slot.At()))
		return
	}
	*slot = d
	if kind != "Cluster" && r.cluster.Given() || kind == "Cluster" && (r.inventory.Given() || r.config.Given()) {
		r.p.Note(plan.Fault, d.At(), "a Cluster beside an Inventory or a Config", "they are of different KubeKeys; only the Cluster was read, so give them one at a time")
	}
}

// head takes what every document begins with, and its name as the cluster's.
func (r *reader) head(d yamlnode.Node) yamlnode.Node {
	top := yamlnode.Open(d)
	top.Take("apiVersion")
	top.Take("kind")
	top.Doubles(&r.p)
	meta := yamlnode.Open(top.Take("metadata"))
	r.name(meta.Take("name"))
	meta.Needless(&r.p, "metadata: ", "kshalb has no place for it")
	spec := top.Take("spec")
	r.unknown(top, "", []string{"apiVersion", "kind", "metadata", "spec"})
	if !spec.IsMap() {
		r.p.Note(plan.Fault, d.At(), "no spec", "nothing of the cluster is told without it")
	}
	return spec
}

func (r *reader) name(n yamlnode.Node) {
	switch {
	case !n.Given():
	case !yamlnode.IsName(n.Text()):
		r.p.Note(plan.Changed, n.At(), "name "+yamlnode.Shown(n), "kshalb does not take it as the name of a cluster; choose one of up to 63 letters, digits, '.', '_' or '-'")
	case r.p.ClusterName.Given():
		r.p.Note(plan.Needless, n.At(), "name "+yamlnode.Shown(n), "the cluster has a name already")
	default:
		r.p.ClusterName = plan.Of(n.Text(), n.At())
	}
}

// unknown notes what is left of a mapping as keys that KubeKey does not know
// there either.
func (r *reader) unknown(m *yamlnode.Map, where string, known []string) {
	yamlnode.Unknown(&r.p, plan.Fault, m.Rest(), known, where, "KubeKey has no such key there, so it does nothing")
}

// misspelt notes groups that are likely to be meant for others.
func (r *reader) misspelt(groups *yamlnode.Map, known []string) {
	for _, pair := range groups.Rest() {
		if near := yamlnode.Near(pair.Key, known); near != "" && near != pair.Key {
			r.p.Note(plan.Fault, pair.At, "group "+yamlnode.Word(pair.Key), "KubeKey has no such group; is "+near+" meant?")
		}
	}
}
