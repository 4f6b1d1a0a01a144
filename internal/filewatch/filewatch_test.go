package filewatch

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// swap has a link lead elsewhere in one step.
func swap(t *testing.T, link, to string) {
	t.Helper()
	must(t, os.Symlink(to, link+".new"))
	must(t, os.Rename(link+".new", link))
}

// TestRun: whatever way a file gets another text, that is told once, with the whole
// text there.
func TestRun(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare, change func(t *testing.T, dir string)
	}{
		"written": {
			func(t *testing.T, dir string) { write(t, dir+"/f", "old") },
			func(t *testing.T, dir string) {
				f, err := os.OpenFile(dir+"/f", os.O_TRUNC|os.O_WRONLY, 0)
				must(t, err)
				_, err = f.WriteString("ne")
				must(t, err)
				_, err = f.WriteString("w")
				must(t, err)
				must(t, f.Close())
			},
		},
		"renamed": {
			func(t *testing.T, dir string) { write(t, dir+"/f", "old") },
			func(t *testing.T, dir string) {
				must(t, os.Rename(dir+"/f", dir+"/f~"))
				write(t, dir+"/f.new", "new")
				must(t, os.Rename(dir+"/f.new", dir+"/f"))
			},
		},
		"a ConfigMap": {
			func(t *testing.T, dir string) {
				write(t, dir+"/..1/f", "old")
				must(t, os.Symlink("..1", dir+"/..data"))
				must(t, os.Symlink("..data/f", dir+"/f"))
			},
			func(t *testing.T, dir string) {
				write(t, dir+"/..2/f", "new")
				swap(t, dir+"/..data", "..2")
				must(t, os.RemoveAll(dir+"/..1"))
			},
		},
		"linked to, and written": {
			func(t *testing.T, dir string) {
				write(t, dir+"/elsewhere/g", "old")
				must(t, os.Symlink(dir+"/elsewhere/g", dir+"/f"))
			},
			func(t *testing.T, dir string) { write(t, dir+"/elsewhere/g", "new") },
		},
		"it was gone": {
			func(t *testing.T, dir string) {
				write(t, dir+"/f", "old")
				must(t, os.Remove(dir+"/f"))
			},
			func(t *testing.T, dir string) { write(t, dir+"/f", "new") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tc.prepare(t, dir)
			told, stop := watching(t, dir+"/f")
			tc.change(t, dir)
			if got := <-told; got != "new" {
				t.Errorf("told when the text was %q", got)
			}
			if stop(); len(told) > 0 {
				t.Errorf("told again: %q", <-told)
			}
		})
	}
}

// watching tells what the file has when that has changed. The first change is made
// here, for the second one the folders are watched for certain.
func watching(t *testing.T, path string) (told chan string, stop func()) {
	t.Helper()
	was, err := os.ReadFile(path)
	there := err == nil
	w := New(path)
	told = make(chan string, 10)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx, slog.New(slog.DiscardHandler), func() {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			told <- string(text)
		})
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	if there {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.WriteString(" more")
		must(t, err)
		must(t, f.Close())
		if got := <-told; got != string(was)+" more" {
			t.Fatalf("told %q", got)
		}
	}
	return told, stop
}

// TestSince: what happens between New and Run is noticed; the same text is no change.
func TestSince(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "old")
	w := New(path)
	write(t, path, "new")
	n := 0
	ctx, cancel := context.WithTimeout(t.Context(), 3*settle)
	defer cancel()
	w.Run(ctx, slog.New(slog.DiscardHandler), func() {
		if n++; n == 1 {
			write(t, path, "new")
		}
	})
	if n != 1 {
		t.Errorf("told %d times", n)
	}
}

func TestFoldersOf(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	write(t, dir+"/etc/..1/f", "")
	must(t, os.Symlink("..1", dir+"/etc/..data"))
	must(t, os.Symlink("..data/f", dir+"/etc/f"))
	must(t, os.Symlink(dir+"/etc", dir+"/config"))
	must(t, os.Symlink("loop", dir+"/loop"))
	for path, want := range map[string][]string{
		dir + "/etc/..1/f":      {dir + "/etc/..1"},
		dir + "/etc/f":          {dir + "/etc", dir + "/etc/..1"},
		dir + "/config/f":       {dir, dir + "/etc", dir + "/etc/..1"},
		dir + "/etc/nothing":    {dir + "/etc"},
		dir + "/nothing/at/all": {dir + "/nothing/at"},
		dir + "/loop":           {dir},
	} {
		if got := foldersOf(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// TestLinksOfProc: the folder of a link that says something else is watched.
func TestLinksOfProc(t *testing.T) {
	dir := t.TempDir()
	folder, err := os.Open(dir)
	must(t, err)
	defer folder.Close()
	moved := dir + "~"
	must(t, os.Rename(dir, moved)) // the link says so, too, but in another mount namespace
	defer os.RemoveAll(moved)
	given := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), folder.Fd())
	if got := foldersOf(given + "/f"); !slices.ContainsFunc(got, func(f string) bool { return same(f, moved) }) {
		t.Errorf("%q are watched, and not %s", got, moved)
	}
}
