package election

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// Packets to hosts that do not answer ARP fill no buffer that packets to the
// living need, and no send waits.
func TestDeadHostsBlockNoSend(t *testing.T) {
	l := labtest.New(t)
	var ends []*transport
	everybody := func(netip.Addr) bool { return true }
	for _, cidr := range []string{"10.77.0.1/24", "10.77.0.2/24"} {
		prefix := netip.MustParsePrefix(cidr)
		h, err := l.AddHost("h"+prefix.Addr().String()[8:], prefix)
		if err != nil {
			t.Fatal(err)
		}
		err = h.Do(func() error {
			end, err := listen(netip.AddrPortFrom(prefix.Addr(), 7946), everybody, nil)
			ends = append(ends, end)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ends[len(ends)-1].Shutdown() })
	}
	to := func(addr string) memberlist.Address { return memberlist.Address{Addr: addr, Name: "peer"} }
	message := make([]byte, 300)
	var slowest time.Duration
	for range 1000 {
		for _, dead := range []string{"10.77.0.50:7946", "10.77.0.51:7946"} {
			start := time.Now()
			if _, err := ends[0].WriteToAddress(message, to(dead)); err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, time.Since(start))
		}
	}
	if _, err := ends[0].WriteToAddress([]byte("alive"), to("10.77.0.2:7946")); err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-ends[1].PacketCh():
		if string(p.Buf) != "alive" {
			t.Errorf("got %q", p.Buf)
		}
	case <-time.After(10 * time.Second):
		t.Error("the living host got nothing")
	}
	if slowest > time.Second {
		t.Errorf("a send took %v", slowest)
	}
}

// A stream leaves from the address that is bound; the end of the transport ends
// it, on both sides.
func TestStreamsLeaveFromTheBoundAddress(t *testing.T) {
	t.Parallel()
	aAt, bAt := at(t, 1), at(t, 2)
	a, err := listen(aAt, func(netip.Addr) bool { return true }, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := listen(bAt, func(netip.Addr) bool { return true }, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := a.DialTimeout(bAt.String(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if from := (<-b.StreamCh()).RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); from != aAt.Addr() {
		t.Errorf("the stream came from %s, want %s", from, aAt.Addr())
	}
	_ = a.Shutdown()
	if _, err := out.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the dialed stream outlived its transport: %v", err)
	}
	other, err := net.Dial("tcp", bAt.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	in := <-b.StreamCh()
	_ = b.Shutdown()
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the accepted stream outlived its transport: %v", err)
	}
	if _, err := a.DialTimeout(bAt.String(), 10*time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("dialing after the end: %v", err)
	}
}

// Strangers get no answer: their packets go nowhere, their streams are closed.
func TestTransportDropsStrangers(t *testing.T) {
	t.Parallel()
	aAt, bAt, cAt := at(t, 1), at(t, 2), at(t, 3)
	all := func(netip.Addr) bool { return true }
	a, err := listen(aAt, func(from netip.Addr) bool { return from == bAt.Addr() }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Shutdown() })
	for _, end := range []netip.AddrPort{cAt, bAt} {
		sender, err := listen(end, all, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = sender.Shutdown() })
		if _, err := sender.WriteTo([]byte(end.String()), aAt.String()); err != nil {
			t.Fatal(err)
		}
		conn, err := sender.DialTimeout(aAt.String(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if end == cAt {
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Error("a stranger was answered")
			}
		}
	}
	if p := <-a.PacketCh(); string(p.Buf) != bAt.String() {
		t.Errorf("got %q of a stranger", p.Buf)
	}
	if from := (<-a.StreamCh()).RemoteAddr().String(); netip.MustParseAddrPort(from).Addr() != bAt.Addr() {
		t.Errorf("got a stream from %s", from)
	}
}
