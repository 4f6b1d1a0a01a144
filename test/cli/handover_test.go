package cli

import (
	"syscall"
	"testing"

	"github.com/kshalb/kshalb/internal/status"
)

func holding(s status.Node) bool { return s.VIPs[0].State == "holding" }

// TestHandoverErrors: where a handover can't be, the reason is one line and the
// address stays.
func TestHandoverErrors(t *testing.T) {
	t.Parallel() // it waits for the end of a silence
	n := newNode(t)
	n.serve()
	p := n.run()
	n.untilSays(p, "kshalb is running")
	n.says(1, "kshalb: hand over: m1 holds nothing: apiserver has no holder that it knows of; --vip names one that another node holds\n", "handover")
	n.untilStatus(p, "it holds the VIP", holding)
	n.says(1, "kshalb: hand apiserver over: no other node could take it now; kshalb status shows the peers\n", "handover")
	n.says(1, "kshalb: hand apiserver over: m1 holds it already\n", "handover", "m1")
	n.says(1, "kshalb: hand apiserver over: m9 is not among those that may hold it, [\"m1\"]\n", "handover", "m9", "--vip", "apiserver")
	n.says(1, "kshalb: hand web over: there is no such VIP here\n", "handover", "--vip", "web")
	n.says(2, "kshalb: accepts at most 1 arg(s), received 2 (see kshalb --help)\n", "handover", "m1", "m2")
	n.untilStatus(p, "it holds the VIP still", holding)
	n.ends(p, syscall.SIGTERM, orderly)
}

func TestHandoverWithoutVIP(t *testing.T) {
	n := newNode(t)
	p := n.run("vip: apiserver,", "bind: 127.0.0.1,", "vips: [{name: apiserver, address: 192.168.0.10}]\n", "")
	n.untilSays(p, "kshalb is running")
	n.says(1, "kshalb: hand over: this kshalb has no VIP\n", "handover")
	n.ends(p, syscall.SIGTERM, orderly)
}
