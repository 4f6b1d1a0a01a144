package proxy_test

import (
	"io"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/pkg/proxy"
)

// TestNoAllocation counts what the whole process allocates, so what the test
// does must not.
func TestNoAllocation(t *testing.T) {
	t.Run("round trips", func(t *testing.T) {
		f := open(t, proxy.Config{}, serving(t, echo))
		c := f.dial(t)
		for _, size := range []int{200, 300_000} {
			buf := make([]byte, size)
			none(t, func() {
				if _, err := c.Write(buf); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
	t.Run("connections", func(t *testing.T) {
		b := newBackend(t)
		f := open(t, proxy.Config{}, b.addr)
		ln, err := b.File() // blocking, and so without package net's costs
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		lnFD := int(ln.Fd())
		to := &unix.SockaddrInet4{Addr: f.Addr().Addr().As4(), Port: int(f.Addr().Port())}
		none(t, func() {
			client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Connect(client, to); err != nil {
				t.Fatal(err)
			}
			server, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(lnFD), 0, 0, unix.SOCK_CLOEXEC, 0, 0)
			if errno != 0 {
				t.Fatal(errno)
			}
			unix.Close(client)
			unix.Close(int(server))
		})
	})
}

// none fails when do allocates, on average of many runs: the runtime itself does
// now and then.
func none(t *testing.T, do func()) {
	t.Helper()
	for range 100 { // all that is kept for later is there then
		do()
	}
	if n := testing.AllocsPerRun(500, do); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
