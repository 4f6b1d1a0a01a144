// Package staticpods holds the manifests beside it against `kshalb manifest`, which
// makes them.
package staticpods

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/importer"
	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/manifest"
)

var update = flag.Bool("update", false, "write the files anew")

// image is the one of the samples; the README tells how to make it.
const image = "kshalb/kshalb:v0.1.0"

// masters is what `kshalb init` makes of the addresses of the guide.
func masters(t *testing.T) *config.Config {
	t.Helper()
	hand := importer.Hand{
		VIPs:    []string{"192.168.0.10"},
		Masters: []string{"master1=192.168.0.1", "master2=192.168.0.2", "master3=192.168.0.3"},
	}
	p, err := hand.Plan()
	if err == nil {
		p, err = importer.Read(nil, plan.Input{}, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := importer.Text(p)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("kshalb.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestFiles(t *testing.T) {
	texts, err := manifest.Kit(masters(t), "/etc/kshalb/kshalb.yaml", image)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"static-pod.yaml": "master.yaml", "node/kshalb.yaml": "kshalb-node.yaml", "node/static-pod.yaml": "node.yaml",
	}
	for _, text := range texts {
		file := files[text.Name]
		delete(files, text.Name)
		if *update {
			if err := os.WriteFile(file, text.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); !bytes.Equal(got, text.Data) {
			t.Errorf("%s is not what kshalb manifest makes (%v): go test ./deploy/static-pods -update", file, err)
		}
	}
	if len(files) > 0 {
		t.Errorf("not made: %v", files)
	}
	if all, err := filepath.Glob("*.yaml"); len(all) != 3 || err != nil {
		t.Errorf("%v, %v: a file that nobody makes", all, err)
	}
}
