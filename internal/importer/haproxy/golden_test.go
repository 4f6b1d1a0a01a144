package haproxy

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var update = flag.Bool("update", false, "rewrite testdata/*/want.txt")

// TestGolden reads each folder of testdata.
func TestGolden(t *testing.T) {
	folders, err := filepath.Glob("testdata/*/want.txt")
	if *update {
		folders, err = filepath.Glob("testdata/*/haproxy.cfg")
	}
	if err != nil || len(folders) < 12 {
		t.Fatalf("found %d samples: %v", len(folders), err)
	}
	for _, file := range folders {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) { golden(t, folder) })
	}
}

func golden(t *testing.T, folder string) {
	in := inputOf(t, folder)
	if broken := strings.HasSuffix(folder, "faults"); Is(in.Files[0]) == broken {
		t.Error("Is is wrong about it")
	}
	p, err := Read(in)
	if err != nil {
		t.Fatal(err)
	}
	got := dump(p)
	want := filepath.Join(folder, "want.txt")
	if *update {
		if err := os.WriteFile(want, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(data) {
		t.Errorf("the plan of %s differs from want.txt (go test -update rewrites it):\n%s", folder, got)
	}
}

// inputOf is a folder's configuration, with the variables of env.txt.
func inputOf(t *testing.T, folder string) plan.Input {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "haproxy.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	text, err := os.ReadFile(filepath.Join(folder, "env.txt"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for l := range strings.FieldsSeq(string(text)) {
		name, value, _ := strings.Cut(l, "=")
		env[name] = value
	}
	return plan.Input{
		Files:  []plan.File{{Name: "haproxy.cfg", Data: data}},
		Getenv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
}

// dump is a plan as people read it: a line for each value, then notes, then steps.
func dump(p plan.Plan) string {
	var b strings.Builder
	values(&b, "", reflect.ValueOf(p))
	for _, n := range p.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, s := range p.Steps {
		fmt.Fprintln(&b, "step:", s)
	}
	return b.String()
}

func values(b *strings.Builder, path string, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		for i := range v.Len() {
			values(b, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case v.Kind() != reflect.Struct || path == ".Notes":
	case v.FieldByName("Why").IsValid() && v.FieldByName("From").IsValid():
		if !v.FieldByName("From").IsZero() {
			fmt.Fprintf(b, "%s = %v  # %v %s\n", path[1:], v.Field(0), v.FieldByName("From"), v.FieldByName("Why"))
		}
	case v.Type() == reflect.TypeFor[plan.Backend]():
		fmt.Fprintf(b, "%s = %s %s:%d  # %v\n", path[1:], v.Field(0), v.Field(1), v.Field(2).Int(), v.FieldByName("From"))
		values(b, path+".Weight", v.FieldByName("Weight"))
		values(b, path+".Backup", v.FieldByName("Backup"))
	case v.Type() != reflect.TypeFor[plan.Note]():
		for i := range v.NumField() {
			values(b, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}
