package yamlnode

import (
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
)

func TestWord(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    `""`,
		"internalAddress":                     "internalAddress",
		"password:hunter2":                    "password…",
		"password = hunter2":                  "password…",
		"\nhunter2":                           "…",
		strings.Repeat("x", 100):              strings.Repeat("x", 64) + "…",
		"node-role.kubernetes.io/master":      "node-role.kubernetes.io/master",
		"лозинка":                             "…",
		"vip_arp":                             "vip_arp",
		"-----BEGIN PRIVATE KEY-----\nhunter": "-----BEGIN…",
	} {
		if got := Word(text); got != want {
			t.Errorf("Word(%q) = %q, not %q", text, got, want)
		}
	}
	var many []string
	for i := range 20 {
		many = append(many, strings.Repeat("k", i+1))
	}
	if got := Words(append(many, many...)); strings.Count(got, ",") != maxWords || !strings.HasSuffix(got, ", …") {
		t.Errorf("Words gives %q", got)
	}
}

func TestShown(t *testing.T) {
	for text, want := range map[string]string{
		"":                       `""`,
		"10.0.0.1":               `"10.0.0.1"`,
		"node[2:10]":             `"node[2:10]"`,
		"two words":              "a text that is not shown",
		"a\nb":                   "a text that is not shown",
		strings.Repeat("x", 100): "a text that is not shown",
	} {
		if got := Shown(Text(text, plan.Source{})); got != want {
			t.Errorf("Shown(%q) = %q, not %q", text, got, want)
		}
	}
	if got := Shown(Node{}); got != "nothing" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestNear(t *testing.T) {
	known := []string{"internalAddress", "address", "port", "user"}
	for word, want := range map[string]string{
		"internalAdress": "internalAddress", "InternalAddress": "internalAddress", "ports": "port", "prt": "port",
		"labels": "", "x": "", "": "", strings.Repeat("a", 1000): "",
	} {
		if got := Near(word, known); got != want {
			t.Errorf("Near(%q) = %q, not %q", word, got, want)
		}
	}
}

func TestValues(t *testing.T) {
	for text, want := range map[string]int{"6443": 6443, "1": 1, "65535": 65535, "0": 0, "65536": 0, "+80": 0, "080": 0, "0x50": 0, "": 0, "80 ": 80} {
		if got, ok := Port(Text(text, plan.Source{})); ok != (want != 0) || ok && got != want {
			t.Errorf("Port(%q) = %d, %v", text, got, ok)
		}
	}
	for text, want := range map[string]string{"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "fe80::1%eth0": "", "10.0.0.1/32": "", "a": ""} {
		if got, ok := Addr(text); ok != (want != "") || ok && got.String() != want {
			t.Errorf("Addr(%q) = %s, %v", text, got, ok)
		}
	}
	for text, want := range map[string]bool{"lb.kubesphere.local": true, "lb": true, "lb.local.": true, "10.0.0.1": false, "::1": false, "1.2.3": false, "a_b": false, "-a": false, "a b": false, "": false, strings.Repeat("a.", 200) + "a": false} {
		if got := IsDomain(text); got != want {
			t.Errorf("IsDomain(%q) = %v", text, got)
		}
	}
	for text, want := range map[string]bool{"10.0.0.1": true, "127.0.0.1": false, "0.0.0.0": false, "224.0.0.18": false, "fd00::1": true, "fe80::1": false, "255.255.255.255": false} {
		a, _ := Addr(text)
		if got := Floats(a); got != want {
			t.Errorf("Floats(%s) = %v", text, got)
		}
	}
}
