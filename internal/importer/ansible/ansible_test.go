package ansible

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
	"github.com/kshalb/kshalb/internal/importer/yamlnode/golden"
)

func TestGolden(t *testing.T) { golden.Run(t, Read, Is) }

func FuzzRead(f *testing.F) { golden.Fuzz(f, Read, "master1 ansible_ssh_pass='%s'") }

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"[all]\nmaster1 ip=192.168.0.1\n":                                         true,
		"1. [kube-master]\n2. master1\n":                                          true,
		"# loadbalancer_apiserver:\n#   address: 192.168.0.10\n":                  true,
		"[plugins]\n  [plugins.cri]\n":                                            false,
		"global\n  daemon\n":                                                      false,
		"vrrp_instance VI_1 {\n}\n":                                               false,
		"kind: Cluster\nspec:\n  hosts: []\n":                                     false,
		"all:\n  children:\n    kube_control_plane:\n":                            true,
		"kube_apiserver_port: 6443\n":                                             true,
		"\uFEFF[kube-master]\r\nm1\r\n":                                           true,
		"apiVersion: kubekey.kubesphere.io/v1\nkind: Inventory\nall:\n  hosts:\n": false,
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
		"R[A:B]":        {"RA", "RB"},
		"u[:2]":         {"u0", "u1", "u2"},
		"[fd00::1]:22":  {"fd00::1"},
		"fd00::1":       {"fd00::1"},
		"z[08:9]":       nil,
		"m[Y:Z]":        {"mY", "mZ"},
		"m[y:B]":        {"my", "mz", "mA", "mB"},
		"m[B:a]":        nil,
		"s[1:2:0]":      nil,
		"p:":            nil,
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

// planted stands in the samples in place of passwords.
const planted = "pl4nted"

// TestNoSecrets: no password of a sample is in what is made of it, even where it
// stands in the place of something else.
func TestNoSecrets(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	seen := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil || filepath.Base(filepath.Dir(name)) == "fuzz" {
			continue
		}
		if filepath.Base(name) == "want.txt" {
			if strings.Contains(string(data), planted) {
				t.Errorf("%s tells it", name)
			}
			continue
		}
		seen += strings.Count(string(data), planted)
		p, err := Read(plan.Input{Files: []plan.File{{Name: name, Data: data}}})
		if text := fmt.Sprintf("%+v %v", p, err); strings.Contains(text, planted) {
			t.Errorf("%s: the plan has it: %s", name, text)
		}
	}
	if seen < 20 {
		t.Errorf("only %d passwords in the samples", seen)
	}
}

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"a  b\tc ":                {"a", "b", "c"},
		`a="b c" 'd e'=f`:         {"a=b c", "d e=f"},
		`a=b\ c d\"e "f\"g" 'h\'`: {"a=b c", `d"e`, `f"g`, `h\`},
		"a=b#c d":                 {"a=b"},
		"a # b":                   {"a"},
		`a="b # c" d`:             {"a=b # c", "d"},
		`a ""`:                    {"a", ""},
		`a "b`:                    nil,
		`a \`:                     nil,
	} {
		got, whole := split(text)
		if whole != (want != nil) || whole && !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", text, got, whole)
		}
	}
}

// TestRefused: what is no text of the kind, by name and line.
func TestRefused(t *testing.T) {
	for name, in := range map[string]plan.Input{
		"no file":   {},
		"too large": {Files: []plan.File{{Name: "a", Data: make([]byte, yamlnode.MaxSize+1)}}},
		"bad YAML":  {Files: []plan.File{{Name: "a", Data: []byte("all:\n  hosts:\n\tm1:\n")}}},
	} {
		_, err := Read(in)
		if _, ok := errors.AsType[*plan.Error](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBounds: many groups and hosts end soon, with a word.
func TestBounds(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "[g%d:children]\ng%d\n[g%d]\nh[1:1000]\n", i, i+1, i)
	}
	p, err := Read(plan.Input{Files: []plan.File{{Name: "hosts.ini", Data: []byte(b.String())}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"groups: there are more than", "hosts: there are more than"} {
		if !strings.Contains(golden.Dump(p), want) {
			t.Errorf("nothing says %q", want)
		}
	}
}
