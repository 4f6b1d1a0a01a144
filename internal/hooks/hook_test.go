package hooks

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	dir, open := t.TempDir(), filepath.Join(t.TempDir(), "open")
	make := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o600)
		if err == nil {
			err = os.Chmod(path, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := make("good", 0o755)
	link, mine := filepath.Join(dir, "link"), filepath.Join(open, "mine")
	for _, err := range []error{
		os.Symlink(good, link), os.Mkdir(open, 0o700), os.WriteFile(mine, nil, 0o700), os.Chmod(open, 0o777),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		good:                        "",
		link:                        "",
		filepath.Join(dir, "none"):  "no such file",
		dir:                         "is no file",
		make("plain", 0o644):        "chmod +x",
		make("everybody's", 0o757):  "others may write to " + dir + "/everybody's: chmod go-w",
		make("the group's", 0o775):  "others may write to",
		mine:                        "others may write to " + open + ":",
		filepath.Join(good, "none"): "can't be run",
	} {
		err := Hook{Exec: []string{path}}.faults()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(good, 65534, 0); err != nil {
		t.Fatal(err)
	}
	if err := (Hook{Exec: []string{link}}).faults(); err == nil || !strings.Contains(err.Error(), "chown root") {
		t.Error(err)
	}
}
