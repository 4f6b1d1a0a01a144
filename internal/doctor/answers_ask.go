package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// macLength is that of a hardware address of Ethernet.
const macLength = 6

// A probe may be lost, and is lost where a switch port has just come up: RFC 5227,
// section 1.1, sends three. Whoever has the address answers within milliseconds.
const (
	askCount = 3
	askPause = 400 * time.Millisecond
)

// askNetwork asks by an interface who has an address, and returns the hardware
// addresses that answered, sorted. The probes come from nobody (RFC 5227, section
// 2.1.1; RFC 4862, section 5.4.2), and so change nobody's idea of where it is.
func askNetwork(ctx context.Context, link string, ip netip.Addr) (macs []string, err error) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return nil, err
	}
	if len(i.HardwareAddr) != macLength {
		return nil, fmt.Errorf("interface %s is no Ethernet", link)
	}
	frame, err := askFrame(ip, i.HardwareAddr)
	if err != nil {
		return nil, fmt.Errorf("make a probe for %s: %w", ip, err)
	}
	conn, err := openAsking(i, ip)
	if err != nil {
		return nil, fmt.Errorf("ask for %s on %s: %w (needs root, or CAP_NET_RAW)", ip, link, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for range askCount {
		if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:macLength]}); err != nil {
			return macs, fmt.Errorf("ask for %s on %s: %w", ip, link, err)
		}
		if macs, err = hearAnswers(ctx, conn, ip, macs); err != nil {
			return macs, fmt.Errorf("hear answers for %s on %s: %w", ip, link, err)
		}
	}
	slices.Sort(macs)
	return slices.Compact(macs), nil
}

// openAsking opens a socket that gets what comes in of ARP, or of IPv6.
func openAsking(i *net.Interface, ip netip.Addr) (*packet.Conn, error) {
	kind := unix.ETH_P_ARP
	if ip.Is6() {
		kind = unix.ETH_P_IPV6
	}
	filter, err := bpf.Assemble(answersTo(ip))
	if err != nil {
		return nil, err
	}
	return packet.Listen(i, packet.Raw, kind, &packet.Config{Filter: filter})
}

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

// hearAnswers hears until the next probe is due.
func hearAnswers(ctx context.Context, conn *packet.Conn, ip netip.Addr, macs []string) ([]string, error) {
	until := time.Now().Add(askPause)
	if end, ok := ctx.Deadline(); ok && end.Before(until) {
		until = end
	}
	if err := conn.SetReadDeadline(until); err != nil {
		return macs, err
	}
	for buf := make([]byte, 256); len(macs) < 1000; {
		n, _, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return macs, ctx.Err()
		case err != nil:
			return macs, err
		}
		if mac, ok := answerOf(buf[:n], ip); ok && !slices.Contains(macs, mac.String()) {
			macs = append(macs, mac.String())
		}
	}
	return macs, nil
}

// askFrame is a probe.
func askFrame(ip netip.Addr, from net.HardwareAddr) ([]byte, error) {
	if ip.Is4() {
		p, err := arp.NewPacket(arp.OperationRequest, from, netip.IPv4Unspecified(), make(net.HardwareAddr, macLength), ip)
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
	body, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{TargetAddress: ip}, netip.IPv6Unspecified(), group)
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint16([]byte{6 << 4, 0, 0, 0}, uint16(len(body)))
	head = append(head, unix.IPPROTO_ICMPV6, ndp.HopLimit)
	to := group.As16()
	return (&ethernet.Frame{
		Destination: append(net.HardwareAddr{0x33, 0x33}, to[12:]...), Source: from, // RFC 2464, section 7
		EtherType: ethernet.EtherTypeIPv6,
		Payload:   slices.Concat(head, netip.IPv6Unspecified().AsSlice(), group.AsSlice(), body),
	}).MarshalBinary()
}

// answerOf is who says in a frame that they have ip.
func answerOf(b []byte, ip netip.Addr) (net.HardwareAddr, bool) {
	var f ethernet.Frame
	if f.UnmarshalBinary(b) != nil {
		return nil, false
	}
	if ip.Is4() {
		var p arp.Packet
		ok := p.UnmarshalBinary(f.Payload) == nil && p.SenderIP == ip && len(p.SenderHardwareAddr) == macLength
		return p.SenderHardwareAddr, ok
	}
	const head = 40
	if len(f.Payload) < head {
		return nil, false
	}
	body := f.Payload[head:]
	m, err := ndp.ParseMessage(body[:min(int(binary.BigEndian.Uint16(f.Payload[4:])), len(body))])
	na, is := m.(*ndp.NeighborAdvertisement)
	if err != nil || !is || na.TargetAddress != ip {
		return nil, false
	}
	for _, o := range na.Options {
		if l, is := o.(*ndp.LinkLayerAddress); is && l.Direction == ndp.Target && len(l.Addr) == macLength {
			return l.Addr, true
		}
	}
	return f.Source, true
}
