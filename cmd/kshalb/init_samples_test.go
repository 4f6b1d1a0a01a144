package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitSamples: one sample of each kind, from its files to a configuration that
// check takes; a second time nothing changes, and nothing is written over.
func TestInitSamples(t *testing.T) {
	hand := []string{"--vip", "192.0.2.250", "--masters", "192.0.2.1,192.0.2.2,192.0.2.3"}
	for name, args := range map[string][]string{
		"hosts.ini":  {"ansible/testdata/kubesphere-2.1/hosts.ini", "ansible/testdata/kubesphere-2.1/common.yaml"},
		"secrets":    append([]string{"ansible/testdata/secrets/hosts.ini", "hosts.ini=ansible/testdata/secrets/vars.yml"}, hand...),
		"YAML":       {"ansible/testdata/kubespray-yaml/hosts.yaml"},
		"kubekey":    append([]string{"kubekey/testdata/haproxy/config.yaml"}, hand...),
		"kubeadm":    append([]string{"kubeadm/testdata/stacked/kubeadm.yaml"}, hand...),
		"kube-vip":   append([]string{"kubevip/testdata/arp/kube-vip.yaml"}, hand...),
		"haproxy":    append([]string{"haproxy/testdata/kubeadm/haproxy.cfg"}, hand...),
		"keepalived": append([]string{"keepalived/testdata/include/keepalived.conf"}, hand...),
	} {
		t.Run(name, func(t *testing.T) { initSample(t, args) })
	}
}

func initSample(t *testing.T, args []string) {
	for i, a := range args {
		kind, file, told := strings.Cut(a, "=")
		switch {
		case told && strings.Contains(file, "/testdata/"):
			args[i] = kind + "=" + filepath.Join("../../internal/importer", file)
		case strings.Contains(a, "/testdata/"):
			args[i] = filepath.Join("../../internal/importer", a)
		}
	}
	dir := t.TempDir()
	args = append([]string{"init", "--out", dir}, args...)
	code, out, errs := said(t, args...)
	if code != exitDone {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	text := written(t, dir)
	for _, part := range []string{out, errs, text} {
		if strings.Contains(part, "pl4nted") {
			t.Errorf("a password is told:\n%s", part)
		}
	}
	if code, out, errs := said(t, "check", "--config", filepath.Join(dir, "kshalb.yaml")); code != exitDone {
		t.Errorf("check: exit code %d, %s%s\n%s", code, out, errs, text)
	}
	if code, out, _ := said(t, args...); code != exitDone || !strings.Contains(out, "unchanged") {
		t.Errorf("the second time: exit code %d, %s", code, out)
	}
	own := []byte("somebody's own\n")
	if err := os.WriteFile(filepath.Join(dir, "kshalb.yaml"), own, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := said(t, args...); code != exitFailed || written(t, dir) != string(own) {
		t.Errorf("over another file: exit code %d, %s", code, errs)
	}
}

func written(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "kshalb.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
