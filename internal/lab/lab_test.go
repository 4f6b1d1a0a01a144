package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("LAB_TEST_ROLE"); role != "" {
		os.Exit(play(role))
	}
	labtest.Main(m)
}

func prefix(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, 0, byte(n)}), 24)
}

// pair returns a lab with two hosts, and a function that says whether the first
// reaches the second by TCP.
func pair(t *testing.T) (l *lab.Lab, a, b *lab.Host, reach func(time.Duration) error) {
	t.Helper()
	l = labtest.New(t)
	a, b = addHost(t, l, "a", 1), addHost(t, l, "b", 2)
	ln, err := b.Listen("tcp", "192.168.0.2:7")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go echo(ln)
	return l, a, b, func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		conn, err := a.DialContext(ctx, "tcp", "192.168.0.2:7")
		if err != nil {
			return err
		}
		defer conn.Close()
		io.WriteString(conn, "hello")
		conn.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(conn)
		if err == nil && string(got) != "hello" {
			err = errors.New("echo says " + string(got))
		}
		return err
	}
}

func addHost(t *testing.T, l *lab.Lab, name string, n int) *lab.Host {
	t.Helper()
	h, err := l.AddHost(name, prefix(n))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func echo(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		io.Copy(conn, conn)
		conn.Close()
	}
}

// soon tries until it works or the limit is reached.
func soon(t *testing.T, try func(time.Duration) error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := try(200 * time.Millisecond)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFaults(t *testing.T) {
	_, a, b, reach := pair(t)
	for name, f := range map[string]struct{ cut, heal func() error }{
		"link down":    {func() error { return b.Cut(lab.LinkDown) }, b.Heal},
		"isolate":      {func() error { return b.Cut(lab.Isolate) }, b.Heal},
		"both":         {func() error { return errors.Join(b.Cut(lab.Isolate), b.Cut(lab.LinkDown)) }, b.Heal},
		"block":        {func() error { return a.Block(b) }, func() error { return a.Unblock(b) }},
		"block answer": {func() error { return b.Block(a) }, func() error { return b.Unblock(a) }},
	} {
		t.Run(name, func(t *testing.T) {
			soon(t, reach)
			must(t, f.cut())
			if reach(100*time.Millisecond) == nil {
				t.Error("the host can be reached")
			}
			must(t, f.heal())
			soon(t, reach)
		})
	}
}

func TestOnlyLinkDownTakesTheCarrier(t *testing.T) {
	_, _, b, _ := pair(t)
	// The kernel may take a second to tell (net/core/link_watch.c).
	carrier := func(want bool) {
		t.Helper()
		soon(t, func(time.Duration) error {
			return b.Do(func() error {
				ifi, err := net.InterfaceByName("eth0")
				if err == nil && (ifi.Flags&net.FlagRunning != 0) != want {
					err = fmt.Errorf("eth0 has %v, want a carrier: %v", ifi.Flags, want)
				}
				return err
			})
		})
	}
	carrier(true)
	must(t, b.Cut(lab.LinkDown))
	carrier(false)
	must(t, b.Heal())
	carrier(true)
	must(t, b.Cut(lab.Isolate))
	carrier(true)
}

func TestProcess(t *testing.T) {
	_, _, b, _ := pair(t)
	ctx := labtest.Context(t, 10*time.Second)
	p := start(t, b, "wait")
	if p.State() != nil {
		t.Error("a running process has a final state")
	}
	must(t, p.Pause())
	must(t, p.Continue())
	must(t, p.Stop(ctx))
	if code := p.State().ExitCode(); code != 3 {
		t.Errorf("exit code %d after SIGTERM, want 3", code)
	}
	if log := p.Tail(1000); !strings.Contains(log, "192.168.0.2/24") || !strings.HasSuffix(log, "terminated\n") {
		t.Errorf("output %q lacks the address of its namespace, or the end", log)
	}
	must(t, p.Kill()) // it has ended: nothing happens
	if _, err := b.Start(lab.Spec{Path: "/nonexistent"}); err == nil {
		t.Error("a program that is not there was started")
	}
}

// start plays a role in a process on the host, and waits until it has begun.
func start(t *testing.T, h *lab.Host, role string) *lab.Process {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	p, err := h.Start(lab.Spec{Name: role, Path: self, Env: []string{"LAB_TEST_ROLE=" + role}})
	must(t, err)
	soon(t, func(time.Duration) error {
		if strings.Contains(p.Tail(1000), "ready\n") {
			return nil
		}
		select {
		case <-p.Done():
			t.Fatal(p.Tail(1000))
		case <-time.After(5 * time.Millisecond):
		}
		return errors.New(role + " is not ready")
	})
	return p
}

func TestCloseLeavesNothing(t *testing.T) {
	labtest.New(t).Close() // so that what Go keeps open for good is open
	before := open(t)
	l, err := lab.New()
	must(t, err)
	a := addHost(t, l, "a", 1)
	addHost(t, l, "b", 2)
	_, err = l.Watch(netip.MustParseAddr("192.168.0.10"))
	must(t, err)
	p := start(t, a, "wait")
	pid, err := strconv.Atoi(strings.Fields(p.Tail(1000))[0])
	must(t, err)
	dir := a.Dir()
	must(t, l.Close())
	must(t, l.Close())

	// What earlier tests had may go meanwhile.
	if left := slices.DeleteFunc(open(t), func(d string) bool { return slices.Contains(before, d) }); len(left) > 0 {
		t.Errorf("descriptors are left: %s", left)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process is there still: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is there still", dir)
	}
	if links, err := net.Interfaces(); err != nil || strings.Contains(names(links), "port") {
		t.Errorf("interfaces here: %s, %v", names(links), err)
	}
	if _, err := l.AddHost("c"); !errors.Is(err, lab.ErrClosed) {
		t.Errorf("add a host to a closed lab: %v", err)
	}
	if _, err := a.Start(lab.Spec{Path: "/bin/true"}); !errors.Is(err, lab.ErrClosed) {
		t.Errorf("start a process in a closed lab: %v", err)
	}
}

// open returns the descriptors of this process, and what each stands for.
func open(t *testing.T) (fds []string) {
	t.Helper()
	const dir = "/proc/self/fd"
	list, err := os.ReadDir(dir)
	must(t, err)
	for _, d := range list {
		if to, err := os.Readlink(filepath.Join(dir, d.Name())); err == nil { // but for the one of dir
			fds = append(fds, d.Name()+" "+to)
		}
	}
	return fds
}

func names(links []net.Interface) string {
	var names []string
	for _, l := range links {
		names = append(names, l.Name)
	}
	return strings.Join(names, " ")
}
