package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/status"
)

func (n *node) stateFile() string { return filepath.Join(n.state(), "state.json") }

func (n *node) writeState(text string) {
	n.Helper()
	must(n.T, os.MkdirAll(n.state(), 0o700))
	must(n.T, os.WriteFile(n.stateFile(), []byte(text), 0o600))
}

// refused expects one line and exit code 1.
func (n *node) refused(p *lab.Process, wants ...string) {
	n.Helper()
	must(n.T, p.Wait(n.ctx))
	out := p.Tail(4000)
	if p.State().ExitCode() != 1 || strings.Count(out, "\n") != 1 {
		n.Errorf("%v, want exit code 1 and one line:\n%s", p.State(), out)
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			n.Errorf("the output is\n%swant %q", out, want)
		}
	}
	n.leftNothing()
}

// TestState: what a holder has written is held against the next start.
func TestState(t *testing.T) {
	t.Parallel() // it waits for the end of a silence
	n := newNode(t)
	n.serve()
	p := n.run()
	n.untilHolds(p)
	n.until(p, "it has written its state", func() bool { _, err := os.Stat(n.stateFile()); return err == nil })
	n.ends(p, syscall.SIGTERM, orderly)
	text, err := os.ReadFile(n.stateFile())
	if want := `{"voters":["m1"],"bootstrapped":true}` + "\n"; string(text) != want || err != nil {
		t.Errorf("%q, %v, want %q", text, err, want)
	}
	info, err := os.Stat(n.state())
	if err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("the folder: %v, %v", info.Mode(), err)
	}
}

func TestStateOfOtherVoters(t *testing.T) {
	n := newNode(t)
	n.writeState(`{"voters":["m1"],"bootstrapped":true}`)
	n.refused(n.run("peers: [{name: m1, address: 192.168.0.1}]", threePeers),
		"adds [\"m2\" \"m3\"] and removes []; "+n.stateFile()+` has the last ones, ["m1"]: `,
		"change cluster.peers by one node at a time, or stop kshalb on ALL nodes and delete that file")
}

func TestDamagedState(t *testing.T) {
	n := newNode(t)
	n.writeState(`{"voters":["m1"`)
	n.refused(n.run(), "kshalb: read the state: "+n.stateFile()+" is damaged (unexpected EOF): remove cluster.bootstrap")
}

func TestNoStateWithoutVIP(t *testing.T) {
	n := newNode(t)
	p := n.run("vip: apiserver,", "bind: 127.0.0.1,", "vips: [{name: apiserver, address: 192.168.0.10}]\n", "")
	n.untilSays(p, "kshalb is running")
	n.ends(p, syscall.SIGTERM, orderly)
	if _, err := os.Stat(n.state()); err == nil {
		t.Error("it made a state folder that it does not need")
	}
}

const (
	gossip     = "  gossip: "
	bootstraps = "  bootstrap: m1\n  gossip: "
)

// TestBootstrap: one of three holds alone, and never again once a majority has
// been seen.
func TestBootstrap(t *testing.T) {
	t.Parallel() // it waits for the end of a silence
	const onlyPeer = "peers: [{name: m1, address: 192.168.0.1}]"
	n := newNode(t)
	n.serve()
	p := n.run(onlyPeer, threePeers, gossip, bootstraps)
	n.untilHolds(p)
	n.ends(p, syscall.SIGTERM, orderly)
	if text, err := os.ReadFile(n.stateFile()); err != nil || strings.Contains(string(text), "true") {
		t.Errorf("a node that held alone has seen no majority: %s, %v", text, err)
	}

	n.writeState(`{"voters":["m1","m2","m3"],"bootstrapped":true}`)
	p = n.run(onlyPeer, threePeers, gossip, bootstraps)
	n.untilStatus(p, "it has asked in vain", func(s status.Node) bool { return s.VIPs[0].Reason == "no majority answered" })
	if has, err := n.Has(vip); has || err != nil {
		t.Errorf("it holds without a majority: %v", err)
	}
	n.ends(p, syscall.SIGTERM, orderly)
}

// A state folder that can't be written is needed with a bootstrap node only.
func TestStateFolderMissing(t *testing.T) {
	n := newNode(t)
	args := append(n.args(gossip, bootstraps), "--state", "/proc/kshalb")
	n.refused(n.start(lab.Spec{Path: binary, Args: args}),
		"kshalb: use the state folder /proc/kshalb: ", "cluster.bootstrap needs a folder that can be written; --state DIR names another")

	n = newNode(t)
	args = append(n.args(), "--state", "/proc/kshalb")
	p := n.start(lab.Spec{Path: binary, Args: args})
	n.untilSays(p, "will not remember the voters after a restart")
	n.ends(p, syscall.SIGTERM, orderly)
}

// TestWitness: it votes and serves its own listeners; of the VIP it needs
// nothing, neither an interface nor a capability.
func TestWitness(t *testing.T) {
	t.Parallel() // it waits for the end of a silence
	n := newNode(t)
	n.serve()
	p := n.runArgsWithout(n.args(
		"peers: [{name: m1, address: 192.168.0.1}]", "peers: [{name: m1, address: 192.168.0.1, witness: true}, {name: m2, address: 192.168.0.2}]",
		"192.168.0.10}", "192.168.0.10, interface: nosuch0}",
		"listeners:\n", "listeners:\n- {name: local, bind: 127.0.0.1, port: 443, backends: {addresses: [\"192.168.0.1:6443\"]}, check: {type: tcp}}\n",
	), unix.CAP_NET_ADMIN, unix.CAP_NET_RAW)
	n.untilSays(p, "backend up")
	c, err := n.DialContext(n.ctx, "tcp", "127.0.0.1:443")
	must(t, err)
	c.Close()
	if c, err := n.DialContext(n.ctx, "tcp", "192.168.0.10:26443"); err == nil {
		c.Close()
		t.Error("a listener of the VIP is open")
	}
	n.untilStatus(p, "it votes", func(s status.Node) bool { return s.VIPs[0].State == "witness" && s.Ready })
	n.says(1, "kshalb: hand over: m1 holds nothing: apiserver has no holder that it knows of; --vip names one that another node holds\n", "handover")
	n.ends(p, syscall.SIGTERM, orderly)
}
