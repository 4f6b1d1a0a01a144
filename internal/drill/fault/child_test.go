package fault

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// The test program is also the helper, and the process that a fault befalls: of
// that, its environment says how it lives.
const (
	childKey    = "FAULT_CHILD" // what befalls it, and for how long
	hardenedKey = "FAULT_HARDENED"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == HelperCommand {
		if err := Helper(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "kshalb:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if what := os.Getenv(childKey); what != "" {
		if err := live(what); err != nil {
			fmt.Println("failed:", err)
		}
		os.Exit(0)
	}
	labtest.Main(m)
}

// live prints a line every few milliseconds, while threads come and go, until its
// input ends. A fault befalls it when a line comes in.
func live(what string) error {
	if os.Getenv(hardenedKey) == "1" {
		return harden()
	}
	kind, text, _ := strings.Cut(what, " ")
	hold, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	go func() {
		for {
			fmt.Println("lives", time.Now().UnixMicro())
			time.Sleep(2 * time.Millisecond)
		}
	}()
	for range 3 {
		go func() {
			for {
				done := make(chan struct{})
				go func() { runtime.LockOSThread(); close(done) }() // the thread ends with it
				<-done
			}
		}()
	}
	f := New(Config{
		Supervised: true, Log: slog.New(slog.DiscardHandler),
		Interfaces: func() ([]string, error) { return []string{"lo", "eth0"}, nil },
	})
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println("begins")
		fmt.Println("over:", f.Inflict(context.Background(), Kind(kind), hold))
	}
	return nil
}

// harden makes of this process what a static pod is: the first one of its PID
// namespace, with two capabilities and no way to others. Then it runs again.
func harden() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	runtime.LockOSThread()
	for c := range uintptr(64) {
		if c != unix.CAP_NET_ADMIN && c != unix.CAP_NET_RAW {
			_ = unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) // the kernel has fewer
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := os.Setenv(hardenedKey, "2"); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, os.Environ())
}

// child is such a process.
type child struct {
	*testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	last  time.Time // when it said that it lives
	ended chan error
}

// bear starts a child, and waits until it lives.
func bear(t *testing.T, what string, hardened bool) *child {
	t.Helper()
	return bearIn(t, func(start func() error) error { return start() }, what, hardened)
}

// bearIn has the child started by a func.
func bearIn(t *testing.T, in func(start func() error) error, what string, hardened bool) *child {
	t.Helper()
	c := &child{T: t, cmd: exec.Command("/proc/self/exe"), lines: make(chan string, 1<<16), ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), childKey+"="+what, "GORACE=atexit_sleep_ms=0") // else the helper holds it a second longer
	c.cmd.Stderr = os.Stderr
	c.cmd.SysProcAttr = &syscall.SysProcAttr{}
	if hardened {
		c.cmd.Env = append(c.cmd.Env, hardenedKey+"=1")
		c.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	}
	stdin, err := c.cmd.StdinPipe()
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, in(c.cmd.Start))
	c.in = stdin
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
		close(c.lines)
		c.ended <- c.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill() // it may have ended
		for range c.lines {
		}
	})
	c.until("lives")
	return c
}

// until reads lines up to one that begins so, and returns the rest of it. still is
// the longest time that it did not live meanwhile.
func (c *child) until(begin string) (rest string, still time.Duration) {
	c.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-c.lines:
			if text, lives := strings.CutPrefix(line, "lives "); lives {
				us, err := strconv.ParseInt(text, 10, 64)
				must(c.T, err)
				now := time.UnixMicro(us)
				if !c.last.IsZero() {
					still = max(still, now.Sub(c.last))
				}
				c.last = now
			}
			if rest, is := strings.CutPrefix(line, begin); is {
				return rest, still
			}
			if !ok || strings.HasPrefix(line, "failed") {
				c.Fatalf("no %q, but %q", begin, line)
			}
		case <-late:
			c.Fatalf("no %q in time", begin)
		}
	}
}

// begin has the fault begin.
func (c *child) begin() time.Time {
	c.Helper()
	_, err := io.WriteString(c.in, "\n")
	must(c.T, err)
	c.until("begins")
	return time.Now()
}

// helper waits until a helper holds the child, and returns its number.
func (c *child) helper() int {
	c.Helper()
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late); time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
		must(c.T, err)
		_, rest, _ := strings.Cut(string(text), "TracerPid:")
		pid, err := strconv.Atoi(strings.Fields(rest)[0])
		must(c.T, err)
		if pid != 0 && c.stopped() {
			return pid
		}
	}
	c.Fatal("nobody holds the child")
	return 0
}

// stopped reports whether every thread of the child is stopped by a tracer.
func (c *child) stopped() bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", c.cmd.Process.Pid))
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return false
		}
		if state := text[strings.LastIndexByte(string(text), ')')+2]; !strings.ContainsRune("tZX", rune(state)) { // some were about to end
			return false
		}
	}
	return len(files) > 0
}

// gone waits until there is no such process.
func gone(t *testing.T, pid int) {
	t.Helper()
	for late := time.Now().Add(5 * time.Second); time.Now().Before(late); time.Sleep(time.Millisecond) {
		if unix.Kill(pid, 0) == unix.ESRCH {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
