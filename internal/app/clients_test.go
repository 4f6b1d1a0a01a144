package app

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestClientMessages(t *testing.T) {
	for _, at := range []netip.AddrPort{netip.MustParseAddrPort("192.168.0.10:6443"), netip.MustParseAddrPort("[fd00::10]:6443")} {
		var all []netip.AddrPort
		for i := range 1000 {
			all = append(all, netip.AddrPortFrom(at.Addr(), uint16(i+1)))
		}
		var read []netip.AddrPort
		for _, m := range tellClients(at, all) {
			if len(m) > 1400 {
				t.Errorf("a message of %d bytes", len(m))
			}
			to, some, ok := readClients(m)
			if !ok || to != at {
				t.Fatalf("read %s, %t", to, ok)
			}
			read = append(read, some...)
			for cut := range len(m) { // none of them makes trouble
				_, _, _ = readClients(m[:cut])
			}
		}
		if !slices.Equal(read, all) {
			t.Errorf("%d clients were read of %d", len(read), len(all))
		}
	}
	for _, b := range []string{"", "\x00", "\x00\x04", "\x01abc", "\x00\x05abcdefg", "\x00\x04abcd\x00\x01"} {
		if _, _, ok := readClients([]byte(b)); ok {
			t.Errorf("%q was read", b)
		}
	}
	if n := len(tellClients(netip.AddrPort{}, nil)); n != 0 {
		t.Errorf("%d messages of nobody", n)
	}
}

func TestStrayed(t *testing.T) {
	at := netip.MustParseAddrPort("192.168.0.10:6443")
	client := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 1)
	}
	var s strayed
	now := time.Now()
	s.note(at, []netip.AddrPort{client(1), client(2)}, now)
	s.note(at, []netip.AddrPort{client(2), client(3)}, now.Add(clientsForget))
	s.forget(now.Add(clientsForget + time.Second))
	if got := s.of(at); !slices.Equal(got, []netip.AddrPort{client(2), client(3)}) {
		t.Errorf("%v", got)
	}
	if got := s.of(at); len(got) > 0 || s.count != 0 {
		t.Errorf("%v are told twice; %d are counted", got, s.count)
	}
	for n := range 2 * clientsKnown {
		s.note(at, []netip.AddrPort{client(n)}, now)
	}
	if len(s.of(at)) != clientsKnown || s.count != 0 {
		t.Error("more are known than may be")
	}
}

func TestClientsOf(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var want []netip.AddrPort
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		want = append(want, c.LocalAddr().(*net.TCPAddr).AddrPort())
	}
	got, err := clientsOf(netip.MustParseAddrPort(ln.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, netip.AddrPort.Compare)
	slices.SortFunc(want, netip.AddrPort.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
