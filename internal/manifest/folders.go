package manifest

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/state"
)

// folder is one of the host that the pod sees at the same place. Folders and not
// files: a file that is replaced would stay the old one in the pod.
type folder struct {
	Name, Path string
	Writable   bool
	Type       string // as Kubernetes calls it: must it be there, or is it made?
	Why        []string
}

const (
	mustExist = "Directory"
	isMade    = "DirectoryOrCreate"
)

// folders are what kshalb reads and writes on the host.
func (p pod) folders() ([]folder, error) {
	all := []folder{{"config", filepath.Dir(p.Path), false, mustExist, p.configWhy()}}
	if key := p.cfg.Cluster.Gossip.KeyFile; p.Votes() && key != "" {
		all = append(all, folder{"key", filepath.Dir(key), false, mustExist, []string{"the key of the peers' traffic"}})
	}
	if socket := p.cfg.Admin.Socket; socket != "" {
		all = append(all, folder{"run", filepath.Dir(socket), true, isMade, []string{"the admin socket, so that `kshalb status` works on the host too"}})
	}
	all = append(all, folder{"state", string(state.Default), true, isMade, p.stateWhy()})
	for _, l := range p.listeners() {
		all = append(all, checked(l.Check)...)
	}
	all = distinct(all)
	for _, f := range all {
		if strings.ContainsFunc(f.Path+strings.Join(f.Why, ""), unicode.IsControl) {
			return nil, fmt.Errorf("%s: the path %q has a control character; write another", p.cfg.File, f.Path)
		}
		if strings.Count(strings.TrimSuffix(f.Path, "/"), "/") < 2 {
			return nil, fmt.Errorf("%s: a file that kshalb needs is in %s itself, and the pod would get all of that; put it into a folder of its own, such as /etc/kshalb", p.cfg.File, f.Path)
		}
	}
	return all, nil
}

func (p pod) configWhy() []string {
	if !p.Votes() || p.cfg.Cluster.Gossip.KeyFile == "" || filepath.Dir(p.cfg.Cluster.Gossip.KeyFile) != filepath.Dir(p.Path) {
		return []string{filepath.Base(p.Path) + "; the pod waits until the folder is there"}
	}
	return []string{filepath.Base(p.Path) + " and " + filepath.Base(p.cfg.Cluster.Gossip.KeyFile) + "; the pod waits until the folder is there"}
}

func (p pod) stateWhy() []string {
	if p.Votes() {
		return []string{"the last voters, and whether bootstrapping is over: this survives the pod"}
	}
	return []string{"the backends that were found by name, and what was said by hand: this survives the pod"}
}

// checked are the folders that a check reads.
func checked(c config.Check) (all []folder) {
	if c.Type != config.CheckHTTPS {
		return nil
	}
	if c.CAFile == "" {
		all = append(all, folder{"pki", filepath.Dir(config.ClusterCA), false, isMade, []string{
			"ca.crt verifies the API servers in health checks. The folder and not the file:",
			"before kubeadm has run there is none, FileOrCreate would make an empty one, and",
			"kshalb (and kubeadm) refuse an empty CA. kubeadm also replaces the file, which",
			"a mount of the file itself would not show.",
			"kshalb opens nothing else in there. To keep the folder's private keys out of its",
			"reach, copy ca.crt to /etc/kshalb, name it in check.caFile, and make this anew.",
		}})
	} else {
		all = append(all, folder{"ca", filepath.Dir(c.CAFile), false, mustExist, []string{"the CA of health checks: check.caFile"}})
	}
	for _, file := range []string{c.CertFile, c.KeyFile} {
		if file != "" {
			all = append(all, folder{"client", filepath.Dir(file), false, mustExist, []string{"the client certificate of health checks"}})
		}
	}
	return all
}

// distinct leaves out what is in another folder of the list already, and gives each
// a name of its own. A folder that is written to is never read-only.
func distinct(all []folder) (kept []folder) {
	for i, f := range all {
		same := func(other folder) bool { return other.Path == f.Path }
		if slices.ContainsFunc(all[:i], same) {
			continue
		}
		for _, other := range all[i+1:] {
			f.Writable = f.Writable || other.Writable && same(other)
		}
		inside := func(other folder) bool {
			return strings.HasPrefix(f.Path, other.Path+"/") && (other.Writable || !f.Writable)
		}
		if slices.ContainsFunc(all, inside) {
			continue
		}
		named := func(other folder) bool { return strings.TrimRight(other.Name, "-0123456789") == f.Name }
		if n := len(slices.DeleteFunc(slices.Clone(kept), func(k folder) bool { return !named(k) })); n > 0 {
			f.Name = fmt.Sprintf("%s-%d", f.Name, n+1)
		}
		kept = append(kept, f)
	}
	return kept
}
