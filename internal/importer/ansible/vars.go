package ansible

import (
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// vars are the variables that are about the balancer.
type vars struct {
	at        plan.Source // of loadbalancer_apiserver
	commented bool        // all of it
	address   plan.Value[string]
	port      plan.Value[string]
	domain    plan.Value[string]
	apiPort   plan.Value[string]
	localhost plan.Value[string]
}

// set takes a variable of the first level; false: it is none of those.
func (v *vars) set(key string, value plan.Value[string]) bool {
	switch key {
	case "apiserver_loadbalancer_domain_name":
		v.domain = value
	case "kube_apiserver_port":
		v.apiPort = value
	case "loadbalancer_apiserver_localhost":
		v.localhost = value
	default:
		return false
	}
	return true
}

var (
	varLine  = regexp.MustCompile(`^([ \t]*)([#;][#; \t]*)?([A-Za-z_][\w.-]*)[ \t]*:(?:[ \t]+(.*))?$`)
	flowPair = regexp.MustCompile(`(address|port)["']?[ \t]*:[ \t]*["']?([^,"'} \t]+)`)
)

// variable is a line KEY: VALUE, maybe behind a comment's sign.
type variable struct {
	at        plan.Source
	indent    int // with a comment's blanks
	commented bool
	key       string
	value     string
}

func variableOf(l line) (v variable, ok bool) {
	m := varLine.FindStringSubmatch(strings.TrimRight(l.text, " \t"))
	if m == nil {
		return v, false
	}
	v = variable{at: l.at, commented: m[2] != "", key: m[3], value: unquoted(strings.TrimSpace(withoutComment(m[4])))}
	v.indent = len(m[1]) + len(strings.TrimLeft(m[2], "#;"))
	if !v.commented {
		v.indent = len(m[1])
	}
	return v, true
}

// readVars reads the few variables that matter. Of what is there twice, commented
// out and not, the latter counts.
func (r *reader) readVars(lines []line) {
	others := make(map[string]bool)
	var first plan.Source
	var parent *variable // loadbalancer_apiserver, while its own lines may follow
	for _, l := range lines {
		v, ok := variableOf(l)
		switch {
		case !ok && strings.TrimSpace(l.text) == "":
		case !ok:
			parent = nil
		case v.key == "loadbalancer_apiserver":
			parent = &v
			r.parent(v)
		case parent != nil && (v.key == "address" || v.key == "port"):
			r.ofBalancer(*parent, v)
		case v.commented && v.value == "":
		case r.known(v):
			parent = nil
		case !v.commented:
			parent = nil
			others[v.key] = true
			if first.Line == 0 {
				first = v.at
			}
		}
	}
	if len(others) > 0 {
		names := sorted(others)
		what := strings.Join(names[:min(len(names), 8)], ", ")
		if len(names) > 8 {
			what += ", ..."
		}
		r.note(plan.Needless, first, "variables: "+what, "what the installer installs; a balancer in front has no part in it, and their values were not read")
	}
}

// parent is the line of loadbalancer_apiserver, which may have all of it in braces.
func (r *reader) parent(v variable) {
	if r.vars.at.Line > 0 && v.commented && !r.vars.commented {
		return
	}
	r.vars.at, r.vars.commented = v.at, v.commented
	if v.commented {
		r.note(plan.Changed, v.at, "loadbalancer_apiserver is commented out", "what stands there was taken; the installer takes no notice of it as it stands: take the # away")
	}
	for _, m := range flowPair.FindAllStringSubmatch(v.value, -1) {
		r.ofBalancer(v, variable{at: v.at, indent: v.indent + 2, commented: v.commented, key: m[1], value: m[2]})
	}
}

// ofBalancer is a line that belongs to loadbalancer_apiserver.
func (r *reader) ofBalancer(parent, v variable) {
	if r.vars.commented != v.commented && v.commented {
		return // a sample below the real one
	}
	if v.indent <= parent.indent {
		r.note(plan.Fault, v.at, v.key+" is not indented", "it belongs under loadbalancer_apiserver, two blanks further in; as it stands the installer does not see it there. It was taken as meant")
	}
	value := plan.Of(v.value, v.at)
	if v.key == "address" {
		r.vars.address = value
	} else {
		r.vars.port = value
	}
}

// known takes a variable of the first level.
func (r *reader) known(v variable) bool {
	scratch := r.vars
	if !scratch.set(v.key, plan.Of(v.value, v.at)) {
		return false
	}
	if v.commented {
		if v.key == "apiserver_loadbalancer_domain_name" && !r.vars.domain.Given() {
			r.vars.domain = plan.Because(v.value, v.at, "commented out there, so the installer's default, which is the same unless it was changed")
		}
		return true // a sample
	}
	r.vars = scratch
	return true
}
