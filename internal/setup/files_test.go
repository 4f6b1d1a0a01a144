package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %q, %v; want %q", path, got, err, want)
	}
}

// TestWriteOver: one file that is there keeps all from being written, unless that
// is asked for, and a key is kept even then.
func TestWriteOver(t *testing.T) {
	dir := t.TempDir()
	config, key, pod := filepath.Join(dir, "sub", "kshalb.yaml"), filepath.Join(dir, "gossip.key"), filepath.Join(dir, "pod.yaml")
	files := []File{{config, 0o644, []byte("new"), false}, {key, 0o600, []byte("new"), true}, {pod, 0o600, []byte("new"), false}}
	put(t, pod, "old")
	if _, err := Write(files, false); err == nil || !strings.Contains(err.Error(), pod) {
		t.Errorf("error %v, want one that names %s", err, pod)
	}
	if _, err := os.Stat(filepath.Dir(config)); err == nil {
		t.Error("something was written")
	}
	put(t, key, "old")
	got, err := Write(files, true)
	if err != nil || got[0] != Written || got[1] != Kept || got[2] != Written {
		t.Errorf("outcomes %v, %v", got, err)
	}
	holds(t, config, "new")
	holds(t, key, "old")
	holds(t, pod, "new")
	if got, err = Write(files, false); err != nil || got[0] != Same {
		t.Errorf("the second time: %v, %v", got, err)
	}
	if info, err := os.Stat(config); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestWriteFails: what was new is gone again, and no temporary file is left.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), "")
	first := filepath.Join(dir, "kshalb.yaml")
	_, err := Write([]File{{first, 0o644, []byte("new"), false}, {filepath.Join(dir, "folder"), 0o644, []byte("new"), false}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	if _, err = Write([]File{{first, 0o644, []byte("new"), false}, {filepath.Join(dir, "file", "below"), 0o644, nil, false}}, false); err == nil {
		t.Fatal("no error")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestWriteFailsOver: what was written over is as it was.
func TestWriteFailsOver(t *testing.T) {
	dir := t.TempDir()
	config, fresh, folder := filepath.Join(dir, "kshalb.yaml"), filepath.Join(dir, "pod.yaml"), filepath.Join(dir, "folder")
	put(t, config, "old")
	files := []File{{config, 0o644, []byte("new"), false}, {fresh, 0o600, []byte("new"), false}, {folder, 0o600, []byte("new"), false}}
	outcomes := []Outcome{Written, Written, Written}
	if err := os.MkdirAll(filepath.Join(folder, "full"), 0o755); err != nil { // no file takes its place
		t.Fatal(err)
	}
	if err := replace(files, outcomes); err == nil || !strings.Contains(err.Error(), folder) {
		t.Fatalf("error %v, want one that names %s", err, folder)
	}
	holds(t, config, "old")
	if info, err := os.Stat(config); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left: %v, %v", left, err)
	}
}
