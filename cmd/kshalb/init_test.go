package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/manifest"
)

// masters are the flags of three of them.
var threeMasters = []string{"--vip", "192.168.0.10", "--masters", "master1=192.168.0.1,master2=192.168.0.2,master3=192.168.0.3"}

func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kshalb")
	args := append([]string{"init", "--image", "kshalb/kshalb:v1.0.0", "--out", dir}, threeMasters...)
	if code, out, errs := said(t, args...); code != exitDone || !strings.Contains(out, "written") {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	file := filepath.Join(dir, "kshalb.yaml")
	if code, out, errs := said(t, "check", "--config", file); code != exitDone {
		t.Errorf("check: exit code %d, %s%s", code, out, errs)
	}
	if code, out, errs := said(t, "check", "--config", filepath.Join(dir, "node", "kshalb.yaml")); code != exitDone {
		t.Errorf("check of the workers': exit code %d, %s%s", code, out, errs)
	}
	for _, name := range []string{"static-pod.yaml", "node/static-pod.yaml"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	_, pod, _ := said(t, "manifest", "--image", "kshalb/kshalb:v1.0.0", "--config", file)
	if text, err := os.ReadFile(filepath.Join(dir, "static-pod.yaml")); err != nil || string(text) != pod {
		t.Errorf("the pod is not that of kshalb manifest: %v", err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "gossip.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "gossip.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
	if code, out, _ := said(t, args...); code != exitDone || !strings.Contains(out, "unchanged") || !strings.Contains(out, "kept") {
		t.Errorf("the second time: exit code %d, %s", code, out)
	}
	other := append(args, "--port", "8443")
	if code, _, errs := said(t, other...); code != exitFailed || !strings.Contains(errs, file) {
		t.Errorf("over another file: exit code %d, %s", code, errs)
	}
	if code, _, errs := said(t, append(other, "--force")...); code != exitDone {
		t.Errorf("with --force: exit code %d, %s", code, errs)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "gossip.key")); err != nil || string(again) != string(key) {
		t.Error("the key is another one", err)
	}
}

// TestInitDryRun: what is on the standard output is the configuration and nothing
// else, what is on the other one has all that a run would write.
func TestInitDryRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kshalb")
	args := append([]string{"init", "--image", "kshalb/kshalb:v1.0.0", "--out", dir}, threeMasters...)
	code, out, errs := said(t, append(args, "--dry-run")...)
	if code != exitDone || !strings.Contains(out, "address: 192.168.0.10 # --vip") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was written")
	}
	file := write(t, "kshalb.yaml", out)
	if code, out, errs := said(t, "check", "--config", file); code != exitDone {
		t.Errorf("check: exit code %d, %s%s", code, out, errs)
	}
	if code, out, errs := said(t, args...); code != exitDone {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	for _, name := range []string{"kshalb.yaml", "static-pod.yaml", "node/kshalb.yaml", "node/static-pod.yaml"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		want := "==> " + filepath.Join(dir, name) + " <==\n"
		if name != "kshalb.yaml" {
			want += string(text)
		} else if string(text) != out {
			t.Error("another configuration is written")
		}
		if err != nil || !strings.Contains(errs, want) {
			t.Errorf("%v, it does not say:\n%s", err, want)
		}
	}
}

// TestInitWithoutImage: a build that is no release makes no pods, and says how.
func TestInitWithoutImage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kshalb")
	code, out, errs := said(t, append([]string{"init", "--out", dir}, threeMasters...)...)
	if code != exitDone || !strings.Contains(out, "1. Make the static pods with `kshalb manifest --image NAME`") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "static-pod.yaml")); err == nil {
		t.Error("there is a pod")
	}
}

// TestInitPlaces: where the files of --install go.
func TestInitPlaces(t *testing.T) {
	kit := []manifest.Text{{Name: "static-pod.yaml"}, {Name: "node/kshalb.yaml"}}
	paths := func(f initFlags, kubelet string) (all []string) {
		for _, file := range f.files(nil, kit, kubelet) {
			all = append(all, file.Path)
		}
		return all
	}
	for _, c := range []struct{ got, want []string }{
		{paths(initFlags{out: "a"}, ""), []string{"a/kshalb.yaml", "a/gossip.key", "a/node/kshalb.yaml", "a/static-pod.yaml"}},
		{paths(initFlags{install: true}, ""), []string{"/etc/kshalb/kshalb.yaml", "/etc/kshalb/gossip.key", "/etc/kshalb/static-pod.yaml"}},
		{paths(initFlags{install: true}, "/srv/pods"), []string{"/etc/kshalb/kshalb.yaml", "/etc/kshalb/gossip.key", "/srv/pods/kshalb.yaml"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestInitWrong(t *testing.T) {
	dir := t.TempDir()
	strange := filepath.Join(dir, "strange.txt")
	if err := os.WriteFile(strange, []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no address":   {[]string{"--masters", "192.168.0.1"}, exitFailed, "--vip"},
		"no masters":   {[]string{"--vip", "192.168.0.10"}, exitFailed, "--masters"},
		"bad address":  {[]string{"--vip", "192.168.0.300"}, exitUsage, "192.168.0.300"},
		"no file":      {[]string{filepath.Join(dir, "none.cfg")}, exitFailed, "none.cfg"},
		"strange file": {[]string{strange}, exitFailed, "strange.txt"},
		"two places":   {append([]string{"--install", "--out", dir}, threeMasters...), exitUsage, "install"},
	} {
		code, _, errs := said(t, append([]string{"init"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit code %d, %q; want %d and %q", name, code, errs, c.code, c.want)
		}
	}
}
