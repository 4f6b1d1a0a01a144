package proxy_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// TestDescriptorExhaustion runs in a process of its own, whose descriptors it
// uses up.
func TestDescriptorExhaustion(t *testing.T) { alone(t, exhaust) }

// TestLoopsWithoutDescriptors: loops that can't be opened say so, and nobody
// waits for them.
func TestLoopsWithoutDescriptors(t *testing.T) {
	alone(t, func(t *testing.T) {
		loops := proxy.NewLoops(3)
		l := proxy.NewListener(proxy.Config{Bind: loopback}, proxy.NewPool(proxy.PoolConfig{}, nil), loops, slog.New(slog.DiscardHandler), proxy.NewMetrics(nil))
		if err := l.Listen(); err != nil {
			t.Fatal(err)
		}
		useUp(t)
		waited := make(chan error, 1)
		go func() { waited <- l.Run(t.Context()) }()
		if err := loops.Run(t.Context()); !errors.Is(err, unix.EMFILE) {
			t.Errorf("the loops: %v, want EMFILE", err)
		}
		if err := <-waited; err == nil {
			t.Error("the listener ran without loops")
		}
		if n := l.Reset(); n != 0 {
			t.Errorf("%d connections were reset", n)
		}
	})
}

// alone does what is to be tested in a process of its own.
func alone(t *testing.T, do func(*testing.T)) {
	t.Helper()
	const mark = "KSHALB_TEST_ALONE"
	if os.Getenv(mark) != "" {
		do(t)
		return
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), mark+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// warnings is a log that hands on its warnings.
type warnings struct {
	slog.Handler
	seen chan string
}

func (w warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (w warnings) WithAttrs([]slog.Attr) slog.Handler           { return w }

func (w warnings) Handle(_ context.Context, r slog.Record) error {
	w.seen <- r.Message
	return nil
}

func exhaust(t *testing.T) {
	backend := serving(t, echo)
	pool := proxy.NewPool(proxy.PoolConfig{}, proxy.Even(backend))
	pool.SetState(backend, proxy.Up)
	log := warnings{slog.DiscardHandler, make(chan string, 100)}
	l := proxy.NewListener(proxy.Config{Name: "test", Bind: loopback}, pool, running(t), slog.New(log), proxy.NewMetrics(prometheus.NewRegistry()))
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()

	// A connection from before goes on, even with all its pipes and new
	// descriptors refused; the sockets of two more are there already.
	before := dial(t, l.Addr())
	say(t, before, "x")
	hear(t, before, "x")
	var clients [2]int
	for i := range clients {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		clients[i] = fd
	}
	giveBack := useUp(t)

	to := &unix.SockaddrInet4{Addr: l.Addr().Addr().As4(), Port: int(l.Addr().Port())}
	for _, fd := range clients {
		if err := unix.Connect(fd, to); err != nil { // the kernel does it, without a descriptor
			t.Fatal(err)
		}
	}
	<-log.seen
	// Much at once, for which no pipe is to be had. It stays open: what it gave
	// back would serve one client only.
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(struct{ io.Writer }{before}, script(1, 1<<20))
		sent <- err
	}()
	want, _, _ := digest(script(1, 1<<20))
	got, _, err := digest(io.LimitReader(before, 1<<20))
	if err := errors.Join(err, <-sent); err != nil || got != want {
		t.Fatalf("the connection from before: %v, right bytes: %t", err, got == want)
	}
	giveBack()

	for _, fd := range clients {
		if _, err := unix.Write(fd, []byte("y")); err != nil {
			t.Fatal(err)
		}
		if n, err := unix.Read(fd, make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("a client that waited read %d bytes and %v", n, err)
		}
		unix.Close(fd)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(log.seen) > 0 {
		t.Errorf("a second line about the same episode: %s", <-log.seen)
	}
}

// useUp opens files until no descriptor is left. The returned func gives all of
// them back at one moment, by raising the limit again.
func useUp(t *testing.T) func() {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
	}
	limit(200)
	for {
		_, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0) // closed by exit
		if errors.Is(err, unix.EMFILE) {
			return func() { limit(was.Cur) }
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
