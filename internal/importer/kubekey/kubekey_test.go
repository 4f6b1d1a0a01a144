package kubekey

import (
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/golden"
)

func TestGolden(t *testing.T) { golden.Run(t, Read, Is) }

func FuzzRead(f *testing.F) { golden.Fuzz(f, Read, "password: %s") }

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"apiVersion: kubekey.kubesphere.io/v1alpha2\nkind: Cluster\n":              true,
		"kind: Config\napiVersion: \"kubekey.kubesphere.io/v1\"\nspec: [broken\n":  true,
		"{\"apiVersion\": \"kubekey.kubesphere.io/v1\", \"kind\": \"Inventory\"}":  true,
		"apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n":         false,
		"# apiVersion: kubekey.kubesphere.io/v1alpha2\nfrontend kubekey.example\n": false,
		"": false,
	} {
		if got := Is(plan.File{Name: "x", Data: []byte(text)}); got != want {
			t.Errorf("Is(%q) = %v", text, got)
		}
	}
}
