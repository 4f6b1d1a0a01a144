package whohas

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// answersTo lets Neighbour Advertisements pass, or all of ARP, but for what this
// host sends.
func answersTo(ip netip.Addr) []bpf.Instruction {
	const kind = 14 + 40 // of the ICMP message
	drop := bpf.RetConstant{Val: 0}
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1}, drop,
	}
	if ip.Is6() {
		program = append(program,
			bpf.LoadAbsolute{Off: 14 + 6, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 1}, drop,
			bpf.LoadAbsolute{Off: kind, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 136, SkipTrue: 1}, drop)
	}
	return append(program, bpf.RetConstant{Val: 256})
}

// question asks who has ip, in the name of self, or of nobody when that is 0.0.0.0 or
// ::, which changes nobody's idea of where anything is (RFC 5227, section 2.1.1; RFC
// 4862, section 5.4.2).
func question(ip, self netip.Addr, from net.HardwareAddr) ([]byte, error) {
	if ip.Is4() {
		p, err := arp.NewPacket(arp.OperationRequest, from, self, make(net.HardwareAddr, macLength), ip)
		if err != nil {
			return nil, err
		}
		body, err := p.MarshalBinary()
		if err != nil {
			return nil, err
		}
		return (&ethernet.Frame{Destination: ethernet.Broadcast, Source: from, EtherType: ethernet.EtherTypeARP, Payload: body}).MarshalBinary()
	}
	group, err := ndp.SolicitedNodeMulticast(ip)
	if err != nil {
		return nil, err
	}
	ask := &ndp.NeighborSolicitation{TargetAddress: ip}
	if !self.IsUnspecified() { // RFC 4861, section 7.2.2
		ask.Options = []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: from}}
	}
	body, err := ndp.MarshalMessageChecksum(ask, self, group)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint16([]byte{6 << 4, 0, 0, 0}, uint16(len(body)))
	head = append(head, unix.IPPROTO_ICMPV6, ndp.HopLimit)
	to := group.As16()
	return (&ethernet.Frame{
		Destination: append(net.HardwareAddr{0x33, 0x33}, to[12:]...), Source: from, // RFC 2464, section 7
		EtherType: ethernet.EtherTypeIPv6,
		Payload:   slices.Concat(head, self.AsSlice(), group.AsSlice(), body),
	}).MarshalBinary()
}

// claimOf is who says in a frame that they have ip, and whether that answers a
// question of self.
func claimOf(b []byte, ip, self netip.Addr) (c Claim, ok bool) {
	var f ethernet.Frame
	if f.UnmarshalBinary(b) != nil {
		return c, false
	}
	if ip.Is4() {
		var p arp.Packet
		ok := p.UnmarshalBinary(f.Payload) == nil && p.SenderIP == ip && len(p.SenderHardwareAddr) == macLength
		return Claim{MAC: p.SenderHardwareAddr, Answer: p.Operation == arp.OperationReply && p.TargetIP == self}, ok
	}
	const head = 40
	if len(f.Payload) < head {
		return c, false
	}
	body := f.Payload[head:]
	m, err := ndp.ParseMessage(body[:min(int(binary.BigEndian.Uint16(f.Payload[4:])), len(body))])
	na, is := m.(*ndp.NeighborAdvertisement)
	if err != nil || !is || na.TargetAddress != ip {
		return c, false
	}
	c = Claim{MAC: f.Source, Answer: na.Solicited}
	for _, o := range na.Options {
		if l, is := o.(*ndp.LinkLayerAddress); is && l.Direction == ndp.Target && len(l.Addr) == macLength {
			c.MAC = l.Addr
		}
	}
	return c, true
}
