package importer

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

var update = flag.Bool("update", false, "write what is wanted anew")

// folder are the files of a folder, by their base names.
func folder(t *testing.T, dir string) (files []File) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), "want") || e.Name() == "hand" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, File{File: plan.File{Name: e.Name(), Data: data}})
	}
	return files
}

// TestGolden: what becomes of several files at once. A file hand has the flags.
func TestGolden(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no samples", err)
	}
	for _, dir := range dirs {
		if filepath.Base(dir) == "fuzz" {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := imported(t, dir)
			if again := imported(t, dir); again != got {
				t.Error("the second time it is another text")
			}
			file := filepath.Join(dir, "want.yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got != string(want) {
				t.Errorf("%v; got:\n%s", err, got)
			}
		})
	}
}

// imported is the configuration, and what is told beside it as comments.
func imported(t *testing.T, dir string) string {
	t.Helper()
	byHand, err := flags(t, dir).Plan()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Read(folder(t, dir), plan.Input{}, byHand)
	if err != nil {
		return "# error: " + err.Error() + "\n"
	}
	text, err := Text(p)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.Write(text)
	for _, n := range p.Notes {
		b.WriteString("# " + n.String() + "\n")
	}
	for _, s := range p.Steps {
		b.WriteString("# - " + strings.ReplaceAll(s, "\n", "\n#   ") + "\n")
	}
	return b.String()
}

// flags are the words of a file hand, such as vip=192.168.0.10.
func flags(t *testing.T, dir string) (h Hand) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "hand"))
	if errors.Is(err, os.ErrNotExist) {
		return h
	}
	for word := range strings.FieldsSeq(string(data)) {
		switch name, value, _ := strings.Cut(word, "="); name {
		case "vip":
			h.VIPs = append(h.VIPs, value)
		case "master":
			h.Masters = append(h.Masters, value)
		case "domain":
			h.Domain = value
		default:
			t.Fatalf("%s: %q", dir, word)
		}
	}
	return h
}

func TestKinds(t *testing.T) {
	_, err := Read([]File{{File: plan.File{Name: "a.txt", Data: []byte("hello")}}}, plan.Input{}, plan.Plan{})
	if err == nil || !strings.Contains(err.Error(), "a.txt") || !strings.Contains(err.Error(), "haproxy") {
		t.Errorf("an unknown file: %v", err)
	}
	_, err = Read([]File{{File: plan.File{Name: "a.txt"}, Kind: "nginx"}}, plan.Input{}, plan.Plan{})
	if err == nil || !strings.Contains(err.Error(), "nginx") {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestHand(t *testing.T) {
	h := Hand{VIPs: []string{"192.168.0.300"}, Masters: []string{"m1"}, Port: 70000}
	_, err := h.Plan()
	for _, want := range []string{"--vip", "--masters", "--port"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
