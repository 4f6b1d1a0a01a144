package vip

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
)

// Each taking announces in two forms that the peer's kernel takes at once.
func TestKernelAnnouncements(t *testing.T) {
	k := running(t, testConfig())
	var conn *packet.Conn
	k.peer.do(t, func() error {
		ifi, err := net.InterfaceByName(peerIf)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(ifi, packet.Raw, int(ethernet.EtherTypeARP), nil)
		return err
	})
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	k.hold(time.Minute)
	hw := k.host.hardwareAddr(t, hostIf)
	for _, want := range []struct {
		op     arp.Operation
		target net.HardwareAddr
	}{{arp.OperationRequest, make(net.HardwareAddr, 6)}, {arp.OperationReply, hw}} {
		frame, p := readARP(t, conn)
		if p.Operation != want.op || p.SenderIP != testVIP || p.TargetIP != testVIP ||
			!bytes.Equal(p.SenderHardwareAddr, hw) || !bytes.Equal(p.TargetHardwareAddr, want.target) {
			t.Errorf("ARP %+v", p)
		}
		if !bytes.Equal(frame.Destination, ethernet.Broadcast) || !bytes.Equal(frame.Source, hw) {
			t.Errorf("frame from %s to %s", frame.Source, frame.Destination)
		}
	}
}

// readARP returns the next ARP of the VIP.
func readARP(t *testing.T, conn *packet.Conn) (ethernet.Frame, arp.Packet) {
	t.Helper()
	buf := make([]byte, 128)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal("no announcement:", err)
		}
		var f ethernet.Frame
		var p arp.Packet
		if f.UnmarshalBinary(buf[:n]) == nil && p.UnmarshalBinary(f.Payload) == nil && p.SenderIP == testVIP {
			return f, p
		}
	}
}

// Frames that the kernel refuses are counted and end nothing.
func TestKernelAnnouncingOnDeadLink(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		a := neighbourAnnouncer{vip: testVIP}
		defer a.hangUp()
		l, err := findLink(hostIf, testVIP)
		if err != nil {
			return err
		}
		deadline := time.Now().Add(time.Minute)
		if sent, unsent := a.announce(l, deadline); sent != 2 || unsent != 0 {
			return fmt.Errorf("%d sent, %d refused on a good link", sent, unsent)
		}
		dev, err := netlink.LinkByName(hostIf)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetDown(dev); err != nil {
			return err
		}
		if sent, unsent := a.announce(l, deadline); sent != 0 || unsent != 2 {
			return fmt.Errorf("%d sent, %d refused on a link that is down", sent, unsent)
		}
		if err := netlink.LinkDel(dev); err != nil {
			return err
		}
		if sent, unsent := a.announce(l, deadline); sent != 0 || unsent != 1 {
			return fmt.Errorf("%d sent, %d refused on a link that is gone", sent, unsent)
		}
		return nil
	})
}
