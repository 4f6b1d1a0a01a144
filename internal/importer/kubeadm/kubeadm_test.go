package kubeadm

import (
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/golden"
)

func TestGolden(t *testing.T) { golden.Run(t, Read, Is) }

func FuzzRead(f *testing.F) { golden.Fuzz(f, Read, "certificateKey: %s") }

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n":                     true,
		"kind: InitConfiguration\napiVersion: 'kubeadm.k8s.io/v1beta4'\nx: [\n":                true,
		"data:\n  ClusterConfiguration: |\n    apiVersion: kubeadm.k8s.io/v1beta3\n":           true,
		"apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Cluster\n":                          false,
		"apiVersion: controlplane.cluster.x-k8s.io/v1beta1\nkind: KubeadmControlPlane\nx: 1\n": false,
		"": false,
	} {
		if got := Is(plan.File{Name: "x", Data: []byte(text)}); got != want {
			t.Errorf("Is(%q) = %v", text, got)
		}
	}
}
