package systemd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// manager is a service manager's end of NOTIFY_SOCKET.
type manager struct {
	*testing.T
	conn *net.UnixConn
}

func listen(t *testing.T) manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "")
	return manager{t, conn}
}

// hears returns the next datagram.
func (m manager) hears() string {
	m.Helper()
	b := make([]byte, 4096)
	if err := m.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		m.Fatal(err)
	}
	n, err := m.conn.Read(b)
	if err != nil {
		m.Fatal(err)
	}
	return string(b[:n])
}

func (m manager) wants(text string) {
	m.Helper()
	if got := m.hears(); got != text {
		m.Errorf("systemd heard %q, not %q", got, text)
	}
}

// run runs a unit until the test ends.
func run(t *testing.T, u *Unit) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func newUnit(alive func(), line func() string) *Unit {
	return New(Config{Alive: alive, Line: line, Log: slog.New(slog.DiscardHandler)})
}

func answers() {}

func line(text string) func() string { return func() string { return text } }

func TestNoUnit(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	u := newUnit(answers, line(""))
	if u != nil {
		t.Fatal("a unit without a service manager")
	}
	u.Reloading()()
	u.Stopping(time.Second)
}

func TestReadyReloadingStopping(t *testing.T) {
	m := listen(t)
	begun := make(chan struct{})
	u := newUnit(func() { <-begun }, line("holds v\nx"))
	run(t, u)
	m.wants("STATUS=holds v x")
	close(begun)
	m.wants("READY=1")
	done := u.Reloading()
	if got := m.hears(); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]{3,}$`).MatchString(got) {
		t.Errorf("%q", got)
	}
	done()
	m.wants("READY=1")
	u.Stopping(90 * time.Second)
	m.wants("STOPPING=1")
	m.wants("EXTEND_TIMEOUT_USEC=90000000")
}

// TestStatusChanges: it is told when it is another one.
func TestStatusChanges(t *testing.T) {
	m := listen(t)
	var looks atomic.Int32
	u := newUnit(func() { <-t.Context().Done() }, func() string { return "line " + strconv.Itoa(int(looks.Add(1))/3) })
	u.every = time.Millisecond
	run(t, u)
	m.wants("STATUS=line 0")
	m.wants("STATUS=line 1")
	m.wants("STATUS=line 2")
}

// TestWatchdog: it is told each time that all have answered, and nothing from when one
// of them no longer does. What takes its time to say does not matter.
func TestWatchdog(t *testing.T) {
	m := listen(t)
	t.Setenv("WATCHDOG_USEC", "40000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	hangs, asked, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over) })
	u := newUnit(func() {
		select {
		case <-hangs:
			close(asked)
			<-over
		default:
		}
	}, func() string { <-over; return "" })
	if u.every != 10*time.Millisecond {
		t.Errorf("a look each %v", u.every)
	}
	run(t, u)
	m.wants("READY=1\nWATCHDOG=1")
	m.wants("WATCHDOG=1")
	m.wants("WATCHDOG=1")
	close(hangs)
	<-asked
	u.Stopping(time.Second) // what is not about its health is still told
	for got := ""; got != "EXTEND_TIMEOUT_USEC=1000000"; got = m.hears() {
		if got != "" && got != "WATCHDOG=1" && got != "STOPPING=1" {
			t.Errorf("systemd heard %q", got)
		}
	}
	if err := m.conn.SetReadDeadline(time.Now().Add(10 * u.every)); err != nil {
		t.Fatal(err)
	}
	if n, err := m.conn.Read(make([]byte, 64)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v: the watchdog was told although one does not answer", n, err)
	}
}

// TestLastWords: what was said before the end is heard.
func TestLastWords(t *testing.T) {
	m := listen(t)
	u := newUnit(func() { <-t.Context().Done() }, line(""))
	u.Stopping(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := u.Run(ctx); err != nil {
		t.Error(err)
	}
	m.wants("STOPPING=1")
	m.wants("EXTEND_TIMEOUT_USEC=1000000")
}

// TestWatchdogOfAnother: the variables of a parent, and wrong ones, are for nobody.
func TestWatchdogOfAnother(t *testing.T) {
	listen(t)
	t.Setenv("WATCHDOG_USEC", "1000000")
	t.Setenv("WATCHDOG_PID", "1")
	if u := newUnit(answers, line("")); u.watchdog || u.every != lookEvery {
		t.Errorf("%+v", u)
	}
	var log strings.Builder
	t.Setenv("WATCHDOG_USEC", "soon")
	if u := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))}); u.watchdog || !strings.Contains(log.String(), "watchdog is told nothing") {
		t.Errorf("%+v, %s", u, &log)
	}
}

// TestSystemdGone: it is said once, and READY is told when systemd is back.
func TestSystemdGone(t *testing.T) {
	m := listen(t)
	path := os.Getenv("NOTIFY_SOCKET")
	t.Setenv("NOTIFY_SOCKET", path+".gone")
	var log strings.Builder
	looked := make(chan struct{})
	u := New(Config{Alive: func() { looked <- struct{}{} }, Line: line(""), Log: slog.New(slog.NewTextHandler(&log, nil))})
	u.every = time.Millisecond
	run(t, u)
	for range 5 {
		<-looked
	}
	t.Setenv("NOTIFY_SOCKET", path)
	go func() {
		for {
			select {
			case <-looked:
			case <-t.Context().Done():
				return
			}
		}
	}()
	m.wants("READY=1")
	if n := strings.Count(log.String(), "systemd is not told"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}
