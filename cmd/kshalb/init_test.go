package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// masters are the flags of three of them.
var threeMasters = []string{"--vip", "192.168.0.10", "--masters", "master1=192.168.0.1,master2=192.168.0.2,master3=192.168.0.3"}

func TestInit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kshalb")
	args := append([]string{"init", "--out", dir}, threeMasters...)
	if code, out, errs := said(t, args...); code != exitDone || !strings.Contains(out, "written") {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	file := filepath.Join(dir, "kshalb.yaml")
	if code, out, errs := said(t, "check", "--config", file); code != exitDone {
		t.Errorf("check: exit code %d, %s%s", code, out, errs)
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

func TestInitDryRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kshalb")
	code, out, errs := said(t, append([]string{"init", "--dry-run", "--out", dir}, threeMasters...)...)
	if code != exitDone || !strings.Contains(out, "address: 192.168.0.10 # --vip") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was written")
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
