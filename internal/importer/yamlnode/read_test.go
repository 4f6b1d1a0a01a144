package yamlnode

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

func file(text string) plan.File { return plan.File{Name: "f.yaml", Data: []byte(text)} }

// TestRefused: what is no YAML, or too much of it, is refused at its line, with no
// word of the file.
func TestRefused(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		tens := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", ")
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i+1, i+1, tens)
	}
	for _, c := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"a tab", "a: 1\n\tpassword: hunter2\n", 2, "is not YAML"},
		{"an at sign", "a: 1\npassword: @hunter2\n", 2, "cannot start any token"},
		{"an alias of nothing", "a: 1\nb: 2\npassword: *hunter2\n", 3, "begins with *"},
		{"an anchor in itself", "a: &a [*a]\n", 1, "aliases of aliases"},
		{"a bomb", bomb.String(), -1, "aliases of aliases"},
		{"depth", strings.Repeat("[", 500) + strings.Repeat("]", 500), 1, "aliases of aliases"},
		{"an open quote", "a: \"hunter2\n", 1, "is not YAML"},
		{"a bad directive", "%YAML hunter2\n---\na: 1\n", 1, "is not YAML"},
		{"an unknown tag handle", "a: !h!hunter2 x\n", 1, "is not YAML"},
		{"size", strings.Repeat("# hunter2 #\n", MaxSize/12+1), 0, "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Documents(file(c.text))
			e, ok := errors.AsType[*plan.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if c.line >= 0 && e.At.Line != c.line || e.At.File != "f.yaml" {
				t.Errorf("it is said to be at %s: %v", e.At, err)
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDocuments(t *testing.T) {
	docs, err := Documents(file("# nothing\n---\n---\na: 1\n---\n~\n---\n- x\n"))
	if err != nil || len(docs) != 2 || !docs[0].IsMap() || !docs[1].IsList() {
		t.Fatalf("got %+v, %v", docs, err)
	}
	if at := docs[1].At(); at != (plan.Source{File: "f.yaml", Line: 8}) {
		t.Errorf("the second one is at %s", at)
	}
}

// TestAliases: anchors and merges are written out where they are used, and given
// keys win over merged ones.
func TestAliases(t *testing.T) {
	docs, err := Documents(file("base: &b {port: 22, user: root}\nhost:\n  <<: *b\n  port: 8022\nlist: [*b]\nmany:\n  <<: [{x: 1}, *b, {x: 2}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := docs[0]
	for path, want := range map[string]string{"host.port": "8022", "host.user": "root", "many.x": "1", "many.user": "root"} {
		if got := d.Get(strings.Split(path, ".")...).Text(); got != want {
			t.Errorf("%s = %q, not %q", path, got, want)
		}
	}
	if got := d.Get("list").Items()[0]; got.Get("user").Text() != "root" || got.At().Line != 5 {
		t.Errorf("an alias in a list: %+v", got)
	}
}

// TestNested: YAML in a text has the lines of the file where they are known.
func TestNested(t *testing.T) {
	docs, err := Documents(file("data:\n  a: |\n    x: 1\n    y: {z: 2}\n  b: \"x: 1\\ny: {z: 3}\"\n  c: |\n    x: [\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]plan.Source{"a": {File: "f.yaml", Line: 4}, "b": {File: "f.yaml", Line: 5}} {
		inner, err := docs[0].Get("data", key).Documents()
		if err != nil {
			t.Fatal(err)
		}
		if got := inner[0].Get("y", "z").At(); got != want {
			t.Errorf("%s: at %s, not %s", key, got, want)
		}
	}
	_, err = docs[0].Get("data", "c").Documents()
	if e, ok := errors.AsType[*plan.Error](err); !ok || e.At.Line != 7 {
		t.Errorf("a broken one: %v", err)
	}
}

func TestMap(t *testing.T) {
	docs, err := Documents(file("a: 1\nb: 2\na: 3\nc: 4\n\"d: hunter2\": 5\n"))
	if err != nil {
		t.Fatal(err)
	}
	var p plan.Plan
	m := Open(docs[0])
	if m.Take("a").Text() != "1" || m.Take("no").Given() || !m.Given() {
		t.Error("the first of doubles is taken")
	}
	m.Doubles(&p)
	m.Needless(&p, "keys: ", "why")
	want := []plan.Note{
		{Level: plan.Fault, At: plan.Source{File: "f.yaml", Line: 3}, What: "a", Why: "it stands in line 1 already, which is the one that was read; remove one of them"},
		{Level: plan.Needless, At: plan.Source{File: "f.yaml", Line: 2}, What: "keys: b, c, d…", Why: "why"},
	}
	if fmt.Sprint(p.Notes) != fmt.Sprint(want) {
		t.Errorf("got %v", p.Notes)
	}
}
