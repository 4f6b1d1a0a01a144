package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
)

// TestObstacles: what keeps kshalb from starting is one line that says what to
// do, the exit code is 1, and nothing is left.
func TestObstacles(t *testing.T) {
	for name, test := range map[string]struct {
		run  func(*node) *lab.Process
		want []string // in the line
	}{
		"the private port of a VIP is taken": {
			func(n *node) *lab.Process { n.take("0.0.0.0:26443"); return n.run() },
			[]string{"kshalb: listener apiserver: listen on 192.168.0.10:26443: address already in use", "(process", "write another privatePort"},
		},
		"the port of a listener is taken": {
			func(n *node) *lab.Process {
				n.take("127.0.0.1:6443")
				return n.run("vip: apiserver,", "bind: 127.0.0.1,", "vips: [{name: apiserver, address: 192.168.0.10}]\n", "")
			},
			[]string{"kshalb: listener apiserver: listen on 127.0.0.1:6443: address already in use", "choose another port"},
		},
		"the gossip port is taken": {
			func(n *node) *lab.Process { n.take("192.168.0.1:7946"); return n.run() },
			[]string{"kshalb: open gossip on 192.168.0.1:7946: ", "address already in use", "cluster.gossip.port"},
		},
		"the admin port is taken": {
			func(n *node) *lab.Process { n.take("127.0.0.1:9446"); return n.run() },
			[]string{"kshalb: open the admin address 127.0.0.1:9446: address already in use (admin.http sets another)"},
		},
		"the interface is missing": {
			func(n *node) *lab.Process {
				return n.run("address: 192.168.0.10", "address: 192.168.0.10, interface: nosuch0")
			},
			[]string{"kshalb: VIP apiserver: look up nosuch0: the interface does not exist", "ip link lists them"},
		},
		"this node is not among the peers": {
			func(n *node) *lab.Process { return n.run("address: 192.168.0.1}", "address: 192.168.0.9}") },
			[]string{"kshalb: find this node among the peers: its addresses are ", "m1 (192.168.0.9)", "--node NAME"},
		},
		"the named node is not among the peers": {
			func(n *node) *lab.Process {
				return n.start(lab.Spec{Path: binary, Args: append(n.args(), "--node", "m7")})
			},
			[]string{`kshalb: find node "m7" among the peers: `, "m1 (192.168.0.1)"},
		},
		"others may read the key": {
			func(n *node) *lab.Process {
				args := n.args()
				must(n.T, os.Chmod(n.key(), 0o644))
				return n.start(lab.Spec{Path: binary, Args: args})
			},
			[]string{"kshalb: read gossip keys: ", "has mode 0644, so others may use it; run: chmod 600 "},
		},
		"there is no key": {
			func(n *node) *lab.Process {
				args := n.args()
				must(n.T, os.Remove(n.key()))
				return n.start(lab.Spec{Path: binary, Args: args})
			},
			[]string{"kshalb: read gossip keys: ", "make one with: "},
		},
		"CAP_NET_ADMIN is missing": {
			func(n *node) *lab.Process { return n.runWithout(unix.CAP_NET_ADMIN) },
			[]string{"kshalb: this process lacks CAP_NET_ADMIN (to add the VIP and its redirect): run it as root"},
		},
		"two capabilities are missing": {
			func(n *node) *lab.Process { return n.runWithout(unix.CAP_NET_ADMIN, unix.CAP_NET_RAW) },
			[]string{"kshalb: this process lacks CAP_NET_ADMIN (to add the VIP and its redirect) and CAP_NET_RAW (to announce the VIP by ARP): run"},
		},
		"the socket's path is a file": {
			func(n *node) *lab.Process {
				must(n.T, os.WriteFile(n.Dir()+"/file", nil, 0o600))
				return n.run("SOCKET", n.Dir()+"/file")
			},
			[]string{"kshalb: open the admin socket ", "/file: the path exists and is not a socket (admin.socket sets another)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			p := test.run(n)
			must(t, p.Wait(n.ctx))
			out := p.Tail(4000)
			for _, want := range test.want {
				if !strings.Contains(out, want) {
					t.Errorf("the output is\n%swant %q", out, want)
				}
			}
			if strings.Count(out, "\n") != 1 || p.State().ExitCode() != 1 {
				t.Errorf("%v, want exit code 1 and one line:\n%s", p.State(), out)
			}
			n.leftNothing()
		})
	}
}

// runWithout runs kshalb without capabilities.
func (n *node) runWithout(caps ...int) *lab.Process {
	n.Helper()
	return n.runArgsWithout(n.args(), caps...)
}

func (n *node) runArgsWithout(args []string, caps ...int) *lab.Process {
	n.Helper()
	self, err := os.Executable()
	must(n.T, err)
	return n.start(lab.Spec{
		Path: self, Args: append([]string{binary}, args...),
		Env: []string{drop + "=" + strings.Trim(fmt.Sprint(caps), "[]")},
	})
}

// A second kshalb takes nothing from the first one.
func TestSecondIsRefused(t *testing.T) {
	n := newNode(t)
	n.serve()
	first := n.run()
	n.untilHolds(first)
	args := n.args()
	second, err := n.Start(lab.Spec{Name: "second", Path: binary, Args: args})
	must(t, err)
	must(t, second.Wait(n.ctx))
	if has, err := n.Has(vip); !has || err != nil {
		t.Errorf("the first one's address is gone: %v", err)
	}
	out := second.Tail(4000)
	if second.State().ExitCode() != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "address already in use (admin.http sets another)") {
		t.Errorf("%v:\n%s", second.State(), out)
	}
	must(t, first.Stop(n.ctx))
	n.leftNothing()
}
