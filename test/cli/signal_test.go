package cli

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
)

// orderly is what an end may take, on a busy machine too.
const orderly = 3 * time.Second

func TestSignalsEndIt(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name+" at the start", func(t *testing.T) {
			n := newNode(t)
			p := n.run()
			n.until(p, "there is a socket", func() bool { _, err := os.Lstat(n.socket()); return err == nil })
			n.ends(p, signal, orderly)
		})
		t.Run(name+" while it looks for its peers", func(t *testing.T) {
			n := newNode(t)
			p := n.run("peers: [{name: m1, address: 192.168.0.1}]", threePeers)
			n.untilSays(p, "kshalb is running")
			n.ends(p, signal, orderly)
		})
		t.Run(name+" while it serves", func(t *testing.T) {
			n := newNode(t)
			n.serve()
			p := n.run()
			n.untilHolds(p)
			n.untilSays(p, "backend up")
			c, err := n.DialContext(n.ctx, "tcp", "192.168.0.10:6443")
			must(t, err)
			defer c.Close()
			n.ends(p, signal, orderly)
		})
	}
}

// ends sends a signal and expects an end in order, and in time.
func (n *node) ends(p *lab.Process, signal syscall.Signal, within time.Duration) {
	n.Helper()
	begin := time.Now()
	must(n.T, p.Signal(signal))
	must(n.T, p.Wait(n.ctx))
	if took := p.Ended().Sub(begin); p.State().ExitCode() != 0 || took > within {
		n.Errorf("%v after %v, want exit code 0 within %v:\n%s", p.State(), took, within, p.Tail(4000))
	}
	n.leftNothing()
}
