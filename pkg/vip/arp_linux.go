package vip

import (
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
)

// ethernetAddr is the length of a hardware address of Ethernet.
const ethernetAddr = 6

// gratuitousARP is what announces vip at hw (RFC 5227, section 3; RFC 5944,
// section 4.6), in the two forms that between them everybody understands. Linux
// takes both at once, even within locktime: a reply only because its target is
// our own hardware address, not the broadcast one (net/ipv4/arp.c, arp_is_garp).
func gratuitousARP(vip netip.Addr, hw net.HardwareAddr) (frames []*ethernet.Frame, err error) {
	for _, op := range []arp.Operation{arp.OperationRequest, arp.OperationReply} {
		target := hw
		if op == arp.OperationRequest {
			target = make(net.HardwareAddr, len(hw)) // it means nothing there (RFC 5227, section 1.1)
		}
		f, err := arpFrame(op, hw, vip, target, vip)
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// arpFrame is a broadcast.
func arpFrame(op arp.Operation, hw net.HardwareAddr, ip netip.Addr, target net.HardwareAddr, targetIP netip.Addr) (*ethernet.Frame, error) {
	p, err := arp.NewPacket(op, hw, ip, target, targetIP)
	if err != nil {
		return nil, err
	}
	b, err := p.MarshalBinary()
	return &ethernet.Frame{Destination: ethernet.Broadcast, Source: hw, EtherType: ethernet.EtherTypeARP, Payload: b}, err
}
