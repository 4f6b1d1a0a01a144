package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/config"
)

// reloadable is an App in front of echoing backends whose configuration is a text.
type reloadable struct {
	*testing.T
	*App
	log  *logged
	text atomic.Pointer[string]
	addr string // of its own listeners

	socket string // of the admin API
}

var reloadables atomic.Int32

// set writes a configuration whose listeners have this process's own loopback address.
func (r *reloadable) set(listeners ...string) {
	for i, l := range listeners {
		listeners[i] = "- {bind: " + r.addr + ", " + l + "}\n"
	}
	r.text.Store(new("version: 1\nadmin: {socket: " + r.socket + ", http: \"\"}\nlisteners:\n" + strings.Join(listeners, "")))
}

func newReloadable(t *testing.T, listeners ...string) *reloadable {
	t.Helper()
	pid := os.Getpid()
	r := &reloadable{T: t, log: newLogged(), addr: fmt.Sprintf("127.%d.%d.%d", 64+pid>>8&63, pid&255, reloadables.Add(1)), socket: filepath.Join(t.TempDir(), "s")}
	load := func() (*config.Config, error) { return config.Parse("kshalb.yaml", []byte(*r.text.Load())) }
	r.set(listeners...)
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	r.App, err = New(cfg, Options{Load: load}, slog.New(slog.NewTextHandler(r.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.App.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(r.log.text.String())
		}
	})
	return r
}

// reload puts other listeners into force, and returns what has changed.
func (r *reloadable) reload(listeners ...string) string {
	r.Helper()
	r.set(listeners...)
	done, err := r.Reload(false)
	if err != nil {
		r.Fatal(err)
	}
	return strings.Join(done.Changes, "; ")
}

// client is a connection through a listener.
type client struct {
	*testing.T
	net.Conn
}

func (r *reloadable) dial(port int) client {
	r.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort(r.addr, strconv.Itoa(port)))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		r.Fatal(err)
	}
	return client{r.T, c}
}

// served says something, and returns who has answered.
func (c client) served() string {
	c.Helper()
	fmt.Fprintln(c, "hello")
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		c.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// refused expects a reset; it may come before connect has ended.
func (r *reloadable) refused(port int) {
	r.Helper()
	c, err := net.Dial("tcp", net.JoinHostPort(r.addr, strconv.Itoa(port)))
	if err == nil {
		defer c.Close()
		_, err = io.Copy(io.Discard, c)
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		r.Errorf("port %d: %v", port, err)
	}
}

// nobody expects that nobody listens, as soon as the loops know.
func (r *reloadable) nobody(port int) {
	r.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", net.JoinHostPort(r.addr, strconv.Itoa(port)))
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			c.Close()
		}
		if time.Now().After(end) {
			r.Fatalf("port %d: %v", port, err)
		}
	}
}

// answering is a backend that answers each line with its name.
func answering(t *testing.T, name string) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for in := bufio.NewScanner(c); in.Scan(); {
					fmt.Fprintln(c, name)
				}
			}()
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String())
}

func listenerOn(name string, port int, to netip.AddrPort, more ...string) string {
	return strings.Join(append([]string{fmt.Sprintf("name: %s, port: %d, backends: {addresses: [%s]}, check: {type: tcp}", name, port, to)}, more...), ", ")
}

// wait waits until a backend of a listener is up.
func (r *reloadable) wait(listener string, backend netip.AddrPort) {
	r.Helper()
	r.log.wait(r.T, fmt.Sprintf("listener=%s backend=%s from=unknown to=up", listener, backend))
}
