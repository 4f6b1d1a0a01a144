// Package systemd holds the unit beside it against the static pod and the defaults of
// the configuration, which say the same in other words.
package systemd

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/state"
)

const unitFile = "kshalb.service"

// unit are the settings of the unit, by their names; all of them stand there once.
func unit(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := make(map[string]string)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, is := strings.Cut(lines.Text(), "="); is && !strings.HasPrefix(name, "#") {
			if _, twice := all[name]; twice {
				t.Errorf("%s stands there twice", name)
			}
			all[name] = value
		}
	}
	return all
}

// pod is what the static pod of a master says of the same.
type pod struct {
	Spec struct {
		Grace      int `yaml:"terminationGracePeriodSeconds"`
		Containers []struct {
			Security struct {
				Capabilities struct{ Add []string }
			} `yaml:"securityContext"`
		}
	}
}

func TestAsTheStaticPod(t *testing.T) {
	data, err := os.ReadFile("../static-pods/master.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p pod
	if err := yaml.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	u := unit(t)
	var may []string
	for _, c := range p.Spec.Containers[0].Security.Capabilities.Add {
		may = append(may, "CAP_"+c)
	}
	if got := strings.Fields(u["CapabilityBoundingSet"]); len(may) == 0 || !slices.Equal(got, may) {
		t.Errorf("the unit may %q, the static pod %q", got, may)
	}
	if got, err := time.ParseDuration(u["TimeoutStopSec"]); err != nil || got != time.Duration(p.Spec.Grace)*time.Second {
		t.Errorf("TimeoutStopSec=%s, the static pod has %d s", u["TimeoutStopSec"], p.Spec.Grace)
	}
}

func TestPlaces(t *testing.T) {
	cfg, err := config.Parse("reference.yaml", []byte(config.Reference))
	if err != nil {
		t.Fatal(err)
	}
	u := unit(t)
	for name, want := range map[string]string{
		"RuntimeDirectory": strings.TrimPrefix(filepath.Dir(cfg.Admin.Socket), "/run/"),
		"StateDirectory":   strings.TrimPrefix(string(state.Default), "/var/lib/"),
	} {
		if u[name] != want {
			t.Errorf("%s=%s, the default is %s", name, u[name], want)
		}
	}
}

// TestVerify has systemd itself read the unit.
func TestVerify(t *testing.T) {
	const program = "systemd-analyze"
	if _, err := exec.LookPath(program); errors.Is(err, exec.ErrNotFound) {
		t.Skip(err)
	}
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable() // kshalb need not be installed here
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), unitFile)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/kshalb", self)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), program, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
