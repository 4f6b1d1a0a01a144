package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/drill"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
)

// near is by how much two clients' longest gaps may differ, in milliseconds: each
// asks every 20 ms, and the machine is busy.
const near = 400

// TestDrill: `kshalb drill` with a real watch, in front of real API servers, says what
// somebody on another host has seen.
func TestDrill(t *testing.T) {
	p := startAs(t, ours{}, cluster.Options{Supervised: true})
	for _, m := range p.Masters {
		labtest.Background(t, m.Supervise)
	}
	outside := p.Traffic("/readyz")
	labtest.Background(t, outside.Run)
	observer, err := p.Lab.Watch(p.VIP)
	must(t, err)
	held := holder(t, p)
	here := p.Masters[0]
	if here.Name() == held {
		here = p.Masters[1]
	}
	begun := time.Now()
	r := p.drill(t, here)
	saw := outside.Summary(begun, time.Now())
	longest := int64(0)
	for _, round := range r.Rounds {
		t.Logf("%s, from %s to %s: new %+v; kept %+v; watch %+v; wire %+v; %q", round.Kind, round.Struck, round.Taken, round.Fresh, round.Kept, round.Watch, round.Wire, round.Faults)
		if round.Fresh.Requests < 50 || round.Watch.Broken == 0 || round.Wire.Questions < 50 || round.Wire.Doubles > 0 {
			t.Errorf("%s: %+v", round.Kind, round)
		}
		longest = max(longest, round.Fresh.Gap)
	}
	t.Logf("longest gap %v from outside, %d ms in the report", saw.Gap, longest)
	if got := saw.Gap.Milliseconds(); got > longest+near || longest > got+near {
		t.Errorf("longest gap %d ms from outside, %d ms in the report", got, longest)
	}
	last, err := observer.WaitOwner(labtest.Context(t, bound), time.Now()) // it was given back a moment ago
	must(t, err)
	if len(r.Rounds) != len(drill.Kinds()) || !r.Restored || !r.RealWatch || last.Host != held {
		t.Errorf("the report is %+v; %s had the address", r, held)
	}
	labtest.OneOwner(t, observer)
}

// drill runs the command on a master. It may find that a bound was not kept: the
// machine is busy.
func (p *controlPlane) drill(t *testing.T, on *cluster.Master) (r drill.Report) {
	t.Helper()
	out := filepath.Join(on.Dir(), "drill.json")
	d, err := on.Host.Start(lab.Spec{Name: "drill", Path: "/bin/sh", Args: []string{"-c", `out=$1; shift; exec "$@" > "$out"`, "sh", out,
		kshalb, "drill", "--yes", "-o", "json", "--config", on.ConfigFile(), "--kubeconfig", p.kubeconfig(t), "--hold", "3s"}})
	must(t, err)
	must(t, d.Wait(labtest.Context(t, startup)))
	if code := d.State().ExitCode(); code != 0 && code != 3 {
		t.Fatalf("exit code %d; it says:\n%s", code, d.Tail(4000))
	}
	text, err := os.ReadFile(out)
	must(t, err)
	must(t, json.Unmarshal(text, &r))
	return r
}

// kubeconfig is kubernetes-admin's, as kubeadm's admin.conf.
func (p *controlPlane) kubeconfig(t *testing.T) string {
	t.Helper()
	admin, err := p.CA.Issue(pki.Names{CommonName: "kubernetes-admin", Organizations: []string{"system:masters"}})
	must(t, err)
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: admin
contexts:
- {name: admin, context: {cluster: kubernetes, user: admin}}
clusters:
- {name: kubernetes, cluster: {server: "https://%s:%d", certificate-authority-data: %s}}
users:
- {name: admin, user: {client-certificate-data: %s, client-key-data: %s}}
`, cluster.Name, cluster.Port, b64(p.CA.PEM), b64(admin.Cert), b64(admin.Key))
	file := filepath.Join(p.Lab.Dir(), "admin.conf")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}
