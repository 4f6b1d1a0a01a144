package proxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// childMark names, for a child, the backends of its listener.
const childMark = "KSHALB_TEST_CHILD"

// TestChild is a listener in a process of its own, which can be measured and
// has its own descriptors. It answers a line with a line; see ask.
func TestChild(t *testing.T) {
	backends, is := os.LookupEnv(childMark)
	if !is {
		t.Skip("it is run by other tests")
	}
	var pool []netip.AddrPort
	for b := range strings.FieldsSeq(backends) {
		pool = append(pool, netip.MustParseAddrPort(b))
	}
	obey(t, pool)
}

func obey(t *testing.T, backends []netip.AddrPort) {
	pool := proxy.NewPool(proxy.PoolConfig{}, proxy.Even(backends...))
	for _, b := range backends {
		pool.SetState(b, proxy.Up)
	}
	// A burst may find the backend's queue full, and then come again after 1, 3, 7 s.
	timeouts := proxy.Timeouts{Connect: *patience}
	l := proxy.NewListener(proxy.Config{Name: "test", Bind: loopback, Timeouts: timeouts}, pool, running(t), slog.New(slog.DiscardHandler), proxy.NewMetrics(nil))
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	say := func(words ...any) { fmt.Println(append([]any{">"}, words...)...) }
	for orders := bufio.NewScanner(os.Stdin); orders.Scan(); {
		switch orders.Text() {
		case "address":
			say(l.Addr())
		case "run":
			go func() { done <- l.Run(ctx) }()
			say("running")
		case "clients":
			say(l.Status().Active)
		case "memory":
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			say(m.HeapInuse + m.StackInuse)
		case "reset":
			start := time.Now()
			n := l.Reset()
			say(n, time.Since(start))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// child is a process that runs TestChild.
type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// newChild starts a listener that is open, but does not run yet.
func newChild(t *testing.T, backends ...netip.AddrPort) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithTimeout(context.Background(), 3**patience)
	t.Cleanup(kill)
	c := &child{Cmd: exec.CommandContext(ctx, exe, "-test.run=^TestChild$")}
	c.Env = append(os.Environ(), childMark+"="+strings.Trim(fmt.Sprint(backends), "[]"))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.in.Close()
		for c.out.Scan() {
			if text := c.out.Text(); text != "PASS" && !strings.HasPrefix(text, "coverage:") {
				t.Log(text)
			}
		}
		if err := c.Wait(); err != nil {
			t.Errorf("the listener's process: %v", err)
		}
	})
	return c
}

// ask gives an order and returns the answer's words.
func (c *child) ask(t *testing.T, order string) []string {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, order); err != nil {
		t.Fatal(err)
	}
	for c.out.Scan() {
		if answer, is := strings.CutPrefix(c.out.Text(), "> "); is {
			return strings.Fields(answer)
		}
		t.Log(c.out.Text())
	}
	t.Fatalf("%s: the listener's process has ended: %v", order, c.out.Err())
	return nil
}

func (c *child) askNumber(t *testing.T, order string) int {
	t.Helper()
	n, err := strconv.Atoi(c.ask(t, order)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// descriptors is how many the process has.
func (c *child) descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// resident is how many bytes of its memory are there (VmRSS; proc(5)).
func (c *child) resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
