package lab_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// play is what this test binary does when it is started as a process.
func play(role string) int {
	var err error
	switch role {
	case "wait":
		return wait()
	case "keep": // a lab with a process in it, until killed
		err = keep()
	case "enter":
		return enter()
	}
	fmt.Println(err)
	return 1
}

// wait says who and where it is, and ends with 3 at a SIGTERM.
func wait() int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	addrs, err := net.InterfaceAddrs()
	fmt.Println(os.Getpid(), addrs, err)
	fmt.Println("ready")
	<-term
	fmt.Println("terminated")
	return 3
}

func keep() error {
	l, err := lab.New()
	if err != nil {
		return err
	}
	h, err := l.AddHost("a", prefix(1))
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := h.Start(lab.Spec{Name: "wait", Path: self, Env: []string{"LAB_TEST_ROLE=wait"}})
	if err != nil {
		return err
	}
	for !strings.Contains(p.Tail(1000), "ready\n") {
		select {
		case <-p.Done():
			return errors.New(p.Tail(1000))
		case <-time.After(5 * time.Millisecond):
		}
	}
	fmt.Println(strings.Fields(p.Tail(1000))[0], h.Dir())
	select {}
}

// enter ends with 7 when it could make a lab.
func enter() int {
	ran, code, err := lab.Enter()
	if err != nil || ran {
		fmt.Println(err)
		return code
	}
	if lacks := lab.Missing(); len(lacks) > 0 {
		fmt.Println(lacks)
		return 4
	}
	fmt.Println("uid", os.Getuid())
	return 7
}

func TestKilledLeavesNothing(t *testing.T) {
	labtest.New(t).Close() // skips where there can't be one
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "LAB_TEST_ROLE=keep")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	must(t, cmd.Process.Kill())
	cmd.Wait()
	var pid, dir = strings.Fields(line)[0], strings.Fields(line)[1]
	child, err := strconv.Atoi(pid)
	must(t, err)
	soon(t, func(time.Duration) error { return gone(child) })
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is there still", dir)
	}
}

// gone returns an error while the process runs. Its new parent may be slow to
// take note of its end.
func gone(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		return nil
	}
	return fmt.Errorf("process %d is there still", pid)
}

// An ordinary user gets a lab too, or an explanation.
func TestEnterAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 || os.Getenv("KSHALB_LAB_ENTERED") != "" {
		t.Skip("this process is in a user namespace itself, so all the other tests show it")
	}
	self, err := os.Executable()
	must(t, err)
	dir, err := os.MkdirTemp("", "enter") // t.TempDir's parent is closed to others
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	program, err := os.ReadFile(self)
	must(t, err)
	must(t, os.WriteFile(dir+"/test", program, 0o755))

	cmd := exec.Command(dir + "/test")
	cmd.Dir = "/"
	cmd.Env = []string{"LAB_TEST_ROLE=enter"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 7 && !strings.Contains(string(out), "run as root") {
		t.Errorf("exit code %d, %v, neither a lab nor an explanation: %s", code, err, out)
	}
	t.Logf("%s", out)
}
