package ansible

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// groupsOfMasters are names of the group, the first one that has hosts counts.
// kubespray has called it by all of those with kube in them.
var groupsOfMasters = []string{
	"kube-master", "kube_master", "kube_control_plane", "kube-control-plane", "kube-controlplane", "kube_controlplane", "masters", "master",
}

var (
	sectionLine = regexp.MustCompile(`(?m)^[ \t]*(?:[0-9]+\.[ \t]*)?\[[\w.-]+(?::\w+)?\][ \t]*(?:[#;].*)?\r?$`)
	knownGroup  = regexp.MustCompile(`(?m)^(?:\x{FEFF})?[ \t]*(?:[0-9]+\.[ \t]*)?\[(?:all|kube[-_](?:master|control[-_]?plane)|etcd|k8s[-_]cluster)(?::\w+)?\]`)
	knownKey    = regexp.MustCompile(`(?m)^(?:\x{FEFF})?[ \t]*(?:[0-9]+\.[ \t]*)?[#; \t]*(?:loadbalancer_apiserver(?:_\w+)?|apiserver_loadbalancer_domain_name|kube_apiserver_(?:port|endpoint)|kube_vip_(?:enabled|address)|supplementary_addresses_in_ssl_keys)[ \t]*:`)
	yamlGroup   = regexp.MustCompile(`(?m)^(?:\x{FEFF})?(?:all|kube[-_](?:master|control[-_]?plane)|k8s[-_]cluster):[ \t]*(?:#.*)?\r?$`)
	yamlHosts   = regexp.MustCompile(`(?m)^[ \t]+(?:hosts|children):[ \t]*(?:#.*)?\r?$`)
	ofKube      = regexp.MustCompile(`(?m)^(?:apiVersion|kind):`)
)

// Is reports whether a file is an inventory with groups of a cluster, or variables
// that are about the balancer.
func Is(f plan.File) bool {
	return len(f.Data) <= yamlnode.MaxSize && (knownGroup.Match(f.Data) || isYAMLInventory(f) || knownKey.Match(f.Data))
}

func isYAMLInventory(f plan.File) bool {
	return yamlGroup.Match(f.Data) && yamlHosts.Match(f.Data) && !ofKube.Match(f.Data)
}

// reader makes one plan of all files.
type reader struct {
	p         plan.Plan
	inventory inventory
	vars      variables
	values    map[string]plan.Value[string] // those of vars that hold, for masters
	masters   string                        // the name of their group
	first     plan.Source                   // of the files given, for what stands nowhere
}

// Read makes a plan of inventories and files of variables. The error is a
// *plan.Error.
func Read(in plan.Input) (plan.Plan, error) {
	if len(in.Files) == 0 {
		return plan.Plan{}, &plan.Error{Err: errors.New("no file was given")}
	}
	r := reader{
		inventory: inventory{groups: make(map[string]*group), hosts: make(map[string]*host)},
		values:    make(map[string]plan.Value[string]),
		first:     plan.Source{File: in.Files[0].Name},
	}
	for _, f := range in.Files {
		if err := r.read(f); err != nil {
			return plan.Plan{}, err
		}
	}
	r.inventory.check(&r.p)
	hosts := r.findMasters()
	r.settle(hosts)
	r.peers(hosts)
	r.etcd(hosts)
	r.balancer()
	r.steps()
	return r.p, nil
}

func (r *reader) read(f plan.File) error {
	if len(f.Data) > yamlnode.MaxSize {
		return &plan.Error{At: plan.Source{File: f.Name}, Err: fmt.Errorf("is larger than 1 MiB; is this the right file?")}
	}
	lines := linesOf(f)
	switch {
	case isYAMLInventory(f):
		return r.readYAML(f)
	case knownGroup.Match(f.Data) || sectionLine.Match(f.Data):
		if bytes.HasPrefix(f.Data, []byte("\uFEFF")) {
			r.note(plan.Fault, lines[0].at, "a byte order mark", "the file begins with one, as some editors write it, and Ansible refuses that; save it without")
		}
		r.readInventory(lines)
	default:
		r.readVars(lines)
	}
	return nil
}

// note adds a note.
func (r *reader) note(l plan.Level, at plan.Source, what, why string) { r.p.Note(l, at, what, why) }
