package lab

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"golang.org/x/net/bpf"
)

// arpWords asks by ARP probes (RFC 5227 section 2.1.1), which change nobody's
// ARP table. The four bytes behind asker are the round.
type arpWords struct{}

func (arpWords) etherType() ethernet.EtherType { return ethernet.EtherTypeARP }

func (arpWords) filter() []bpf.Instruction { return nil }

func (arpWords) question(vip netip.Addr, round uint32) ([]byte, error) {
	from := binary.BigEndian.AppendUint32([]byte(asker), round)
	p, err := arp.NewPacket(arp.OperationRequest, from, netip.IPv4Unspecified(), make(net.HardwareAddr, 6), vip)
	if err != nil {
		return nil, err
	}
	payload, err := p.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return (&ethernet.Frame{
		Destination: ethernet.Broadcast, Source: from, EtherType: ethernet.EtherTypeARP, Payload: payload,
	}).MarshalBinary()
}

func (arpWords) parse(b []byte, vip netip.Addr) (of uint32, answers bool, c Claim, ok bool) {
	var f ethernet.Frame
	var p arp.Packet
	if f.UnmarshalBinary(b) != nil || p.UnmarshalBinary(f.Payload) != nil || p.SenderIP != vip {
		return 0, false, Claim{}, false
	}
	if strings.HasPrefix(string(p.TargetHardwareAddr), asker) {
		return binary.BigEndian.Uint32(p.TargetHardwareAddr[len(asker):]), true, Claim{}, true
	}
	return 0, false, Claim{
		MAC: p.SenderHardwareAddr, Reply: p.Operation == arp.OperationReply, Gratuitous: p.SenderIP == p.TargetIP,
	}, true
}

func (arpWords) same(round, of uint32) bool { return round == of }
