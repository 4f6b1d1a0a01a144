package kube

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/importer/plan"
	"github.com/kshalb/kshalb/internal/importer/yamlnode"
)

func parse(t *testing.T, text string) yamlnode.Node {
	t.Helper()
	docs, err := yamlnode.Documents(plan.File{Name: "f", Data: []byte(text)})
	if err != nil || len(docs) != 1 {
		t.Fatalf("%v, %d documents", err, len(docs))
	}
	return docs[0]
}

// TestArgs: the same arguments in all three forms, at their lines.
func TestArgs(t *testing.T) {
	for _, text := range []string{
		"secure-port: 7443\ngoaway-chance: \"0.1\"\n",
		"- secure-port=7443\n- --goaway-chance=0.1\n",
		"- {name: secure-port, value: \"7443\"}\n- {name: goaway-chance, value: 0.1}\n",
	} {
		var got []string
		for _, a := range Args(parse(t, text)) {
			got = append(got, fmt.Sprintf("%s %s:%s", a.At, a.Name, a.Text))
		}
		if want := "f:1 secure-port:7443 f:2 goaway-chance:0.1"; strings.Join(got, " ") != want {
			t.Errorf("%q gives %v", text, got)
		}
	}
}

func TestCarry(t *testing.T) {
	p := plan.Plan{Listeners: make([]plan.Listener, 1)}
	Carry(&p, Args(parse(t, "secure-port: 7443\nanonymous-auth: false\ntoken: hunter2\nbind-address: \"::1\"\n")), "args")
	l := p.Listeners[0]
	if l.PeersPort.V != 7443 || fmt.Sprint(l.Check.Expect.V) != "[200 401]" {
		t.Errorf("got %+v", l)
	}
	var levels []string
	for _, n := range p.Notes {
		levels = append(levels, fmt.Sprintf("%d %s %s", n.At.Line, n.Level, n.What))
	}
	if got, want := strings.Join(levels, "; "), "2 changed args anonymous-auth; 4 fault args bind-address; 3 needless args: token"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "", 2: "me", 3: "", 4: "me", 7: "", 8: "me", 9: "m"} {
		var masters, etcd plan.Plan
		Masters(&masters, plan.Source{File: "f"}, "x", n)
		Even(&etcd, plan.Source{File: "f"}, "x", n)
		if got := strings.Repeat("m", len(masters.Notes)) + strings.Repeat("e", len(etcd.Notes)); got != want {
			t.Errorf("%d: %q, not %q", n, got, want)
		}
	}
}

func TestNetworks(t *testing.T) {
	p := plan.Plan{VIPs: []plan.VIP{{Address: plan.Of(netip.MustParseAddr("10.1.2.3"), plan.Source{File: "f"})}}}
	Networks(&p, parse(t, "- fd00::/8,10.1.0.0/16\n- what\n- 10.2.0.0/16\n- {a: b}\n"), "net")
	if len(p.Notes) != 1 || p.Notes[0].Level != plan.Fault || !strings.Contains(p.Notes[0].What, "10.1.0.0/16") {
		t.Errorf("got %v", p.Notes)
	}
}
