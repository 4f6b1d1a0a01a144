package vip

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// questions are frames to which a host with the VIP answers, by what the answer
// is called. The port is that of an echo server; nothing listens to TCP there,
// so that the kernel itself answers.
func questions(from, to net.HardwareAddr, asker, vip netip.Addr, port uint16) map[string][]byte {
	udp := be16(40000, port, 8+4, 0, 0x6b73, 0x6861)
	syn := append(be16(40001, port, 0, 1, 0, 0), 5<<4, 2, 0xff, 0xff, 0, 0, 0, 0)
	if vip.Is4() {
		return map[string][]byte{
			"arp":  ethernetFrame(from, broadcastHW, unix.ETH_P_ARP, arpBody(1, from, asker, make([]byte, 6), vip)),
			"icmp": ethernetFrame(from, to, unix.ETH_P_IP, ipv4(asker, vip, unix.IPPROTO_ICMP, be16(8<<8, 0, 1, 1))),
			"udp":  ethernetFrame(from, to, unix.ETH_P_IP, ipv4(asker, vip, unix.IPPROTO_UDP, udp)),
			"tcp":  ethernetFrame(from, to, unix.ETH_P_IP, ipv4(asker, vip, unix.IPPROTO_TCP, syn)),
		}
	}
	group := netip.MustParseAddr("ff02::1:ff00:0").As16()
	last := vip.As16()
	copy(group[13:], last[13:])
	solicit := slices.Concat(be16(solicitation<<8, 0, 0, 0), vip.AsSlice(), []byte{1, 1}, from)
	return map[string][]byte{
		"nd": ethernetFrame(from, append(net.HardwareAddr{0x33, 0x33}, group[12:]...), unix.ETH_P_IPV6,
			ipv6(asker, netip.AddrFrom16(group), unix.IPPROTO_ICMPV6, solicit)),
		"icmp": ethernetFrame(from, to, unix.ETH_P_IPV6, ipv6(asker, vip, unix.IPPROTO_ICMPV6, be16(128<<8, 0, 1, 1))),
		"udp":  ethernetFrame(from, to, unix.ETH_P_IPV6, ipv6(asker, vip, unix.IPPROTO_UDP, udp)),
		"tcp":  ethernetFrame(from, to, unix.ETH_P_IPV6, ipv6(asker, vip, unix.IPPROTO_TCP, syn)),
	}
}

// unsolicited is a Neighbour Advertisement that announces vip at from.
func unsolicited(from net.HardwareAddr, sender, vip netip.Addr) []byte {
	body := slices.Concat(be16(advertisement<<8, 0, 0x2000, 0), vip.AsSlice(), []byte{2, 1}, from)
	all := netip.MustParseAddr("ff02::1")
	return ethernetFrame(from, net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}, unix.ETH_P_IPV6, ipv6(sender, all, unix.IPPROTO_ICMPV6, body))
}

var broadcastHW = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func be16(words ...uint16) (b []byte) {
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	return b
}

func ethernetFrame(from, to net.HardwareAddr, kind uint16, body []byte) []byte {
	return slices.Concat(to, from, be16(kind), body)
}

func arpBody(op uint16, hw net.HardwareAddr, ip netip.Addr, target net.HardwareAddr, targetIP netip.Addr) []byte {
	return slices.Concat(be16(1, unix.ETH_P_IP, 6<<8|4, op), hw, ip.AsSlice(), target, targetIP.AsSlice())
}

func ipv4(from, to netip.Addr, protocol byte, body []byte) []byte {
	head := slices.Concat(be16(0x4500, uint16(20+len(body)), 1, 0), []byte{64, protocol, 0, 0}, from.AsSlice(), to.AsSlice())
	binary.BigEndian.PutUint16(head[10:], checksum(head))
	return append(head, checked(from, to, protocol, body)...)
}

func ipv6(from, to netip.Addr, protocol byte, body []byte) []byte {
	head := slices.Concat(be16(0x6000, 0, uint16(len(body))), []byte{protocol, 255}, from.AsSlice(), to.AsSlice())
	return append(head, checked(from, to, protocol, body)...)
}

// checked fills in the checksum of a transport protocol.
func checked(from, to netip.Addr, protocol byte, body []byte) []byte {
	pseudo := slices.Concat(from.AsSlice(), to.AsSlice(), be16(uint16(protocol), uint16(len(body))))
	at := map[byte]int{unix.IPPROTO_ICMP: 2, unix.IPPROTO_ICMPV6: 2, unix.IPPROTO_UDP: 6, unix.IPPROTO_TCP: 16}[protocol]
	if protocol == unix.IPPROTO_ICMP {
		pseudo = nil
	}
	body = slices.Clone(body)
	binary.BigEndian.PutUint16(body[at:], checksum(append(pseudo, body...)))
	return body
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	if len(b)%2 == 1 {
		b = append(slices.Clone(b), 0)
	}
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// answerOf says what a frame is that speaks for the VIP; "" is something else.
func answerOf(frame []byte, vip netip.Addr) string {
	if len(frame) < 14+28 {
		return ""
	}
	body, ip := frame[14:], vip.AsSlice()
	switch kind := binary.BigEndian.Uint16(frame[12:]); {
	case kind == unix.ETH_P_ARP && vip.Is4() && slices.Equal(body[14:18], ip):
		if slices.Equal(body[24:28], ip) {
			return "announcement"
		}
		return "arp"
	case kind == unix.ETH_P_IP && vip.Is4() && slices.Equal(body[12:16], ip):
		return protocols[body[9]]
	case kind == unix.ETH_P_IPV6 && vip.Is6() && len(body) >= 64 && body[6] == unix.IPPROTO_ICMPV6 &&
		body[40] == advertisement && slices.Equal(body[48:64], ip):
		if body[44]&0x40 == 0 {
			return "announcement"
		}
		return "nd"
	case kind == unix.ETH_P_IPV6 && vip.Is6() && slices.Equal(body[8:24], ip):
		return protocols[body[6]]
	}
	return ""
}

var protocols = map[byte]string{
	unix.IPPROTO_ICMP: "icmp", unix.IPPROTO_ICMPV6: "icmp", unix.IPPROTO_UDP: "udp", unix.IPPROTO_TCP: "tcp",
}
