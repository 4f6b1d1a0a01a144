package ansible

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// maxSize bounds a file, in bytes.
const maxSize = 1 << 20

// groupsOfMasters are names of the group, the first one that has hosts counts.
var groupsOfMasters = []string{"kube-master", "kube_master", "kube_control_plane", "kube-control-plane", "masters", "master"}

var (
	sectionLine = regexp.MustCompile(`(?m)^[ \t]*(?:[0-9]+\.[ \t]*)?\[[\w.-]+(?::\w+)?\][ \t]*(?:[#;].*)?\r?$`)
	knownGroup  = regexp.MustCompile(`(?m)^[ \t]*(?:[0-9]+\.[ \t]*)?\[(?:all|kube[-_](?:master|control[-_]plane)|etcd|k8s[-_]cluster)(?::\w+)?\]`)
	knownKey    = regexp.MustCompile(`(?m)^[ \t]*(?:[0-9]+\.[ \t]*)?[#; \t]*(?:loadbalancer_apiserver|apiserver_loadbalancer_domain_name)[ \t]*:`)
)

// Is reports whether a file is an inventory with groups of a cluster, or variables
// that are about the balancer.
func Is(f plan.File) bool { return len(f.Data) <= maxSize && (isInventory(f) || isVars(f)) }

func isInventory(f plan.File) bool { return knownGroup.Match(f.Data) }

func isVars(f plan.File) bool { return knownKey.Match(f.Data) }

// reader makes one plan of all files.
type reader struct {
	p         plan.Plan
	inventory inventory
	vars      vars
}

// Read makes a plan of inventories and files of variables.
func Read(in plan.Input) (plan.Plan, error) {
	r := reader{inventory: inventory{groups: make(map[string]*group), hosts: make(map[string]*host)}}
	for _, f := range in.Files {
		if len(f.Data) > maxSize {
			return plan.Plan{}, &plan.Error{At: plan.Source{File: f.Name}, Err: fmt.Errorf("is larger than 1 MiB; is this the right file?")}
		}
		lines := linesOf(f)
		if isInventory(f) || sectionLine.Match(f.Data) {
			r.readInventory(lines)
		} else {
			r.readVars(lines)
		}
	}
	r.peers()
	r.etcd()
	r.balancer(plan.Source{File: in.Files[0].Name})
	r.steps()
	return r.p, nil
}

// line is one of a file, without its end.
type line struct {
	at   plan.Source
	text string
}

// numbering is how a page that numbers the lines of a sample is pasted.
var numbering = regexp.MustCompile(`^[ \t]*[0-9]+\.[ \t]*`)

// linesOf are those of a file. Numbers in front of all lines are taken off, those
// behind which nothing else stands too.
func linesOf(f plan.File) (all []line) {
	text := strings.TrimPrefix(string(f.Data), "\uFEFF")
	numbered := true
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimRight(l, "\r")
		if strings.TrimSpace(l) != "" && !numbering.MatchString(l) {
			numbered = false
		}
		all = append(all, line{plan.Source{File: f.Name, Line: i + 1}, l})
	}
	for i := range all {
		if numbered {
			all[i].text = numbering.ReplaceAllString(all[i].text, "")
		}
	}
	return all
}

// note adds a note.
func (r *reader) note(l plan.Level, at plan.Source, what, why string) { r.p.Note(l, at, what, why) }
