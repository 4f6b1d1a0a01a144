package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// listener hears who else says that they have the VIP, and asks for it, on one
// link at a time. It does so through a packet socket, before any packet filter: a
// fence that is closed, or a firewall, hides nothing.
type listener struct {
	vip   netip.Addr
	heard chan hardware // senders; what nobody takes in time is lost, as frames may be

	conn  *packet.Conn
	index int           // of the interface
	ended chan struct{} // closed when nothing reads conn any more
}

func newListener(vip netip.Addr) *listener {
	return &listener{vip: vip, heard: make(chan hardware, 16)}
}

func (e *listener) claims() <-chan hardware { return e.heard }

// listen begins to hear on l, in place of another link. ethernet is false for an
// interface of another kind, where there is nobody to hear.
func (e *listener) listen(l link) (ethernet bool, err error) {
	if e.conn != nil && e.index == l.index {
		return true, nil
	}
	e.deafen()
	ifi, err := net.InterfaceByIndex(l.index)
	if err != nil || len(ifi.HardwareAddr) != ethernetAddr {
		return false, err
	}
	kind := unix.ETH_P_ARP
	if e.vip.Is6() {
		kind = unix.ETH_P_IPV6
	}
	filter, err := bpf.Assemble(claims(e.vip))
	if err != nil {
		return true, fmt.Errorf("assemble a filter for %s: %w", e.vip, err)
	}
	e.conn, err = packet.Listen(ifi, packet.Raw, kind, &packet.Config{Filter: filter})
	if err != nil {
		return true, fmt.Errorf("listen on %s for others with %s: %w", l.name, e.vip, err)
	}
	e.index, e.ended = ifi.Index, make(chan struct{})
	go e.read(e.conn, e.ended)
	return true, nil
}

// deafen closes the socket and waits until nothing reads it.
func (e *listener) deafen() {
	if e.conn == nil {
		return
	}
	_ = e.conn.Close()
	<-e.ended
	e.conn = nil
}

// read ends when conn is closed.
func (e *listener) read(conn *packet.Conn, ended chan struct{}) {
	defer close(ended)
	buf := make([]byte, 256)
	for {
		n, _, err := conn.ReadFrom(buf)
		if errors.Is(err, unix.ENETDOWN) {
			continue // told once, when the interface goes down
		}
		if err != nil {
			return
		}
		if hw, ok := claimant(buf[:n], e.vip); ok {
			select {
			case e.heard <- hw:
			default:
			}
		}
	}
}

// ask sends a probe: an ARP request from nobody (RFC 5227, section 2.1.1), or a
// solicitation from nobody, as duplicate address detection does (RFC 4862, section
// 5.4.2). Neither changes what the neighbours know. Whoever has the address
// answers; the second kind of answer goes to all.
func (e *listener) ask() error {
	if e.conn == nil {
		return nil
	}
	ifi, err := net.InterfaceByIndex(e.index) // anew: a bond changes its hardware address
	if err != nil {
		return err
	}
	f, err := probe(e.vip, ifi.HardwareAddr)
	if err != nil {
		return err
	}
	b, err := f.MarshalBinary()
	if err != nil {
		return err
	}
	if err := e.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err = e.conn.WriteTo(b, &packet.Addr{HardwareAddr: f.Destination})
	return err
}

func probe(vip netip.Addr, hw net.HardwareAddr) (*ethernet.Frame, error) {
	if vip.Is4() {
		return arpFrame(arp.OperationRequest, hw, netip.IPv4Unspecified(), make(net.HardwareAddr, len(hw)), vip)
	}
	group, err := ndp.SolicitedNodeMulticast(vip)
	if err != nil {
		return nil, err
	}
	return neighbourFrame(hw, netip.IPv6Unspecified(), group, &ndp.NeighborSolicitation{TargetAddress: vip})
}

// Offsets in frames.
const (
	frameBody  = 14
	ipv6Header = 40
)

// accept and drop end a filter.
var (
	accept = bpf.RetConstant{Val: 256}
	drop   = bpf.RetConstant{Val: 0}
)

// claims lets frames pass in which somebody else says that vip is theirs: ARP, or
// Neighbour Advertisements. What this host sends it drops.
func claims(vip netip.Addr) []bpf.Instruction {
	program, at := incoming(), uint32(frameBody+arpSender)
	if vip.Is6() {
		const next, kind = frameBody + 6, frameBody + ipv6Header
		program = append(program,
			bpf.LoadAbsolute{Off: next, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 1}, drop,
			bpf.LoadAbsolute{Off: kind, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: advertisement, SkipTrue: 1}, drop)
		at = kind + ndTarget
	}
	for word := range slices.Chunk(vip.AsSlice(), 4) {
		program = append(program,
			bpf.LoadAbsolute{Off: at, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(word), SkipTrue: 1}, drop)
		at += 4
	}
	return append(program, accept)
}

// incoming drops what this host sends.
func incoming() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		drop,
	}
}

// claimant is who says in a frame that they have vip.
func claimant(b []byte, vip netip.Addr) (hw hardware, ok bool) {
	var f ethernet.Frame
	if f.UnmarshalBinary(b) != nil {
		return hardware{}, false
	}
	if vip.Is4() {
		var p arp.Packet
		if p.UnmarshalBinary(f.Payload) != nil || p.SenderIP != vip || len(p.SenderHardwareAddr) != ethernetAddr {
			return hardware{}, false
		}
		return hardware(p.SenderHardwareAddr), true
	}
	return advertiser(f, vip)
}

// advertiser is the target's link-layer address, or the sender of the frame.
func advertiser(f ethernet.Frame, vip netip.Addr) (hw hardware, ok bool) {
	if len(f.Payload) < ipv6Header {
		return hardware{}, false
	}
	body := f.Payload[ipv6Header:]
	length := int(binary.BigEndian.Uint16(f.Payload[4:]))
	m, err := ndp.ParseMessage(body[:min(length, len(body))])
	na, is := m.(*ndp.NeighborAdvertisement)
	if err != nil || !is || na.TargetAddress != vip {
		return hardware{}, false
	}
	for _, o := range na.Options {
		if l, is := o.(*ndp.LinkLayerAddress); is && l.Direction == ndp.Target && len(l.Addr) == ethernetAddr {
			return hardware(l.Addr), true
		}
	}
	return hardware(f.Source), true
}
