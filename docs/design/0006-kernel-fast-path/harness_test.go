package sockmap

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/cilium/ebpf"
)

func mustOpen(t testing.TB, v variant) *Map {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON")
	}
	m, err := open(1024, v)
	if err != nil {
		if ve := (*ebpf.VerifierError)(nil); errors.As(err, &ve) {
			t.Logf("%+v", ve)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// pair returns both ends of a connection.
func pair(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	f, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close(); f.Close() })
	return n.(*net.TCPConn), f.(*net.TCPConn)
}

// fdOf borrows the descriptor of a connection, which keeps it.
func fdOf(t testing.TB, c *net.TCPConn) (fd int) {
	t.Helper()
	rc, err := c.SyscallConn()
	if err == nil {
		err = rc.Control(func(f uintptr) { fd = int(f) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func write(t testing.TB, c *net.TCPConn, n int) {
	t.Helper()
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// used is how much less than all memory is free, in KiB, from some constant.
func used(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); string(f[0]) == "MemFree:" {
			k, err := strconv.Atoi(string(f[1]))
			if err != nil {
				t.Fatal(err)
			}
			return -k
		}
	}
	t.Fatal("/proc/meminfo does not tell MemFree")
	return 0
}
