package ansible

import (
	"slices"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/golden"
)

func TestGolden(t *testing.T) { golden.Run(t, Read, Is) }

func FuzzRead(f *testing.F) { golden.Fuzz(f, Read, "master1 ansible_ssh_pass='%s'") }

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"[all]\nmaster1 ip=192.168.0.1\n":                        true,
		"1. [kube-master]\n2. master1\n":                         true,
		"# loadbalancer_apiserver:\n#   address: 192.168.0.10\n": true,
		"[plugins]\n  [plugins.cri]\n":                           false,
		"global\n  daemon\n":                                     false,
		"vrrp_instance VI_1 {\n}\n":                              false,
		"kind: Cluster\nspec:\n  hosts: []\n":                    false,
	} {
		if got := Is(plan.File{Name: "x", Data: []byte(text)}); got != want {
			t.Errorf("Is(%q) = %v", text, got)
		}
	}
}

func TestExpand(t *testing.T) {
	for text, want := range map[string][]string{
		"node1":         {"node1"},
		"node1:2222":    {"node1"},
		"node[2:4]":     {"node2", "node3", "node4"},
		"n[08:12:2].x":  {"n08.x", "n10.x", "n12.x"},
		"db-[a:c]":      {"db-a", "db-b", "db-c"},
		"r[1:2]n[1:2]":  {"r1n1", "r1n2", "r2n1", "r2n2"},
		"node[4:2]":     nil,
		"node[2:":       nil,
		"node[1:99999]": nil,
		"a b":           nil,
	} {
		got, err := expand(text)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
