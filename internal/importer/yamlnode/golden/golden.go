// Package golden tests importers: plans as text against testdata/*/want.txt, and
// what holds of the plan of any input at all. Only tests import it.
package golden

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var update = flag.Bool("update", false, "write testdata/*/want.txt anew")

// Read is an importer's.
type Read func(plan.Input) (plan.Plan, error)

// Run holds what read makes of each folder of testdata against its want.txt.
func Run(t *testing.T, read Read, is func(plan.File) bool) {
	for _, folder := range folders(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			in := input(t, folder)
			for _, f := range in.Files {
				if !is(f) {
					t.Errorf("%s is not recognised", f.Name)
				}
			}
			p, err := read(in)
			Check(t, in, p, err)
			got := Dump(p)
			if err != nil {
				got = "error: " + err.Error() + "\n"
			}
			compare(t, filepath.Join(folder, "want.txt"), got)
		})
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := at(gotLines, i), at(wantLines, i)
		if g != w {
			t.Errorf("%s:%d:\n got %q\nwant %q", name, i+1, g, w)
			return
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "the end"
}

func folders(t testing.TB) []string {
	t.Helper()
	found, err := filepath.Glob("testdata/*/want.txt")
	if *update {
		found, err = filepath.Glob("testdata/*/*")
	}
	if err != nil || len(found) == 0 {
		t.Fatalf("no samples in testdata: %v", err)
	}
	var dirs []string
	for _, f := range found {
		if dir := filepath.Dir(f); (len(dirs) == 0 || dirs[len(dirs)-1] != dir) && filepath.Base(dir) != "fuzz" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func input(t testing.TB, folder string) plan.Input {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var in plan.Input
	for _, name := range names {
		if filepath.Base(name) == "want.txt" {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in.Files = append(in.Files, plan.File{Name: filepath.Base(name), Data: data})
	}
	return in
}

// Check holds a plan to what is promised of each: sources that are there, notes
// that say something, errors that say where.
func Check(t *testing.T, in plan.Input, p plan.Plan, err error) {
	t.Helper()
	lines := make(map[string]int)
	for _, f := range in.Files {
		lines[f.Name] = 1 + strings.Count(string(f.Data), "\n")
	}
	there := func(at plan.Source, what string) {
		t.Helper()
		if n, known := lines[at.File]; !known || at.Line < 0 || at.Line > n {
			t.Errorf("%s is from %q, line %d of %d", what, at.File, at.Line, n)
		}
	}
	if err != nil {
		e, ok := errors.AsType[*plan.Error](err)
		if !ok {
			t.Fatalf("an error without a place: %v", err)
		}
		there(e.At, "the error "+e.Error())
		return
	}
	each(p, func(path string, at plan.Source, v any, why string) {
		there(at, path)
		if !fits(path, v) || strings.ContainsAny(why, "\n\r") {
			t.Errorf("%s = %v: kshalb does not take that", path, v)
		}
	})
	for _, n := range p.Notes {
		there(n.At, n.What)
		if n.What == "" || n.Why == "" || strings.ContainsAny(n.What+n.Why, "\n\r") {
			t.Errorf("a note that says nothing, or too much: %q", n.String())
		}
	}
	for _, s := range p.Steps {
		if s == "" || strings.ContainsAny(s, "\n\r") {
			t.Errorf("a step that is no line: %q", s)
		}
	}
}

// Fuzz feeds f with the samples, and holds what read makes of anything to
// [Check]; twice the same; and never with the secret that stands in the input as
// line, in place of its %s.
func Fuzz(f *testing.F, read Read, line string) {
	for _, folder := range folders(f) {
		for _, file := range input(f, folder).Files {
			f.Add(file.Data, uint(len(file.Data)/3))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, after uint) {
		if strings.Contains(string(data), secret) {
			t.Skip()
		}
		for _, d := range [][]byte{data, plant(data, after, line)} {
			in := plan.Input{Files: []plan.File{{Name: "fuzz.yaml", Data: d}}}
			p, err := read(in)
			Check(t, in, p, err)
			first := fmt.Sprintf("%+v %v", p, err)
			if strings.Contains(first, secret) {
				t.Fatalf("the secret is told: %s", first)
			}
			p, err = read(in)
			if second := fmt.Sprintf("%+v %v", p, err); second != first {
				t.Fatalf("not the same twice:\n%s\n%s", first, second)
			}
		}
	})
}

const secret = "Zw9kNotToBeTold7"

// plant adds a line with the secret, as deep as the line that it comes after.
func plant(data []byte, after uint, line string) []byte {
	lines := strings.SplitAfter(string(data), "\n")
	at := int(after % uint(len(lines)))
	indent := lines[at][:len(lines[at])-len(strings.TrimLeft(lines[at], " "))]
	if strings.HasPrefix(lines[at][len(indent):], "- ") && !strings.HasPrefix(line, "- ") {
		indent += "  "
	}
	planted := indent + fmt.Sprintf(line, secret) + "\n"
	return []byte(strings.Join(lines[:at+1], "") + planted + strings.Join(lines[at+1:], ""))
}
