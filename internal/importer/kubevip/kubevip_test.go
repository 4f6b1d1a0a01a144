package kubevip

import (
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/golden"
)

func TestGolden(t *testing.T) { golden.Run(t, Read, Is) }

func FuzzRead(f *testing.F) { golden.Fuzz(f, Read, "- {name: bgp_peerpass, value: %s}") }

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/kube-vip/kube-vip:v1.0.0\n":                     true,
		"kind: DaemonSet\nspec: {template: {spec: {containers: [{env: [{name: vip_arp, value: \"true\"}]}]}}}\n":             true,
		"kind: Pod\nspec:\n  containers:\n  - image: haproxy:2.9\n":                                                          false,
		"apiVersion: kubekey.kubesphere.io/v1\nkind: Config\nspec: {kubernetes: {kube_vip: {repository: plndr/kube-vip}}}\n": false,
		"": false,
	} {
		if got := Is(plan.File{Name: "x", Data: []byte(text)}); got != want {
			t.Errorf("Is(%q) = %v", text, got)
		}
	}
}
