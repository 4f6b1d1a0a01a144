package cli

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
)

// serviceManager listens as systemd does, and notes what it hears.
func (n *node) serviceManager() (socket string, heard func() []string) {
	n.Helper()
	socket = filepath.Join(n.Dir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	must(n.T, err)
	n.Cleanup(func() { conn.Close() })
	all := make(chan []string, 1)
	all <- nil
	go func() {
		b := make([]byte, 4096)
		for {
			size, err := conn.Read(b)
			if err != nil {
				return
			}
			all <- append(<-all, strings.Split(string(b[:size]), "\n")...)
		}
	}()
	return socket, func() []string {
		now := <-all
		all <- slices.Clone(now)
		return now
	}
}

// script writes a hook that appends a line to a file, and returns what it wrote.
func (n *node) script() (file string, wrote func() []string) {
	n.Helper()
	file = filepath.Join(n.Dir(), "on-change")
	lines := filepath.Join(n.Dir(), "changes")
	text := "#!/bin/sh\necho \"$KSHALB_EVENT $KSHALB_NODE $KSHALB_VIP $KSHALB_ADDRESS$KSHALB_BACKEND" +
		" $KSHALB_CHANGE$KSHALB_FROM-$KSHALB_TO by '$KSHALB_HOLDER' was '$KSHALB_WAS': $KSHALB_REASON\" >> " + lines + "\n"
	must(n.T, os.WriteFile(file, []byte(text), 0o700))
	return file, func() []string {
		b, err := os.ReadFile(lines)
		if err != nil {
			return nil
		}
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
}

// TestEventsAreTold: to systemd and to hooks, from the start to the stop.
func TestEventsAreTold(t *testing.T) {
	n := newNode(t)
	n.serve()
	socket, heard := n.serviceManager()
	script, wrote := n.script()
	p := n.start(lab.Spec{
		Path: binary, Args: n.args("admin:", "hooks: [{on: [holder, backend], exec: ["+script+"]}]\nadmin:"),
		Env: []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=1000000", "WATCHDOG_PID="},
	})
	hears := func(text string) {
		t.Helper()
		n.until(p, "systemd hears "+text, func() bool { return slices.Contains(heard(), text) })
	}
	hears("READY=1")
	hears("WATCHDOG=1")
	n.untilHolds(p)
	hears("STATUS=holds apiserver (192.168.0.10); apiserver: 1 of 1 backends up")
	n.until(p, "the hook has run", func() bool { return len(wrote()) == 2 })
	if code, _, stderr := n.ask("reload"); code != 0 {
		t.Error(stderr)
	}
	n.until(p, "systemd hears of the reload", func() bool {
		all := heard()
		i := slices.Index(all, "RELOADING=1")
		return i > 0 && strings.HasPrefix(all[min(i+1, len(all)-1)], "MONOTONIC_USEC=") && slices.Contains(all[i:], "READY=1")
	})

	must(t, p.Stop(n.ctx))
	want := []string{
		"backend m1 apiserver 192.168.0.1:6443 unknown-up by '' was '': probe succeeded",
		"holder m1 apiserver 192.168.0.10 taken- by 'm1' was '': ",
		"holder m1 apiserver 192.168.0.10 withdrawn- by '' was 'm1': stopping",
	}
	got := wrote()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the hook wrote %q, want %q", got, want)
	}
	all := heard()
	if i := slices.Index(all, "STOPPING=1"); i < 0 || !strings.HasPrefix(all[min(i+1, len(all)-1)], "EXTEND_TIMEOUT_USEC=") {
		t.Errorf("systemd heard at last %q", all[max(0, len(all)-4):])
	}
	if code := p.State().ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	n.leftNothing()
}

// TestSlowHookCostsNothing: a hook that hangs holds neither the address nor the stop up.
func TestSlowHookCostsNothing(t *testing.T) {
	n := newNode(t)
	n.serve()
	p := n.run("admin:", "hooks: [{on: [holder, backend], exec: [/bin/sleep, '1000'], timeout: 5m}]\nadmin:")
	n.untilHolds(p)
	begin := time.Now()
	must(t, p.Signal(syscall.SIGTERM))
	n.until(p, "the address is gone", func() bool { has, err := n.Has(vip); return err == nil && !has })
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("the address stayed for %v", took)
	}
	must(t, p.Wait(n.ctx))
	if took := time.Since(begin); p.State().ExitCode() != 0 || took > limit {
		t.Errorf("%v after %v:\n%s", p.State(), took, p.Tail(2000))
	}
	n.leftNothing()
}
