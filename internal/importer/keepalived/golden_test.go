package keepalived

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestGolden reads testdata/NAME: *.conf are the files of the nodes, the others are
// there to be included, host is the name of the host.
func TestGolden(t *testing.T) {
	folders, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.Name() == "fuzz" {
			continue
		}
		t.Run(f.Name(), func(t *testing.T) {
			in := input(t, filepath.Join("testdata", f.Name()))
			if f.Name() != "template" || len(in.Files) != 1 {
				for _, file := range in.Files {
					if !Is(file) {
						t.Errorf("%s is not taken for keepalived's", file.Name)
					}
				}
			}
			p, err := Read(in)
			got := dump(p)
			if err != nil {
				got = "error: " + err.Error() + "\n"
			}
			if strings.Contains(got+fmt.Sprintf("%+v", p), "pl4nted") {
				t.Error("the plan has a password")
			}
			golden(t, filepath.Join("testdata", f.Name(), "want.txt"), got)
		})
	}
}

func input(t *testing.T, folder string) plan.Input {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(folder, name)
		all[filepath.ToSlash(rel)] = data
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{Host: strings.TrimSpace(string(all["host"])), Glob: glob(all)}
	for _, name := range sorted(all) {
		if path.Ext(name) == ".conf" && path.Dir(name) == "." {
			in.Files = append(in.Files, plan.File{Name: name, Data: all[name]})
		}
	}
	return in
}

func sorted(all map[string][]byte) []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// glob is plan.Input.Glob over files in memory.
func glob(all map[string][]byte) func(from, pattern string) ([]plan.File, error) {
	return func(from, pattern string) ([]plan.File, error) {
		var files []plan.File
		for _, name := range sorted(all) {
			ok, err := path.Match(path.Join(path.Dir(from), pattern), name)
			if err != nil {
				return nil, err
			}
			if ok {
				files = append(files, plan.File{Name: name, Data: all[name]})
			}
		}
		return files, nil
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got, go test -update rewrites it:\n%s", diff)
	}
}

// dump is a plan as text: a line for each value, then the notes and the steps.
func dump(p plan.Plan) string {
	var b strings.Builder
	values(&b, "", reflect.ValueOf(p))
	b.WriteString("\n")
	for _, n := range p.Notes {
		fmt.Fprintln(&b, n)
	}
	b.WriteString("\n")
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "%d. %s\n", i+1, s)
	}
	return b.String()
}

// values writes what is given below v, by the names of the fields.
func values(b *strings.Builder, at string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			values(b, fmt.Sprintf("%s[%d]", at, i), v.Index(i))
		}
	case reflect.String, reflect.Int:
		if !v.IsZero() {
			fmt.Fprintf(b, "%s = %v\n", at, v)
		}
	case reflect.Struct:
		if from, ok := v.Type().FieldByName("From"); ok && v.NumField() == 3 {
			if s := v.FieldByIndex(from.Index).Interface().(plan.Source); s != (plan.Source{}) {
				fmt.Fprintf(b, "%s = %v  # %s\n", at, v.Field(0), strings.TrimSpace(s.String()+" "+v.Field(2).String()))
			}
			return
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Notes" && name != "Steps" && name != "From" {
				values(b, strings.TrimPrefix(at+"."+name, "."), v.Field(i))
			}
		}
	default:
	}
}

func TestNothingToRead(t *testing.T) {
	for name, in := range map[string]plan.Input{
		"no file":    {},
		"empty":      {Files: []plan.File{{Name: "a"}}},
		"too large":  {Files: []plan.File{{Name: "a", Data: make([]byte, maxFile+1)}}},
		"no service": {Files: []plan.File{{Name: "a", Data: []byte("global_defs {\n router_id x\n}\n")}}},
	} {
		_, err := Read(in)
		var e *plan.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
