package ansible

import (
	"errors"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// maxDeep bounds groups in groups of the YAML form.
const maxDeep = 32

// place is where an error of yamlnode is, and its text.
func place(err error, file string) (plan.Source, string) {
	if e, ok := errors.AsType[*plan.Error](err); ok {
		return e.At, e.Err.Error()
	}
	return plan.Source{File: file}, err.Error()
}

// readYAML reads the YAML form of an inventory: groups with hosts, vars and
// children.
func (r *reader) readYAML(f plan.File) error {
	docs, err := yamlnode.Documents(f)
	if err != nil {
		return err
	}
	var others keys
	for _, d := range docs {
		for _, p := range d.Pairs() {
			r.yamlGroup(p, 0, &others)
		}
	}
	r.tellLogins(others)
	return nil
}

func (r *reader) yamlGroup(p yamlnode.Pair, depth int, others *keys) {
	name := p.Key
	if !groupName.MatchString(name) || depth > maxDeep {
		r.note(plan.Fault, p.At, "a group", "its name has odd signs, or it is in too many others; it is left out")
		return
	}
	if r.tooMany(name, p.At) {
		return
	}
	r.inventory.group(name, p.At, true)
	m := yamlnode.Open(p.Value)
	for _, h := range m.Take("hosts").Pairs() {
		r.yamlHost(name, h, others)
	}
	for _, v := range m.Take("vars").Pairs() {
		r.yamlVar(name, v)
	}
	for _, c := range m.Take("children").Pairs() {
		r.yamlGroup(c, depth+1, others)
		if r.inventory.groups[c.Key] != nil && name != "all" {
			r.addChild(name, c.At, c.Key)
		}
	}
	m.Doubles(&r.p)
	for _, rest := range m.Rest() {
		r.note(plan.Fault, rest.At, "key "+yamlnode.Word(rest.Key)+" of group "+name, "a group has hosts, vars and children; it is left out")
	}
}

func (r *reader) yamlHost(group string, p yamlnode.Pair, others *keys) {
	vars := make(map[string]plan.Value[string])
	for _, v := range p.Value.Pairs() {
		switch {
		case ofHost(v.Key) && v.Value.IsText():
			vars[v.Key] = plan.Of(v.Value.Text(), v.At)
		case !ofHost(v.Key):
			others.add(v.Key, v.At)
		}
	}
	r.addHosts(group, p.At, p.Key, vars)
}

func (r *reader) yamlVar(group string, p yamlnode.Pair) {
	if p.Key != balancerKey {
		r.vars.ofGroup(group, p.Key, plan.Of(p.Value.Text(), p.At))
		return
	}
	for _, part := range p.Value.Pairs() {
		if key := balancerKey + "." + part.Key; taken[key] {
			r.vars.ofGroup(group, key, plan.Of(part.Value.Text(), part.At))
		}
	}
}
