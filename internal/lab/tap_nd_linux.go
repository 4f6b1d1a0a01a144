package lab

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ndWords asks by Neighbour Solicitations (RFC 4861 section 4.3) from link-local
// addresses that nobody has, so that the answers go to the watch alone. The last
// byte of such an address, and of the hardware address, is that of the round: a
// host remembers whom it has answered, and is not to remember more than 256.
type ndWords struct{}

const ipv6Header = 40

func (ndWords) etherType() ethernet.EtherType { return ethernet.EtherTypeIPv6 }

// filter lets Neighbour Advertisements pass.
func (ndWords) filter() []bpf.Instruction {
	const frame = 14
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: frame + 6, Size: 1}, // next header
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_ICMPV6, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: frame + ipv6Header, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 136, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

func (ndWords) question(vip netip.Addr, round uint32) ([]byte, error) {
	low := byte(round)
	hw := append(net.HardwareAddr(asker), 0, 0, 0, low)
	from := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: 'l', 9: 'a', 10: 'b', 15: low})
	to, err := ndp.SolicitedNodeMulticast(vip)
	if err != nil {
		return nil, err
	}
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{
		TargetAddress: vip,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: hw}},
	}, from, to)
	if err != nil {
		return nil, err
	}
	group := to.As16()
	return (&ethernet.Frame{
		Destination: append(net.HardwareAddr{0x33, 0x33}, group[12:]...), Source: hw,
		EtherType: ethernet.EtherTypeIPv6, Payload: ipv6(from, to, body),
	}).MarshalBinary()
}

// ipv6 is a packet of Neighbour Discovery: hop limit 255 (RFC 4861 section 3.1).
func ipv6(from, to netip.Addr, body []byte) []byte {
	head := binary.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(len(body)))
	return slices.Concat(head, []byte{unix.IPPROTO_ICMPV6, 255}, from.AsSlice(), to.AsSlice(), body)
}

func (ndWords) parse(b []byte, vip netip.Addr) (of uint32, answers bool, c Claim, ok bool) {
	var f ethernet.Frame
	if f.UnmarshalBinary(b) != nil || len(f.Payload) < ipv6Header {
		return 0, false, Claim{}, false
	}
	length := int(binary.BigEndian.Uint16(f.Payload[4:]))
	body := f.Payload[ipv6Header:]
	m, err := ndp.ParseMessage(body[:min(length, len(body))])
	na, is := m.(*ndp.NeighborAdvertisement)
	if err != nil || !is || na.TargetAddress != vip {
		return 0, false, Claim{}, false
	}
	if strings.HasPrefix(string(f.Destination), asker) {
		return uint32(f.Destination[5]), true, Claim{}, true
	}
	c = Claim{MAC: f.Source, Reply: true, Gratuitous: !na.Solicited}
	for _, o := range na.Options {
		if l, is := o.(*ndp.LinkLayerAddress); is {
			c.MAC = l.Addr
		}
	}
	return 0, false, c, true
}

func (ndWords) same(round, of uint32) bool { return byte(round) == byte(of) }
