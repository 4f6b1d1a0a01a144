// Package importer makes a configuration of kshalb of what people already have.
// The packages below it read one format each; here files are told apart, and
// what several of them say is joined into one plan.
package importer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/ansible"
	"github.com/kshalb/kshalb/internal/importer/haproxy"
	"github.com/kshalb/kshalb/internal/importer/keepalived"
	"github.com/kshalb/kshalb/internal/importer/kubeadm"
	"github.com/kshalb/kshalb/internal/importer/kubekey"
	"github.com/kshalb/kshalb/internal/importer/kubevip"
	"github.com/kshalb/kshalb/internal/importer/plan"
)

// kind is a format. Of two that say different things the one that stands first
// in kinds holds.
type kind struct {
	name string
	is   func(plan.File) bool
	read func(plan.Input) (plan.Plan, error)
}

func kinds() []kind {
	return []kind{
		{"hosts.ini", ansible.Is, ansible.Read},
		{"kubekey", kubekey.Is, kubekey.Read},
		{"kubeadm", kubeadm.Is, kubeadm.Read},
		{"keepalived", keepalived.Is, keepalived.Read},
		{"kube-vip", kubevip.Is, kubevip.Read},
		{"haproxy", haproxy.Is, haproxy.Read},
	}
}

// Kinds are the names of the formats, for messages and KIND=FILE.
func Kinds() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// File is one that was given, with its kind when that was told, else "".
type File struct {
	plan.File
	Kind string
}

// Read makes a plan of files, and of what was told by hand, which holds before
// all of them. in.Files is not looked at. The plan is ready to be written. Errors
// say what no plan can be made of.
func Read(files []File, in plan.Input, byHand plan.Plan) (plan.Plan, error) {
	given, err := sorted(files)
	if err != nil {
		return plan.Plan{}, err
	}
	plans := []plan.Plan{byHand}
	var errs []error
	for _, k := range kinds() {
		if len(given[k.name]) == 0 {
			continue
		}
		in.Files = given[k.name]
		p, err := k.read(in)
		errs = append(errs, err)
		plans = append(plans, p)
	}
	if err := errors.Join(errs...); err != nil {
		return plan.Plan{}, err
	}
	return join(plans)
}

// sorted are the files by their kind.
func sorted(files []File) (map[string][]plan.File, error) {
	by := make(map[string][]plan.File)
	var errs []error
	for _, f := range files {
		name, err := kindOf(f)
		errs = append(errs, err)
		by[name] = append(by[name], f.File)
	}
	return by, errors.Join(errs...)
}

func kindOf(f File) (string, error) {
	i := slices.IndexFunc(kinds(), func(k kind) bool { return k.name == f.Kind || f.Kind == "" && k.is(f.File) })
	switch {
	case i >= 0:
		return kinds()[i].name, nil
	case f.Kind != "":
		return "", fmt.Errorf("%s: there is no kind %q; write one of %s", f.Name, f.Kind, strings.Join(Kinds(), ", "))
	}
	return "", fmt.Errorf("%s: is of no known kind; write KIND=%s where KIND is one of %s", f.Name, f.Name, strings.Join(Kinds(), ", "))
}
