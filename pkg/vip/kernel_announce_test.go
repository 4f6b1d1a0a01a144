package vip

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
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

// An advertisement says whether the host is a router, as the kernel's own do.
func TestKernelRouterFlag(t *testing.T) {
	host, _ := cable(t)
	host.do(t, func() error {
		a := neighbourAnnouncer{vip: testVIP6}
		ifi, err := net.InterfaceByName(hostIf)
		if err != nil {
			return err
		}
		for value, want := range map[string]bool{"1": true, "0": false} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+hostIf+"/forwarding", []byte(value), 0); err != nil {
				return err
			}
			frames, err := a.frames(ifi)
			if err != nil {
				return err
			}
			m, err := ndp.ParseMessage(frames[0].Payload[ipv6Header:])
			if err != nil {
				return err
			}
			if got := m.(*ndp.NeighborAdvertisement).Router; got != want {
				t.Errorf("forwarding %s: router is %v", value, got)
			}
		}
		return nil
	})
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
