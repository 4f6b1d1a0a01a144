package vip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// childEnv makes the test binary a daemon that holds the test's VIP until it is
// killed; its value is the lease, childLifetime that of the address.
const (
	childEnv      = "KSHALB_VIP_TEST_HOLD"
	childLifetime = "KSHALB_VIP_TEST_LIFETIME"
)

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
	lease, leaseErr := time.ParseDuration(os.Getenv(childEnv))
	lifetime, lifetimeErr := time.ParseDuration(os.Getenv(childLifetime))
	if err := errors.Join(leaseErr, lifetimeErr); err != nil {
		return err
	}
	cfg := testConfig()
	cfg.Lifetime = lifetime
	m, err := newTestManager(cfg, slog.New(slog.NewTextHandler(os.Stdout, nil)))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go renew(ctx, m, 0, lease)
	return m.Run(ctx)
}

// child starts a process that holds the VIP in host, and waits until it does.
func child(t *testing.T, host namespace, lease, lifetime time.Duration) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+lease.String(), childLifetime+"="+lifetime.String())
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
	cmd := child(t, host, time.Second, time.Second)
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
	cmd := child(t, host, time.Second, time.Second)
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
	if a, names := host.addressesOf(t, testVIP), allTables(t, host); len(a)+len(names) != 0 {
		t.Errorf("left by a process that was stopped: addresses %v, tables %v", a, names)
	}
}

// A process that is killed or frozen answers nothing after its lease, long before
// the kernel takes the address away.
func TestKernelFenceOutlivesProcess(t *testing.T) {
	const lease = 300 * time.Millisecond
	for _, signal := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			host, peer := cable(t)
			cmd := child(t, host, lease, time.Minute)
			w := peer.wire(t, peerIf, testVIP)
			w.asking(questions(w.ifi.HardwareAddr, host.hardwareAddr(t, hostIf), netip.MustParseAddr("10.99.0.2"), testVIP, echoPort))
			start := time.Now()
			if !w.until(start, start.Add(10*time.Second), "arp", "icmp", "tcp") {
				t.Fatalf("answers %v", w.between(start, time.Now()))
			}
			hit(t, cmd, signal)
			end := time.Now().Add(lease)
			<-time.After(time.Until(end.Add(3 * grace)))
			if got := w.between(end.Add(transit), time.Now()); len(got) > 0 {
				t.Errorf("after the lease it answers %v", got)
			}
			t.Logf("last answer %v before the last possible end", end.Round(0).Sub(w.last()))
			if got := host.addressesOf(t, testVIP); len(got) != 1 {
				t.Errorf("the address is there %d times, so that nothing is proved", len(got))
			}
			if signal == unix.SIGSTOP {
				thaws(t, cmd, w)
			}
			if signal == unix.SIGKILL {
				host.do(t, func() error { return Cleanup(testLog()) })
			}
			if a, names := host.addressesOf(t, testVIP), allTables(t, host); len(a)+len(names) != 0 {
				t.Errorf("left are addresses %v, tables %v", a, names)
			}
		})
	}
}

// hit returns when the signal has taken effect: from then on the process arms
// nothing.
func hit(t *testing.T, cmd *exec.Cmd, signal unix.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if signal == unix.SIGKILL {
		_ = cmd.Wait()
		return
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatalf("not stopped: %v, %v", ws, err)
	}
}

// thaws lets a frozen process go on: it answers again, with new attempts, and
// ends with nothing left.
func thaws(t *testing.T, cmd *exec.Cmd, w *wire) {
	t.Helper()
	start := time.Now()
	if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if !w.until(start, start.Add(10*time.Second), "arp", "icmp", "tcp") {
		t.Error("it does not answer again")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
}
