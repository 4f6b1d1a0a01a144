package cli

import (
	"strings"
	"syscall"
	"testing"

	"github.com/kshalb/kshalb/internal/status"
)

// two backends at a bind address, without a VIP.
var twoBackends = []string{
	"vip: apiserver, port: 6443, backends: {peers: true, port: 6443}", "bind: 127.0.0.1, port: 7443, backends: {addresses: [127.0.0.1:6443, 192.168.0.1:6443]}",
	"vips: [{name: apiserver, address: 192.168.0.10}]\n", "",
}

// order is what status shows of the orders, one after the other.
func order(s status.Node) string {
	var all []string
	for _, b := range s.Listeners[0].Backends {
		if b.Order != nil {
			all = append(all, b.Address+" "+b.Order.What+" ("+b.Order.Why+")")
		}
	}
	return strings.Join(all, "; ")
}

// TestOrders: what is said about a backend holds, is shown, survives a kill and is
// undone.
func TestOrders(t *testing.T) {
	n := newNode(t)
	n.serve()
	p := n.run(twoBackends...)
	up := func(s status.Node) bool {
		return s.Listeners[0].Backends[0].State == "up" && s.Listeners[0].Backends[1].State == "up"
	}
	n.untilStatus(p, "both are up", up)
	n.tells("192.168.0.1:6443: drained\n", "drain", "192.168.0.1", "--why", "a new kernel")
	n.tells("192.168.0.1:6443: drained, weight 5\n", "weight", "192.168.0.1:6443", "5", "--why", "a new kernel")
	n.says(1, "kshalb: drain 127.0.0.1: it is the last backend that serves listener apiserver here; --force does it nevertheless\n", "drain", "127.0.0.1")
	n.says(1, "kshalb: drain 10.0.0.1: there is no such backend here; there are 127.0.0.1:6443, 192.168.0.1:6443\n", "drain", "10.0.0.1")
	n.says(1, "kshalb: undrain 127.0.0.1: there is no such order here; `kshalb status` shows those that there are\n", "undrain", "127.0.0.1")
	n.says(1, "kshalb: drain 127.0.0.1: there is no listener \"web\" with backends here\n", "drain", "127.0.0.1", "--listener", "web")
	n.says(2, "kshalb: weight: \"much\" is no weight; give 0 to 256, or default (see kshalb --help)\n", "weight", "127.0.0.1", "much")
	must(t, p.Kill())

	p = n.run(twoBackends...)
	n.untilStatus(p, "the order holds after a kill", func(s status.Node) bool {
		return up(s) && order(s) == "192.168.0.1:6443 drained, weight 5 (a new kernel)" && s.Listeners[0].Backends[1].Weight == 0
	})
	n.tells("192.168.0.1:6443: weight 5\n", "undrain", "192.168.0.1")
	n.tells("192.168.0.1:6443: as configured\n", "weight", "192.168.0.1", "default")
	n.tells("127.0.0.1:6443: in maintenance\n", "maintenance", "127.0.0.1")
	n.untilStatus(p, "one in maintenance is not asked", func(s status.Node) bool { return s.Listeners[0].Backends[0].State == "unknown" })
	n.tells("127.0.0.1:6443: as configured\n", "undrain", "127.0.0.1")
	n.untilStatus(p, "both are up again", func(s status.Node) bool { return up(s) && order(s) == "" })
	n.ends(p, syscall.SIGTERM, orderly)
}

// TestOrderOutlivesItsBackend: an order about a backend that is gone is shown, and can
// be undone.
func TestOrderOutlivesItsBackend(t *testing.T) {
	n := newNode(t)
	n.serve()
	p := n.run(twoBackends...)
	n.untilStatus(p, "both are up", func(s status.Node) bool {
		return s.Listeners[0].Backends[0].State == "up" && s.Listeners[0].Backends[1].State == "up"
	})
	n.tells("192.168.0.1:6443: drained\n", "drain", "192.168.0.1", "--listener", "apiserver")
	n.tells("192.168.0.1:6443: weight 5\n", "weight", "192.168.0.1", "5")
	n.untilStatus(p, "a weight undoes no drain", func(s status.Node) bool { return s.Listeners[0].Backends[1].Weight == 0 })
	n.ends(p, syscall.SIGTERM, orderly)

	p = n.run(append(twoBackends, "127.0.0.1:6443, 192.168.0.1:6443", "127.0.0.1:6443")...)
	n.untilStatus(p, "the orders wait", func(s status.Node) bool {
		return len(s.Orders) == 2 && s.Orders[0].What == "drained" && s.Orders[1].What == "weight 5" && order(s) == ""
	})
	n.says(1, "kshalb: drain 192.168.0.1:6443: there is no such backend here; there are 127.0.0.1:6443\n", "drain", "192.168.0.1:6443")
	n.says(1, "kshalb: undrain 192.168.0.1:6443: there is no such order (there is \"drained\" for listener apiserver alone, \"weight 5\" for all listeners)"+
		" here; `kshalb status` shows those that there are\n", "undrain", "192.168.0.1:6443")
	n.tells("192.168.0.1:6443: weight 5\n", "undrain", "192.168.0.1:6443", "--listener", "apiserver")
	n.tells("192.168.0.1:6443: as configured\n", "weight", "192.168.0.1:6443", "default")
	n.untilStatus(p, "none is left", func(s status.Node) bool { return len(s.Orders) == 0 })
	n.ends(p, syscall.SIGTERM, orderly)
}

// tells expects a command to succeed and to write one thing.
func (n *node) tells(want string, args ...string) {
	n.Helper()
	if code, stdout, stderr := n.ask(args...); code != 0 || stdout != want || stderr != "" {
		n.Errorf("%q: exit code %d, stdout %q, stderr %q, want %q", args, code, stdout, stderr, want)
	}
}
