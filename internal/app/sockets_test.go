package app

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhoListens(t *testing.T) {
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	self := strings.TrimSpace(string(comm)) + " (process "
	local4, local6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	for _, tc := range []struct {
		network, at string
		asked       netip.Addr
		has         string // what it is seen to have; "": not seen
		onAll       bool
	}{
		{"tcp4", "127.0.0.1:0", local4, "127.0.0.1:", false},
		{"tcp4", "0.0.0.0:0", local4, "0.0.0.0:", true},
		{"tcp4", "0.0.0.0:0", local6, "", false},
		{"tcp", "[::]:0", local4, "[::]:", true},
		{"tcp", "[::]:0", local6, "[::]:", true},
		{"tcp6", "[::]:0", local6, "[::]:", true},
		{"tcp6", "[::]:0", local4, "", false}, // IPV6_V6ONLY
	} {
		ln, err := net.Listen(tc.network, tc.at)
		if err != nil {
			t.Logf("no %s %s here: %v", tc.network, tc.at, err)
			continue
		}
		at := netip.AddrPortFrom(tc.asked, netip.MustParseAddrPort(ln.Addr().String()).Port())
		if got := whoHas(at); (got == "") != (tc.has == "") || !strings.HasPrefix(got, self) && got != "" || !strings.Contains(got, tc.has) {
			t.Errorf("%s %s: who has %s is %q, want %s... has %s", tc.network, tc.at, at, got, self, tc.has)
		}
		if _, err := onAll(tc.asked, at.Port()); (err == nil) != tc.onAll || err != nil && !errors.Is(err, errNobody) {
			t.Errorf("%s %s: on all addresses of %s's family: %v, want %v", tc.network, tc.at, tc.asked, err, tc.onAll)
		}
		ln.Close()
		if _, err := listenerOf(at); !errors.Is(err, errNobody) {
			t.Errorf("nobody listens, but the error is %v", err)
		}
	}
}

func BenchmarkWhoListens(b *testing.B) {
	for b.Loop() {
		if _, err := onAll(nowhere4, 1); !errors.Is(err, errNobody) {
			b.Fatal(err)
		}
	}
}

// TestAbort: a connection ends for the process that has it, without a packet.
func TestAbort(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may end the connections of others")
	}
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("no %s here: %v", at, err)
			continue
		}
		defer ln.Close()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		local, peer := netip.MustParseAddrPort(c.LocalAddr().String()), netip.MustParseAddrPort(ln.Addr().String())
		err = abort(local, peer)
		if errors.Is(err, unix.EOPNOTSUPP) {
			t.Skip("this kernel has no CONFIG_INET_DIAG_DESTROY")
		} else if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNABORTED) {
			t.Errorf("%s: the client reads %v", at, err)
		}
		if err := abort(local, peer); err != nil {
			t.Errorf("%s: once more: %v", at, err)
		}
	}
}
