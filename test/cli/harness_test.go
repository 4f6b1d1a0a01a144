package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
)

// binary is the path of kshalb, built by TestMain.
var binary string

// drop is the variable that makes this test program run kshalb without some
// capabilities: their numbers.
const drop = "KSHALB_TEST_DROP"

func TestMain(m *testing.M) {
	if caps := os.Getenv(drop); caps != "" {
		fmt.Fprintln(os.Stderr, runWithout(caps, os.Args[1:]))
		os.Exit(99)
	}
	labtest.Main(m, labtest.Build("cmd/kshalb", &binary))
}

// runWithout becomes the program of args, without capabilities that root has.
// It returns only when it fails.
func runWithout(caps string, args []string) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &data[0]); err != nil {
		return err
	}
	for field := range strings.FieldsSeq(caps) {
		var number uintptr
		if _, err := fmt.Sscan(field, &number); err != nil {
			return err
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, number, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", number, err)
		}
	}
	return syscall.Exec(args[0], args, os.Environ())
}

const (
	limit = 20 * time.Second // of what takes a moment, on a busy machine
	port  = 6443
)

// vip is the same on all hosts: each is a cluster of its own.
var vip = netip.MustParseAddr("192.168.0.10")

// node is a host on which kshalb runs.
type node struct {
	*testing.T
	*lab.Host

	ctx context.Context
}

func newNode(t *testing.T) *node {
	t.Helper()
	h, err := labtest.New(t).AddHost("m1", netip.MustParsePrefix("192.168.0.1/24"))
	must(t, err)
	n := &node{t, h, labtest.Context(t, 3*limit)}
	n.awaitCarrier()
	return n
}

// awaitCarrier polls: on a busy machine the kernel brings a new link up a little
// after it was told to, and kshalb would point that out.
func (n *node) awaitCarrier() {
	n.Helper()
	running := false
	for !running && n.ctx.Err() == nil {
		must(n.T, n.Do(func() error {
			eth0, err := net.InterfaceByName("eth0")
			running = err == nil && eth0.Flags&net.FlagRunning != 0
			return err
		}))
		runtime.Gosched()
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (n *node) socket() string { return filepath.Join(n.Dir(), "run", "kshalb.sock") }
func (n *node) state() string  { return filepath.Join(n.Dir(), "state") }
func (n *node) key() string    { return filepath.Join(n.Dir(), "gossip.key") }

const configText = `version: 1
cluster:
  peers: [{name: m1, address: 192.168.0.1}]
  gossip: {keyFile: KEY}
vips: [{name: apiserver, address: 192.168.0.10}]
listeners:
- {name: apiserver, vip: apiserver, port: 6443, backends: {peers: true, port: 6443}, check: {type: tcp}}
admin: {socket: SOCKET}
`

const threePeers = "peers: [{name: m1, address: 192.168.0.1}, {name: m2, address: 192.168.0.2}, {name: m3, address: 192.168.0.3}]"

// run starts kshalb with the configuration of a cluster of one, changed by pairs
// of an old and a new text.
func (n *node) run(changes ...string) *lab.Process {
	n.Helper()
	return n.start(lab.Spec{Path: binary, Args: n.args(changes...)})
}

func (n *node) args(changes ...string) []string {
	n.Helper()
	return []string{"run", "--watch=false", "--config", n.write(changes...), "--state", n.state()}
}

// write writes the configuration, changed by pairs of an old and a new text.
func (n *node) write(changes ...string) (file string) {
	n.Helper()
	text := configText
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			n.Fatalf("the configuration has no %q", changes[i])
		}
		text = strings.ReplaceAll(text, changes[i], changes[i+1])
	}
	text = strings.NewReplacer("KEY", n.key(), "SOCKET", n.socket()).Replace(text)
	file = filepath.Join(n.Dir(), "kshalb.yaml")
	must(n.T, os.WriteFile(file, []byte(text), 0o600))
	if _, err := os.Stat(n.key()); err != nil {
		must(n.T, os.WriteFile(n.key(), []byte("MDEyMzQ1Njc4OWFiY2RlZg==\n"), 0o600))
	}
	return file
}

// ask runs a command that asks the kshalb of this host, and returns its exit
// code and what it wrote.
func (n *node) ask(args ...string) (code int, stdout, stderr string) {
	n.Helper()
	var out, errs strings.Builder
	cmd := exec.CommandContext(n.ctx, binary, append(args, "--socket", n.socket())...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		n.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// untilStatus waits until ok finds nothing missing in what kshalb says of itself.
func (n *node) untilStatus(p *lab.Process, what string, ok func(status.Node) bool) {
	n.Helper()
	n.until(p, what, func() bool {
		s, err := admin.FetchStatus(n.ctx, n.socket())
		return err == nil && ok(s)
	})
}

func (n *node) start(s lab.Spec) *lab.Process {
	n.Helper()
	s.Name = "kshalb"
	p, err := n.Start(s)
	must(n.T, err)
	return p
}

// take listens on the host until the test ends.
func (n *node) take(address string) {
	n.Helper()
	ln, err := n.Listen("tcp", address)
	must(n.T, err)
	n.Cleanup(func() { ln.Close() })
}

// serve is a backend that a tcp check finds well.
func (n *node) serve() {
	n.Helper()
	ln, err := n.Listen("tcp", fmt.Sprintf("[::]:%d", port))
	must(n.T, err)
	n.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) { // until its client goes
				defer c.Close()
				_, _ = c.Read(make([]byte, 1))
			}(c)
		}
	}()
}

// until polls: what it waits for is in another process, or in the kernel.
func (n *node) until(p *lab.Process, what string, ok func() bool) {
	n.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-p.Done():
			n.Fatalf("kshalb ended before %s: %v\n%s", what, p.State(), p.Tail(4000))
		case <-n.ctx.Done():
			n.Fatalf("waiting until %s: %v\n%s", what, context.Cause(n.ctx), p.Tail(4000))
		}
	}
}

func (n *node) untilSays(p *lab.Process, text string) {
	n.Helper()
	n.until(p, "it says "+text, func() bool { return strings.Contains(p.Tail(1<<20), text) })
}

func (n *node) untilHolds(p *lab.Process) {
	n.Helper()
	n.until(p, "it holds the VIP", func() bool {
		has, err := n.Has(vip)
		must(n.T, err)
		return has
	})
	n.untilSays(p, "VIP taken") // a moment later: only now the kernel has a route to it, too
}

// leftNothing looks for addresses, tables and socket files.
func (n *node) leftNothing() {
	n.Helper()
	if has, err := n.Has(vip); has || err != nil {
		n.Errorf("the VIP is on the host: %v, %v", has, err)
	}
	must(n.T, n.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		for _, t := range tables {
			n.Errorf("table %s is left", t.Name)
		}
		return err
	}))
	if _, err := os.Lstat(n.socket()); err == nil {
		n.Error("the socket file is left")
	}
}
