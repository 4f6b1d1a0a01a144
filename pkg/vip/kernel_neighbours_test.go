package vip

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// neighbourRig is a manager among neighbours: each line of changed is a change
// that it told.
type neighbourRig struct {
	*testing.T
	*Manager
	host, peer namespace
	changed    chan struct{}
}

func neighboured(t *testing.T, cfg Config, prepare func(peer namespace)) *neighbourRig {
	t.Helper()
	k := &neighbourRig{T: t, changed: make(chan struct{}, 1)}
	k.host, k.peer = cable(t)
	prepare(k.peer)
	cfg.Changed = func() {
		select {
		case k.changed <- struct{}{}:
		default:
		}
	}
	var err error
	if k.Manager, err = newTestManager(cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := k.host.start(func() error { return k.Manager.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return k
}

// until waits for a change after which ok is content.
func (k *neighbourRig) until(ok func(error) bool) {
	k.Helper()
	able := func() (err error) {
		k.host.do(k.T, func() error { err = k.Able(); return nil })
		return err
	}
	for end := time.After(20 * time.Second); !ok(able()); {
		select {
		case <-k.changed:
		case <-end:
			k.Fatalf("able: %v, status: %+v", able(), k.Status())
		}
	}
}

// Linux of another host answers the probes: the address is theirs until they let
// go.
func TestKernelStrangerAnswers(t *testing.T) { kinds(t, strangerAnswers) }

func strangerAnswers(t *testing.T, cfg Config) {
	t.Parallel()
	prefix := netip.PrefixFrom(cfg.Address, cfg.Address.BitLen()).String()
	k := neighboured(t, cfg, func(peer namespace) { peer.do(t, func() error { return addPlain(peerIf, prefix) }) })
	mac := k.peer.hardwareAddr(t, peerIf).String()
	k.until(func(err error) bool { return err != nil && strings.Contains(err.Error(), mac) })
	if c := k.Status().Conflict; c == nil || c.MAC.String() != mac {
		t.Errorf("%+v", c)
	}
	k.peer.do(t, func() error { return removePlain(peerIf, prefix) })
	k.until(func(err error) bool { return err == nil })
}

// What is sent is what the RFCs say: three probes, then announcements; read by a
// decoder that is not ours.
func TestKernelFramesOnTheWire(t *testing.T) { kinds(t, framesOnTheWire) }

func framesOnTheWire(t *testing.T, cfg Config) {
	var tap *packet.Conn
	k := neighboured(t, cfg, func(peer namespace) { tap = peer.tap(t) })
	hw := k.host.hardwareAddr(t, hostIf)
	for range 3 {
		must(t, next(t, tap, cfg.Address).probes(hw, cfg.Address))
	}
	k.until(func(err error) bool { return err == nil })
	if _, err := k.Arm(1, time.Minute); err != nil {
		t.Fatal(err)
	}
	k.Hold(1, 1, time.Now().Add(time.Minute))
	forms := 2
	if cfg.Address.Is6() {
		forms = 1
	}
	for i := range 3 * forms { // 0, 0.1 and 1.2 s
		must(t, next(t, tap, cfg.Address).announces(hw, cfg.Address, i%forms == 0))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tap hears all that comes over the peer's cable.
func (n namespace) tap(t *testing.T) (conn *packet.Conn) {
	t.Helper()
	n.do(t, func() error {
		ifi, err := net.InterfaceByName(peerIf)
		if err == nil {
			conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, nil)
		}
		return err
	})
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// spoken is a decoded frame.
type spoken struct{ gopacket.Packet }

// next is the next frame about the address that the host has sent.
func next(t *testing.T, tap *packet.Conn, vip netip.Addr) spoken {
	t.Helper()
	if err := tap.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	for {
		n, _, err := tap.ReadFrom(buf)
		if err != nil {
			t.Fatal("nothing is said about the address:", err)
		}
		p := gopacket.NewPacket(slices.Clone(buf[:n]), layers.LayerTypeEthernet, gopacket.Default)
		if about(p) == vip {
			return spoken{p}
		}
	}
}

// about is the address that a frame speaks of.
func about(p gopacket.Packet) netip.Addr {
	var ip []byte
	switch l := p.Layers()[len(p.Layers())-1].(type) {
	case *layers.ARP:
		ip = l.DstProtAddress
	case *layers.ICMPv6NeighborSolicitation:
		ip = l.TargetAddress
	case *layers.ICMPv6NeighborAdvertisement:
		ip = l.TargetAddress
	}
	if a, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok { // padding may follow it
		ip = a.DstProtAddress
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr
}

func (s spoken) ethernet() *layers.Ethernet {
	return s.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
}

// probes checks RFC 5227, section 2.1.1, or RFC 4862, section 5.4.2.
func (s spoken) probes(hw net.HardwareAddr, vip netip.Addr) error {
	if a, ok := s.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
		want := layers.ARP{
			BaseLayer: a.BaseLayer, AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
			HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
			SourceHwAddress: hw, SourceProtAddress: make([]byte, 4),
			DstHwAddress: make([]byte, 6), DstProtAddress: vip.AsSlice(),
		}
		return same(s, broadcastHW, a, &want)
	}
	ip, n := s.Layer(layers.LayerTypeIPv6).(*layers.IPv6), s.Layer(layers.LayerTypeICMPv6NeighborSolicitation)
	if n == nil || !ip.SrcIP.IsUnspecified() || ip.DstIP.String() != "ff02::1:ff00:10" || ip.HopLimit != 255 {
		return errors.New("no probe: " + s.String())
	}
	if len(n.(*layers.ICMPv6NeighborSolicitation).Options) != 0 { // RFC 4861, section 4.3
		return errors.New("a probe from nobody with options: " + s.String())
	}
	return same(s, net.HardwareAddr{0x33, 0x33, 0xff, 0, 0, 0x10}, nil, nil)
}

// announces checks RFC 5227, section 3, in the form of a request or a reply, or
// RFC 4861, section 7.2.6.
func (s spoken) announces(hw net.HardwareAddr, vip netip.Addr, request bool) error {
	if a, ok := s.Layer(layers.LayerTypeARP).(*layers.ARP); ok {
		want := layers.ARP{
			BaseLayer: a.BaseLayer, AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4,
			HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPReply,
			SourceHwAddress: hw, SourceProtAddress: vip.AsSlice(), DstHwAddress: hw, DstProtAddress: vip.AsSlice(),
		}
		if request {
			want.Operation, want.DstHwAddress = layers.ARPRequest, make([]byte, 6)
		}
		return same(s, broadcastHW, a, &want)
	}
	ip := s.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	n, ok := s.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement)
	if !ok || !n.Override() || n.Solicited() || n.Router() || ip.HopLimit != 255 ||
		ip.DstIP.String() != "ff02::1" || ip.SrcIP.String() != vip.String() {
		return errors.New("no announcement: " + s.String())
	}
	if len(n.Options) != 1 || n.Options[0].Type != layers.ICMPv6OptTargetAddress || !slices.Equal(n.Options[0].Data, hw) {
		return errors.New("not the target's hardware address: " + s.String())
	}
	return same(s, net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, nil, nil)
}

// same compares the receiver, and the ARP where there is one.
func same(s spoken, to net.HardwareAddr, got, want *layers.ARP) error {
	if s.ethernet().DstMAC.String() != to.String() {
		return errors.New("to somebody else: " + s.String())
	}
	if got == nil {
		return nil
	}
	if g, w := gopacket.LayerString(got), gopacket.LayerString(want); g != w {
		return errors.New("got " + g + ", want " + w)
	}
	return nil
}
