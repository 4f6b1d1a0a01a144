package importer

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

// kindOfFolder is the kind that a package reads; the golden samples of each lie
// in its testdata.
var kindOfFolder = map[string]string{
	"ansible": "hosts.ini", "kubekey": "kubekey", "kubeadm": "kubeadm", "keepalived": "keepalived", "kubevip": "kube-vip", "haproxy": "haproxy",
}

// TestEverySample: every sample of every format makes a configuration that
// `kshalb check` takes, with an address and masters where it has none itself. Only
// those whose want.txt is an error may make none.
func TestEverySample(t *testing.T) {
	for folder, kind := range kindOfFolder {
		dirs, err := filepath.Glob(folder + "/testdata/*/want.txt")
		if err != nil || len(dirs) < 10 {
			t.Fatalf("%s has %d samples: %v", folder, len(dirs), err)
		}
		for _, want := range dirs {
			t.Run(filepath.Dir(want), func(t *testing.T) { sample(t, kind, filepath.Dir(want)) })
		}
	}
}

func sample(t *testing.T, kind, dir string) {
	files, in := sampleInput(t, kind, dir)
	want, err := os.ReadFile(filepath.Join(dir, "want.txt"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := completed(t, files, in)
	if why, refused := strings.CutPrefix(string(want), "error: "); refused {
		if err == nil || err.Error() != strings.TrimSuffix(why, "\n") {
			t.Errorf("got %v; its importer says %s", err, why)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := Text(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := completed(t, files, in)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Text(again); err != nil || string(second) != string(text) {
		t.Errorf("the second time: %v\n%s", err, second)
	}
}

// completed is the plan of files, with what they lack told by hand.
func completed(t *testing.T, files []File, in plan.Input) (p plan.Plan, err error) {
	t.Helper()
	var h Hand
	for range 3 {
		byHand, err := h.Plan()
		if err != nil {
			t.Fatal(err)
		}
		p, err = Read(files, in, byHand)
		switch {
		case errors.Is(err, errNoVIP):
			h.VIPs = []string{"192.0.2.250"}
		case errors.Is(err, errNoMasters):
			h.Masters = []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
		default:
			return p, err
		}
	}
	t.Fatal("still something missing")
	return p, err
}

// sampleInput are the files of a sample as its own package reads them: beside
// them are host, the name of one, env.txt, the environment, and those that a
// keepalived.conf includes.
func sampleInput(t *testing.T, kind, dir string) (files []File, in plan.Input) {
	t.Helper()
	env := map[string]string{}
	for _, f := range folder(t, dir) {
		switch {
		case f.Name == "host":
			in.Host = strings.TrimSpace(string(f.Data))
		case f.Name == "env.txt":
			for word := range strings.FieldsSeq(string(f.Data)) {
				name, value, _ := strings.Cut(word, "=")
				env[name] = value
			}
		case kind != "keepalived" || filepath.Ext(f.Name) == ".conf":
			f.Kind = kind
			files = append(files, f)
		}
	}
	in.Getenv = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	in.Glob = func(from, pattern string) ([]plan.File, error) { return included(dir, from, pattern) }
	return files, in
}

// included are files of a sample by their names in its folder.
func included(dir, from, pattern string) (files []plan.File, err error) {
	names, err := filepath.Glob(filepath.Join(dir, filepath.Dir(from), pattern))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return nil, err
		}
		files = append(files, plan.File{Name: rel, Data: data})
	}
	return files, nil
}
