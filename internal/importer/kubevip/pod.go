package kubevip

import (
	"fmt"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

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
