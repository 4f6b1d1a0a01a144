package vip

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// childEnv makes the test binary a daemon that holds the test's VIP until it is
// killed.
const childEnv = "KSHALB_VIP_TEST_HOLD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		labtest.Main(m)
	}
	if err := holdForever(); err != nil {
		fmt.Println("child:", err)
		os.Exit(1)
	}
}

func holdForever() error {
	m, err := New(testConfig(), slog.New(slog.NewTextHandler(os.Stdout, nil)), NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go renew(ctx, m, 0, time.Second)
	return m.Run(ctx)
}

// child starts a process that holds the VIP in host, and waits until it does.
func child(t *testing.T, host namespace) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	host.do(t, cmd.Start)
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for s := bufio.NewScanner(out); ; {
		switch {
		case !s.Scan():
			t.Fatal("the child ended without holding the VIP:", s.Err())
		case strings.Contains(s.Text(), "VIP taken"):
			return cmd
		}
		t.Log(s.Text())
	}
}

func TestKernelKilled(t *testing.T) {
	host, _ := cable(t)
	cmd := child(t, host)
	w := host.watch(t)
	if got := tables(t, host); len(got) != 1 {
		t.Errorf("tables while held: %v", got)
	}
	start := time.Now()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := tables(t, host); len(got) != 0 {
		t.Errorf("tables left by a killed process: %v", got)
	}
	checkLinger(t, w.wait(unix.RTM_DELADDR, testVIP).Sub(start))
}

// A frozen process loses the address; when it goes on, it lets go by itself and
// takes it anew only because it is told to.
func TestKernelFrozen(t *testing.T) {
	host, _ := cable(t)
	cmd := child(t, host)
	w := host.watch(t)
	start := time.Now()
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	checkLinger(t, w.wait(unix.RTM_DELADDR, testVIP).Sub(start))
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.wait(unix.RTM_NEWADDR, testVIP)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
	if a, names := host.addressesOf(t, testVIP), tables(t, host); len(a)+len(names) != 0 {
		t.Errorf("left by a process that was stopped: addresses %v, tables %v", a, names)
	}
}
