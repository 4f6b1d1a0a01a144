package admin

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

// soon bounds what takes no time, on a busy machine.
const soon = 10 * time.Second

// serve runs a server until stop, which says what Run returned.
func serve(t *testing.T, cfg Config, h http.Handler) (stop func() error) {
	t.Helper()
	s, err := Listen(cfg, h, h, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(cancel)
	return func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(soon):
			return context.DeadlineExceeded
		}
	}
}

func socketIn(t *testing.T) string { return filepath.Join(t.TempDir(), "run", "kshalb.sock") }

func TestSocketIsPrivate(t *testing.T) {
	path := socketIn(t)
	stop := serve(t, Config{Socket: path}, handler(status.Node{}))
	for file, want := range map[string]fs.FileMode{path: fs.ModeSocket | 0o600, filepath.Dir(path): fs.ModeDir | 0o700} {
		info, err := os.Lstat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", file, info.Mode(), want)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket file is left")
	}
}

func TestUmaskIsBack(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	stop := serve(t, Config{Socket: socketIn(t)}, handler(status.Node{}))
	if got := syscall.Umask(0o022); got != 0o022 {
		t.Errorf("the umask is %o", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestServesBoth(t *testing.T) {
	path := socketIn(t)
	s, err := Listen(Config{HTTP: netip.MustParseAddrPort("127.0.0.1:0"), Socket: path}, handler(status.Node{Name: "m1"}), handler(status.Node{Name: "m1"}), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.doors[0].Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n, err := FetchStatus(ctx, path); n.Name != "m1" || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// stale leaves a socket file as a killed process does.
func stale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

func TestSocketPathIsTaken(t *testing.T) {
	t.Run("by a dead process", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		stale(t, path)
		stop := serve(t, Config{Socket: path}, handler(status.Node{Name: "new"}))
		if n, err := FetchStatus(t.Context(), path); n.Name != "new" || err != nil {
			t.Errorf("%+v, %v", n, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("by a living one", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		stop := serve(t, Config{Socket: path}, handler(status.Node{Name: "first"}))
		refuses(t, Config{Socket: path}, "open the admin socket "+path+": another kshalb serves it (admin.socket sets another)")
		if n, err := FetchStatus(t.Context(), path); n.Name != "first" || err != nil {
			t.Errorf("the first one does not serve any more: %+v, %v", n, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("by one that does not accept", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		fd := frozen(t, path)
		defer syscall.Close(fd)
		refuses(t, Config{Socket: path}, "resource temporarily unavailable")
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("by a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, Config{Socket: path}, "the path exists and is not a socket")
		if b, err := os.ReadFile(path); string(b) != "mine" || err != nil {
			t.Errorf("the file has %q now, %v", b, err)
		}
	})
}

// frozen is a socket whose queue is full.
func frozen(t *testing.T, path string) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = syscall.Listen(fd, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		c, err := net.Dial("unix", path)
		if err != nil {
			return fd
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue does not fill")
	return fd
}

func refuses(t *testing.T, cfg Config, want string) {
	t.Helper()
	_, err := Listen(cfg, handler(status.Node{}), handler(status.Node{}), quiet)
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want a line with %q", err, want)
	}
}

func TestAddressIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path := socketIn(t)
	at := netip.MustParseAddrPort(l.Addr().String())
	refuses(t, Config{HTTP: at, Socket: path}, "open the admin address "+at.String()+": address already in use (admin.http sets another)")
	if _, err := os.Lstat(path); err == nil {
		t.Error("it made a socket all the same")
	}
}

// A socket that can't be opened does not leave the address open.
func TestAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(free.Addr().String())
	free.Close()
	refuses(t, Config{HTTP: at, Socket: path}, "not a socket")
	if c, err := net.Dial("tcp", at.String()); err == nil {
		c.Close()
		t.Error("the address is open")
	}
}

// Clients that hold their connections or their questions don't hold the end up.
func TestRunEnds(t *testing.T) {
	asked := make(chan struct{})
	for name, connect := range map[string]func(net.Conn){
		"idle":       func(net.Conn) {},
		"asking":     func(c net.Conn) { c.Write([]byte("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")); <-asked },
		"half asked": func(c net.Conn) { c.Write([]byte("GET / HT")) },
	} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			path := socketIn(t)
			stop := serve(t, Config{Socket: path}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				asked <- struct{}{}
				<-r.Context().Done()
			}))
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			connect(c)
			begin := time.Now()
			if err := stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took > stopTimeout+time.Second {
				t.Errorf("it took %v", took)
			}
			if _, err := os.Lstat(path); err == nil {
				t.Error("the socket file is left")
			}
			noneLeft(t, before)
		})
	}
}

// noneLeft waits until there are as many goroutines as before: net/http's end
// a moment after the server, and nothing tells when.
func noneLeft(t *testing.T, before int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(soon); runtime.NumGoroutine() > before; <-tick.C {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestRunOnlyCloses(t *testing.T) {
	path := socketIn(t)
	s, err := Listen(Config{HTTP: netip.MustParseAddrPort("127.0.0.1:0"), Socket: path}, handler(status.Node{}), handler(status.Node{}), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.doors[0].Addr().String()); err == nil {
		c.Close()
		t.Error("the address is open")
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket file is left")
	}
}
