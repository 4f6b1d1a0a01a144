package ansible

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// addressKeys are the variables with addresses, the one that counts first: it is
// what Kubernetes is told; ansible_host is where Ansible logs in.
var addressKeys = []string{"ip", "ansible_host", "ansible_ssh_host"}

// accessKey is kubespray's address for others, where that is another one.
const accessKey = "access_ip"

// ofHost reports whether a host's variable is looked at.
func ofHost(key string) bool { return key == accessKey || slices.Contains(addressKeys, key) }

// hostLine reads a host, or a range of them. others takes what is not looked at.
func (r *reader) hostLine(in string, at plan.Source, text string, others *keys) {
	words, whole := split(text)
	if !whole {
		r.note(plan.Fault, at, "a host's line", "a quote is not closed; the line is left out")
		return
	}
	if len(words) == 0 {
		return
	}
	vars := make(map[string]plan.Value[string])
	for _, w := range words[1:] {
		if w[:min(1, len(w))] == ";" {
			r.semicolon(at)
			break
		}
		key, value, is := strings.Cut(w, "=")
		switch {
		case !is || !yamlnode.IsName(key):
			r.note(plan.Fault, at, "a host's line", "a word in it is not KEY=VALUE: no blanks around the =, and quotes around values with blanks. Ansible refuses it; the word was left out")
		case ofHost(key):
			vars[key] = plan.Of(unquoted(value), at)
		default:
			others.add(key, at)
		}
	}
	r.addHosts(in, at, words[0], vars)
}

// addHosts adds a host, or a range of them, with variables.
func (r *reader) addHosts(in string, at plan.Source, pattern string, vars map[string]plan.Value[string]) {
	if r.inventory.count > maxHosts {
		return // it is said
	}
	names, err := expand(pattern)
	if err != nil {
		r.note(plan.Fault, at, "a host's name", err.Error()+"; the line is left out")
		return
	}
	g := r.inventory.group(in, at, true)
	for _, name := range names {
		if r.inventory.count++; r.inventory.count > maxHosts {
			r.note(plan.Fault, at, "hosts", fmt.Sprintf("there are more than %d, with ranges written out; the rest is left out", maxHosts))
			return
		}
		h := r.inventory.hosts[name]
		if h == nil {
			h = &host{name: name, at: at, vars: make(map[string]plan.Value[string])}
			r.inventory.hosts[name] = h
		}
		r.setVars(h, vars)
		g.hosts = append(g.hosts, name)
	}
}

// setVars adds variables to a host; the last of doubles holds.
func (r *reader) setVars(h *host, vars map[string]plan.Value[string]) {
	for _, key := range append([]string{accessKey}, addressKeys...) {
		v, given := vars[key]
		if !given {
			continue
		}
		if old, there := h.vars[key]; there && old.V != v.V {
			r.note(plan.Changed, v.From, key+" of "+h.name, fmt.Sprintf("%s says otherwise; the last one holds, with Ansible too", old.From))
		}
		h.vars[key] = v
	}
}

// value is a host's variable; one that stands for another is that one.
func (h *host) value(key string) (v plan.Value[string], ok bool) {
	v, ok = h.vars[key]
	if other, is := variableIn(v.V); is && other != key {
		if o, told := h.vars[other]; told {
			return plan.Because(o.V, v.From, other), true
		}
	}
	return v, ok
}

// address is where the other masters reach a host.
func (h *host) address() (plan.Value[netip.Addr], bool) {
	for _, key := range addressKeys {
		if v, told := h.value(key); told {
			if a, ok := yamlnode.Addr(v.V); ok && yamlnode.Floats(a) {
				return plan.Because(a, v.From, key), true
			}
		}
	}
	a, ok := yamlnode.Addr(h.name)
	return plan.Of(a, h.at), ok && yamlnode.Floats(a)
}

// unusable notes what stands in place of addresses.
func (r *reader) unusable(h *host) {
	for _, key := range addressKeys {
		v, told := h.value(key)
		a, isAddr := yamlnode.Addr(v.V)
		switch {
		case !told || isAddr && yamlnode.Floats(a):
		case isTemplate(v.V):
			r.note(plan.Fault, v.From, key+" of "+h.name, "it is a template, which only Ansible fills in; "+tellAddress)
		case isAddr:
			r.note(plan.Fault, v.From, fmt.Sprintf("%s=%s of %s", key, a, h.name), "others do not reach a host by that; "+tellAddress)
		case key == addressKeys[0]:
			r.note(plan.Fault, v.From, key+" of "+h.name, "it is no IP address; "+tellAddress)
		}
	}
}

const tellAddress = "write ip=ADDRESS, one that the other masters reach, or tell the masters by --masters"
