package ansible

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// keys are those that were not looked at, to be told of in one note.
type keys struct {
	names []string
	at    []plan.Source // of each, where it stands first
}

func (k *keys) add(name string, at plan.Source) {
	if len(k.names) < maxHosts && !slices.Contains(k.names, name) {
		k.names, k.at = append(k.names, name), append(k.at, at)
	}
}

// usual are keys of hosts that may be shown. Others may be the rest of a password
// with blanks that is not in quotes.
var usual = regexp.MustCompile(`^(?:ansible_[a-z_]+|etcd_member_name|node_labels|node_taints|ip6|access_ip6|local_as|cluster_id|` +
	`kube_\w+|kubelet_\w+|calico_\w+|flannel_\w+|become|become_user)$`)

// tellLogins notes variables of hosts.
func (r *reader) tellLogins(k keys) {
	if len(k.names) == 0 {
		return
	}
	var shown []string
	for _, name := range k.names {
		if usual.MatchString(name) {
			shown = append(shown, name)
		}
	}
	slices.Sort(shown)
	what := yamlnode.Words(shown)
	if n := len(k.names) - len(shown); n > 0 {
		what = strings.TrimPrefix(fmt.Sprintf("%s and %d more", what, n), " and ")
	}
	r.note(plan.Needless, k.at[0], "variables of hosts: "+what, "how the installer logs in and what it installs; kshalb logs in nowhere, and none of it was read")
}

// tellOthers notes variables of the installer's.
func (r *reader) tellOthers(k keys) {
	if len(k.names) > 0 {
		r.note(plan.Needless, k.at[0], "variables: "+yamlnode.Words(k.names), "what the installer installs; a balancer in front has no part in it, and their values were not read")
	}
}
