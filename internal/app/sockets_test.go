package app

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestParseSocket(t *testing.T) {
	const rest = " 00000000:00000000 00:00000000 00000000     0        0 1596 1 00000000a5a66324 100 0 0 10 0"
	for line, want := range map[string]string{
		"   0: 00000000:192B 00000000:0000 0A" + rest:                                                 "0.0.0.0:6443",
		"  12: 00000000000000000000000000000000:192B 00000000000000000000000000000000:0000 0A" + rest: "[::]:6443",
		"   1: 0100007F:AC0B 0100007F:E1AC 06" + rest:                                                 "",
		"   1: 0100007:AC0B 0100007F:E1AC 0A" + rest:                                                  "",
		"   1: 0100007F:1AC0B 0100007F:E1AC 0A" + rest:                                                "",
		"   1: 0100007F:192B":                                                                         "",
		"":                                                                                            "",
	} {
		s, listens := parseSocket(line)
		if listens != (want != "") || listens && (s.at.String() != want || s.inode != "1596") {
			t.Errorf("%q is %v, %v; want %q", line, s, listens, want)
		}
	}
}

func TestIsOnAll(t *testing.T) {
	for _, tc := range []struct {
		socket, of string
		want       bool
	}{
		{"0.0.0.0:1", "192.0.2.1", true},
		{"0.0.0.0:1", "2001:db8::1", false},
		{"[::]:1", "192.0.2.1", true},
		{"[::]:1", "2001:db8::1", true},
		{"192.0.2.1:1", "192.0.2.1", false},
	} {
		if got := (socket{at: netip.MustParseAddrPort(tc.socket)}).isOnAll(netip.MustParseAddr(tc.of)); got != tc.want {
			t.Errorf("%s takes clients of %s: %v, want %v", tc.socket, tc.of, got, tc.want)
		}
	}
}

func TestWhoHas(t *testing.T) {
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Skip(err)
	}
	for _, at := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0"} {
		ln, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		port := netip.MustParseAddrPort(ln.Addr().String()).Port()
		here := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
		if got, want := whoHas(here), strings.TrimSpace(string(comm))+" (process "; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", ln.Addr(), got, want)
		}
		ln.Close()
		if got := whoHas(here); got != "" {
			t.Errorf("nobody listens, but %q", got)
		}
	}
}
