package proxy_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

var haproxyPath = flag.String("proxy.haproxy", "", "put the conformance suite to this HAProxy, too, for comparison")

const haproxyMark = "KSHALB_TEST_HAPROXY"

// TestHAProxy says what HAProxy makes of the suite, as far as that is not about
// a Listener's own. It is a comparison: a case that HAProxy sees otherwise is
// told, and is no failure.
//
// Of HAProxy 2.6 these are expected:
//
//	a reset by the server,            The client has a FIN: what was cut off looks
//	ends right after accept,          complete.
//	the writer resets amid much,
//	a stopped reader resets
//	a reset behind unread bytes,      The same, in either direction.
//	a close with unread bytes,
//	a stopped reader closes
//	all connects fail                 The client has a FIN, not a RST.
//	idle, half-closed and silent      Time is up: FINs.
//	a reset after half-close          A peer that has sent its FIN and then dies is
//	                                  not noticed before a timeout.
//	a stopped reader is reset         The RST waits for the reader.
func TestHAProxy(t *testing.T) {
	if *haproxyPath == "" {
		t.Skip("it is run with -proxy.haproxy=/usr/sbin/haproxy")
	}
	if os.Getenv(haproxyMark) != "" {
		for name, c := range conformance {
			if c.any != nil {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					c.any(t, startHAProxy)
				})
			}
		}
		return
	}
	for _, line := range compare(t) {
		t.Log(line)
	}
}

// compare runs the suite in a process of its own, whose failures are not ours.
func compare(t *testing.T) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestHAProxy$", "-test.v", "-test.parallel=8", "-proxy.haproxy="+*haproxyPath, "-proxy.patience=15s")
	cmd.Env = append(os.Environ(), haproxyMark+"=1")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	table := outcomes(string(out))
	if len(table) == 0 {
		t.Fatalf("no case was run: %v\n%s", err, out)
	}
	return table
}

var (
	verdictLine = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): TestHAProxy/(\S+)`)
	nameLine    = regexp.MustCompile(`^=== \w+ +TestHAProxy/([^/\s]+)`)
	reasonLine  = regexp.MustCompile(`^ +(?:\w+_test\.go:\d+: )(.*)`)
)

// outcomes makes one line for each case of what a test says with -test.v.
func outcomes(out string) []string {
	verdicts, why := map[string]string{}, map[string]string{}
	at := ""
	for line := range strings.Lines(out) {
		if m := verdictLine.FindStringSubmatch(line); m != nil {
			at, _, _ = strings.Cut(m[2], "/")
			if at == m[2] {
				verdicts[at] = m[1]
			}
			continue
		}
		if m := nameLine.FindStringSubmatch(line); m != nil {
			at = m[1]
		} else if m := reasonLine.FindStringSubmatch(line); m != nil && why[at] == "" && !strings.HasPrefix(m[1], "stopped after") {
			why[at] = m[1]
		}
	}
	word := map[string]string{"PASS": "the same", "SKIP": "skipped", "FAIL": "differs"}
	var table []string
	for _, name := range slices.Sorted(maps.Keys(verdicts)) {
		line := word[verdicts[name]] + ": " + strings.ReplaceAll(name, "_", " ")
		if verdicts[name] != "PASS" {
			line += ": " + why[name]
		}
		table = append(table, line)
	}
	return table
}

// haproxy is a running HAProxy.
type haproxy struct {
	addr  netip.AddrPort
	stats string // its socket
}

func (h *haproxy) Addr() netip.AddrPort { return h.addr }

func (h *haproxy) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	return dial(t, h.addr)
}

func (h *haproxy) connect(t testing.TB, b *backend) (client, server *net.TCPConn) {
	t.Helper()
	return connect(t, h.addr, b)
}

// clients asks for the frontend's column scur (management guide, 9.1).
func (h *haproxy) clients(t testing.TB) int {
	t.Helper()
	c, err := net.Dial("unix", h.stats)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintln(c, "show stat")
	rows, err := csv.NewReader(c).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row[0] == "test" && row[1] == "FRONTEND" {
			n, err := strconv.Atoi(row[4])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no frontend")
	return 0
}

// startHAProxy implements starter as far as HAProxy's configuration goes.
func startHAProxy(t testing.TB, cfg proxy.Config, backends ...netip.AddrPort) balancer {
	t.Helper()
	if !cfg.Bind.IsValid() {
		cfg.Bind = loopback
	}
	dir, err := os.MkdirTemp("", "kshalb") // a short name: a socket's has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(cfg.Bind))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() // HAProxy has a duplicate
	socket, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	h := &haproxy{addr: ln.Addr().(*net.TCPAddr).AddrPort(), stats: filepath.Join(dir, "s")}
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, haproxyConfig(h, cfg.Timeouts, backends), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, *haproxyPath, "-db", "-f", file)
	cmd.ExtraFiles = []*os.File{socket} // descriptor 3
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		kill()
		<-ended
	})
	eventually(t, "HAProxy answers", func() bool {
		select {
		case <-ended:
			t.Fatalf("HAProxy has ended: %s", log.String())
		default:
		}
		c, err := net.Dial("unix", h.stats)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return h
}

// haproxyConfig is as its guide has it, with splicing. A timeout of 0 is never.
func haproxyConfig(h *haproxy, limits proxy.Timeouts, backends []netip.AddrPort) []byte {
	var cfg bytes.Buffer
	line := func(format string, a ...any) { fmt.Fprintf(&cfg, format+"\n", a...) }
	timeout := func(name string, d, instead time.Duration) {
		if d == 0 {
			d = instead
		}
		line("  timeout %s %dms", name, d.Milliseconds())
	}
	const never = 24 * time.Hour // the most that it takes is 24.8 days
	line("global\n  maxconn 1000\n  stats socket %s", h.stats)
	line("defaults\n  mode tcp\n  option splice-auto\n  retries %d\n  option redispatch 1", len(backends))
	timeout("connect", min(limits.Connect, never), 2*time.Second)
	timeout("client", min(limits.Idle, never), never)
	timeout("server", min(limits.Idle, never), never)
	if limits.HalfClosed > 0 {
		timeout("client-fin", limits.HalfClosed, never)
		timeout("server-fin", limits.HalfClosed, never)
	}
	line("listen test\n  bind fd@3\n  balance roundrobin")
	for i, b := range backends {
		line("  server b%d %s", i, b)
	}
	return cfg.Bytes()
}
