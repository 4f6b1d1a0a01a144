package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/config"
)

var example = setting{
	Dir: "/dir", Balancer: netip.MustParseAddr("192.168.0.2"), Server: netip.MustParseAddr("192.168.0.3"),
	Ports: []uint16{7000, 7001}, CPUs: 2, Descriptors: 20000, Connections: 9800, Module: "/stream.so",
}

func TestConfigsRender(t *testing.T) {
	for name, lines := range map[string][]string{
		"haproxy-guide.cfg": {"bind 192.168.0.2:7001", "server master1 192.168.0.3:7000 check"},
		"haproxy-tuned.cfg": {"nbthread        2 ", "maxconn         9800 ", "bind 192.168.0.2:7000 shards"},
		"nginx.conf":        {"load_module /stream.so;", "worker_connections 20000;", "proxy_pass        192.168.0.3:7001;"},
	} {
		text, err := example.render(name)
		if err != nil {
			t.Error(err)
		}
		for _, line := range lines {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s has no %q:\n%s", name, line, text)
			}
		}
	}
	built := example
	built.Module = ""
	if text, err := built.render("nginx.conf"); err != nil || strings.Contains(string(text), "load_module") {
		t.Errorf("a module that is built in is loaded: %v\n%s", err, text)
	}
}

func TestKshalbReadsItsConfig(t *testing.T) {
	text, err := example.render("kshalb.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kshalb.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(file); err != nil {
		t.Error(err)
	}
}

func TestStreamModule(t *testing.T) {
	dir := t.TempDir()
	if module, err := streamModule("--with-stream --with-http_ssl_module"); err != nil || module != "" {
		t.Errorf("built in: %q, %v", module, err)
	}
	built := "--with-stream=dynamic --modules-path=" + dir
	if module, err := streamModule(built); err == nil {
		t.Errorf("a missing module is %q", module)
	}
	file := filepath.Join(dir, "ngx_stream_module.so")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if module, err := streamModule(built); err != nil || module != file {
		t.Errorf("%q, %v", module, err)
	}
}
