package kubevip

import (
	"errors"
	"fmt"
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

// pod reads what a pod is made of.
func (r *reader) pod(w workload) {
	m := yamlnode.Open(w.spec)
	m.Doubles(&r.p)
	found := false
	for _, c := range m.Take("containers").Items() {
		if len(r.instances) >= maxInstances {
			r.p.Note(plan.Fault, c.At(), "more pods", fmt.Sprintf("only the first %d with kube-vip were read; give those of one cluster's masters", maxInstances))
			return
		}
		if isKubeVIP(c) {
			found = true
			r.instances = append(r.instances, r.container(w, c))
		} else {
			r.p.Note(plan.Lost, c.At(), "container "+yamlnode.Word(c.Get("name").Text()), "it is not kube-vip; give it a place of its own before kube-vip's manifest goes")
		}
	}
	if !found {
		return
	}
	if aliases := m.Take("hostAliases"); aliases.Given() {
		r.p.Note(plan.Needless, aliases.At(), "hostAliases", "kube-vip finds the API server by them; kshalb looks for none")
	}
	for _, v := range m.Take("volumes").Items() {
		r.volume(v)
	}
	if m.Take("initContainers").Given() {
		r.p.Note(plan.Lost, m.Take("initContainers").At(), "initContainers", "what they do on the host is not looked at; kshalb needs nothing of it")
	}
	m.Needless(&r.p, "pod: ", "the pod's own; `kshalb manifest` makes kshalb's")
}

// volume notes what kube-vip's access to the API is, and that kshalb has none.
func (r *reader) volume(v yamlnode.Node) {
	path := v.Get("hostPath", "path")
	text := path.Text()
	switch {
	case strings.HasSuffix(text, "/super-admin.conf"):
		r.superAdmin = true
		r.p.Note(plan.Needless, path.At(), "volume super-admin.conf", "kube-vip needs it while the first master is made, since Kubernetes 1.29; kshalb needs no kubeconfig, and cluster.bootstrap for that time")
	case strings.Contains(text, "/rancher/"):
		r.flavour = "k3s or RKE2"
		r.p.Note(plan.Needless, path.At(), "volume "+yamlnode.Word(v.Get("name").Text()), "kshalb needs no kubeconfig")
	default:
		r.p.Note(plan.Needless, v.At(), "volume "+yamlnode.Word(v.Get("name").Text()), "kshalb needs no kubeconfig, and none of kube-vip's files")
	}
}

// isKubeVIP tells kube-vip's container by its image or its variables.
func isKubeVIP(c yamlnode.Node) bool {
	if strings.Contains(c.Get("image").Text(), "kube-vip") {
		return true
	}
	known := 0
	for _, e := range c.Get("env").Items() {
		switch e.Get("name").Text() {
		case "vip_interface", "vip_address", "vip_arp", "cp_enable", "lb_enable":
			known++
		}
	}
	return known >= 2
}

// container gathers the settings of a kube-vip; variables win over flags.
func (r *reader) container(w workload, c yamlnode.Node) *instance {
	i := &instance{workload: w, at: c.At(), set: make(map[string]setting)}
	m := yamlnode.Open(c)
	m.Doubles(&r.p)
	for _, key := range []string{"command", "args"} {
		r.arguments(i, m.Take(key).Texts())
	}
	for _, e := range m.Take("envFrom").Items() {
		r.envFrom(i, e)
	}
	for _, e := range m.Take("env").Items() {
		r.variable(i, e)
	}
	m.Needless(&r.p, "container: ", "the pod's own; `kshalb manifest` makes kshalb's")
	return i
}

// variable reads one of env.
func (r *reader) variable(i *instance, e yamlnode.Node) {
	name, value, from := e.Get("name"), e.Get("value"), e.Get("valueFrom")
	switch {
	case name.Text() == "":
		r.p.Note(plan.Fault, e.At(), "a variable without a name", "the pod is refused with it")
	case from.Get("fieldRef").Given():
		i.add(name.Text(), yamlnode.Text("", e.At()), e.At())
	case from.Given():
		r.p.Note(plan.Fault, e.At(), "variable "+yamlnode.Word(name.Text()), "its value comes from a Secret or a ConfigMap, which is not looked up here; tell it in kshalb's configuration if it matters")
	case !value.Given() || value.Text() == "":
	default:
		i.add(name.Text(), value, e.At())
	}
}

// envFrom reads the variables of a ConfigMap that is in the input.
func (r *reader) envFrom(i *instance, e yamlnode.Node) {
	data, known := r.configMaps[e.Get("configMapRef", "name").Text()]
	if !known {
		r.p.Note(plan.Fault, e.At(), "envFrom", "the variables stand in a Secret or a ConfigMap that is not in the files; give its manifest, too")
		return
	}
	for _, pair := range data.Pairs() {
		i.add(e.Get("prefix").Text()+pair.Key, pair.Value, pair.At)
	}
}

// instance is one kube-vip.
type instance struct {
	workload
	at     plan.Source
	set    map[string]setting // by variable
	names  []string           // in order
	mode   string             // manager, service, start
	shells bool               // it is started in a way that is not looked through
}

// setting is a variable, or a flag by its variable's name.
type setting struct {
	yamlnode.Node
	at plan.Source
}

func (i *instance) add(name string, value yamlnode.Node, at plan.Source) {
	if _, there := i.set[name]; !there {
		i.names = append(i.names, name)
	}
	i.set[name] = setting{value, at}
}

// on reports whether a switch is on.
func (i *instance) on(name string) bool {
	on, _ := yamlnode.Bool(i.set[name].Node)
	return on
}

// differs notes what of a further kube-vip for the same address is not as in the
// first.
func (r *reader) differs(first, i *instance) {
	for _, name := range i.names {
		a, b := first.set[name], i.set[name]
		if a.Text() == b.Text() || ofNode[name] {
			continue
		}
		why := "the kube-vip at %s has another value, which was taken; kshalb's configuration is the same on every node"
		if name == "vip_interface" {
			why = "the kube-vip at %s has another one; kshalb finds it by itself, as the one whose route holds the VIP"
			r.anyInterface(first)
		}
		if a.at == (plan.Source{}) {
			a.at = first.at
			why = "the kube-vip at %s has none, and was taken; kshalb's configuration is the same on every node"
		}
		r.p.Note(plan.Changed, b.at, yamlnode.Word(name), fmt.Sprintf(why, a.at))
	}
	for _, name := range first.names {
		if _, there := i.set[name]; !there && !ofNode[name] {
			r.p.Note(plan.Changed, i.at, yamlnode.Word(name)+" is missing", fmt.Sprintf("the kube-vip at %s has it, and was taken; kshalb's configuration is the same on every node", first.set[name].at))
		}
	}
}

// ofNode are variables that are of one node each.
var ofNode = map[string]bool{"vip_nodename": true, "vip_localpeer": true, "vip_peers": true, "vip_remotepeers": true, "vip_startleader": true, "bgp_routerid": true, "bgp_sourceip": true}

// anyInterface takes back the interface of the VIPs of an instance.
func (r *reader) anyInterface(first *instance) {
	for v := range r.p.VIPs {
		if r.p.VIPs[v].Interface.From == first.set["vip_interface"].at {
			r.p.VIPs[v].Interface = plan.Value[string]{}
		}
	}
}
