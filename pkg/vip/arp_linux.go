package vip

import (
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
)

// sendTimeout bounds how long a full transmit queue may keep the holder from
// its other work.
const sendTimeout = 20 * time.Millisecond

// arpAnnouncer sends gratuitous ARP (RFC 5227, section 3; RFC 5944, section 4.6).
type arpAnnouncer struct {
	vip    netip.Addr
	client *arp.Client // for the interface with number index; kept open, since closing waits for the kernel (synchronize_net)
	index  int
}

// announce broadcasts where the VIP is, in the two forms that between them
// everybody understands. Linux takes both at once, even within locktime: a reply
// only because its target is our own hardware address, not the broadcast one
// (net/ipv4/arp.c, arp_is_garp).
func (a *arpAnnouncer) announce(l link, deadline time.Time) (sent, unsent int) {
	for _, op := range []arp.Operation{arp.OperationRequest, arp.OperationReply} {
		if past(deadline) {
			break
		}
		if a.send(l, op, deadline) != nil {
			// ENOBUFS, ENETDOWN, ENXIO and the like: expected during failover.
			unsent++
			a.hangUp()
			continue
		}
		sent++
	}
	return sent, unsent
}

func (a *arpAnnouncer) send(l link, op arp.Operation, deadline time.Time) error {
	ifi, err := net.InterfaceByIndex(l.index) // anew: a bond changes its hardware address
	if err != nil {
		return err
	}
	p, err := garp(op, ifi.HardwareAddr, a.vip)
	if err != nil {
		return err
	}
	if err := a.dial(ifi); err != nil {
		return err
	}
	until := time.Now().Add(sendTimeout)
	if deadline.Before(until) {
		until = deadline
	}
	if err := a.client.SetWriteDeadline(until); err != nil {
		return err
	}
	if past(deadline) {
		return errPast
	}
	return a.client.WriteTo(p, ethernet.Broadcast)
}

// garp returns an announcement of ip at hw. In a request the target hardware
// address means nothing and is zero (RFC 5227, section 1.1).
func garp(op arp.Operation, hw net.HardwareAddr, ip netip.Addr) (*arp.Packet, error) {
	target := hw
	if op == arp.OperationRequest {
		target = make(net.HardwareAddr, len(hw))
	}
	return arp.NewPacket(op, hw, ip, target, ip)
}

// dial opens a socket for ifi unless there is one. It is bound to no protocol,
// so that it receives nothing.
func (a *arpAnnouncer) dial(ifi *net.Interface) error {
	if a.client != nil && a.index == ifi.Index {
		return nil
	}
	a.hangUp()
	conn, err := packet.Listen(ifi, packet.Raw, 0, nil)
	if err != nil {
		return err
	}
	c, err := arp.New(ifi, conn)
	if err != nil {
		_ = conn.Close()
		return err
	}
	a.client, a.index = c, ifi.Index
	return nil
}

// hangUp closes the socket; it only sent.
func (a *arpAnnouncer) hangUp() {
	if a.client != nil {
		_ = a.client.Close()
		a.client = nil
	}
}
