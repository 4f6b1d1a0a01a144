package keepalived

import (
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                      false,
		"! nothing\n":                           false,
		"global_defs {\n}\n":                    true,
		"# x\n\nvrrp_instance A\n{\n}\n":        true,
		"@a global_defs {\n}\n":                 false, // of no host that is known
		"$A=1\nvirtual_server 1.2.3.4 5 {}":     true,
		"net_namespace x\nvrrp_script a {\n}\n": true,
		"global_defs\n":                         false,
		"global\n  log stdout\ndefaults\n  mode tcp\n":           false,
		"apiVersion: v1\ndata:\n  k: |\n    vrrp_instance A {\n": false,
		"#!/bin/sh\ncat <<EOF\nvrrp_instance A {\n}\nEOF\n":      false,
		"[kube-master]\nmaster1 ip=10.0.0.1\n":                   false,
		"server {\n listen 80;\n}\n":                             false,
		"include conf.d/*.conf\n":                                false,
		"vrrp_instance A {\n\x00}\n":                             false,
	} {
		if got := Is(plan.File{Name: "some.conf", Data: []byte(text)}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if !Is(plan.File{Name: "/etc/keepalived/keepalived.conf", Data: []byte("! all is elsewhere\ninclude conf.d/*.conf\n")}) {
		t.Error("a keepalived.conf of includes alone is none")
	}
}
