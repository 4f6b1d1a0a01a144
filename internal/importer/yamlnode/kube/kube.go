// Package kube has what the files of KubeKey and kubeadm say in common of a
// cluster: arguments of kube-apiserver, members of etcd, networks of pods. It
// adds notes to plans, and opens nothing.
package kube

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

// MaxPeers is the most voters that kshalb takes.
const MaxPeers = 7

// Even notes that there is an even number of etcd members.
func Even(p *plan.Plan, at plan.Source, what string, members int) {
	if members > 0 && members%2 == 0 {
		p.Note(plan.Fault, at, fmt.Sprintf("%s: %d members of etcd", what, members),
			fmt.Sprintf("an even number bears the loss of no more members than %d would, and is lost more often; add one or take one away", members-1))
	}
}

// Masters notes a number of masters that kshalb cannot vote with.
func Masters(p *plan.Plan, at plan.Source, what string, masters int) {
	switch {
	case masters > MaxPeers:
		p.Note(plan.Fault, at, fmt.Sprintf("%s: %d masters", what, masters),
			fmt.Sprintf("kshalb takes at most %d voters; run it on an odd number of them up to that, and name all of them as backends", MaxPeers))
	case masters > 0 && masters%2 == 0:
		p.Note(plan.Fault, at, fmt.Sprintf("%s: %d masters", what, masters),
			"kshalb needs an odd number of voters; add a master, or a worker as a witness (witness: true), which votes and never holds the VIP")
	}
}

// Networks notes VIPs that lie in a network of pods or services. n is a text of
// one network or several with commas, or a list of such.
func Networks(p *plan.Plan, n yamlnode.Node, what string) {
	for _, text := range n.Texts() {
		for cidr := range strings.SplitSeq(text.Text(), ",") {
			net, err := netip.ParsePrefix(strings.TrimSpace(cidr))
			if err != nil {
				continue
			}
			for _, v := range p.VIPs {
				if net.Contains(v.Address.V) {
					p.Note(plan.Fault, text.At(), fmt.Sprintf("%s %s", what, net),
						fmt.Sprintf("the VIP %s is in it, so that nobody outside reaches it; choose a free address of the masters' own network", v.Address.V))
				}
			}
		}
	}
}
