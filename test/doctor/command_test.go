package doctor

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/doctor"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
)

// command runs `kshalb doctor` on a master, and gives what it found and its exit
// code.
func (w *ward) command(m *cluster.Master, config string) (found []doctor.Finding, code int) {
	w.Helper()
	p, err := m.Host.Start(lab.Spec{
		Name: fmt.Sprintf("doctor%d", time.Now().UnixNano()), Path: binary,
		Args: []string{"doctor", "-o", "json", "--config", config, "--node", m.Name(), "--socket", m.Socket()},
	})
	must(w.T, err)
	select {
	case <-p.Done():
	case <-labtest.Context(w.T, limit).Done():
		w.Fatal("the doctor does not come to an end")
	}
	text := p.Tail(1 << 20)
	var all struct{ Findings []doctor.Finding }
	if err := json.Unmarshal([]byte(text[max(strings.Index(text, "{"), 0):]), &all); err != nil {
		w.Fatalf("%v in:\n%s", err, text)
	}
	return all.Findings, p.State().ExitCode()
}

// nodes are those of which something was seen in a topic.
func nodes(found []doctor.Finding, topic string) (names []string) {
	for _, f := range found {
		if f.Topic == topic && f.Level != doctor.Unseen && !slices.Contains(names, f.Node) {
			names = append(names, f.Node)
		}
	}
	return names
}

// TestCommand: the command asks the peers of the kshalb that runs here, says which
// of them it could not ask, and finds a VIP that cannot be anywhere.
func TestCommand(t *testing.T) {
	t.Parallel()
	w := newWard(t, cluster.Options{})
	for _, m := range w.Masters {
		w.serve(m)
		must(t, m.Start())
	}
	first, last := w.Masters[0], w.Masters[2]
	must(t, w.WaitReady(labtest.Context(t, limit)))
	must(t, first.WaitStatus(labtest.Context(t, limit), allAlive))
	found, _ := w.command(first, first.ConfigFile())
	for _, topic := range []string{"configuration", "answers", "gossip", "port"} {
		if got := nodes(found, topic); len(got) != len(w.Masters) {
			t.Errorf("%s was seen of %v", topic, got)
		}
	}
	for _, f := range found {
		if slices.Contains([]string{"configuration", "answers", "gossip", "port", "peers"}, f.Topic) && f.Level != doctor.Fine {
			t.Errorf("of masters that are well: %+v", f)
		}
	}

	must(t, last.Kshalb().Kill())
	text, err := os.ReadFile(first.ConfigFile())
	must(t, err)
	far := first.ConfigFile() + ".far"
	must(t, os.WriteFile(far, []byte(strings.ReplaceAll(string(text), w.VIP.String(), "10.99.0.10")), 0o600))
	found, code := w.command(first, far)
	if code != 3 {
		t.Errorf("exit code %d with a VIP of another network, want 3", code)
	}
	if !slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Topic == "peers" && f.Node == last.Name() && f.Level == doctor.Unseen
	}) {
		t.Errorf("nothing was said of %s, which cannot be asked", last.Name())
	}
	if found[0].Level != doctor.Fault {
		t.Errorf("the first is %+v", found[0])
	}
}

func allAlive(n status.Node) error {
	for _, p := range n.Peers {
		if p.State != "self" && p.State != "alive" {
			return fmt.Errorf("%s is %s", p.Name, p.State)
		}
	}
	return nil
}
