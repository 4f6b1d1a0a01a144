package vip

import (
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
)

// sendTimeout bounds how long a full transmit queue may keep the holder from
// its other work.
const sendTimeout = 20 * time.Millisecond

// neighbourAnnouncer tells the hosts of a link by ARP or Neighbour Discovery,
// through a packet socket; layer 2 of the fence stands before that. What it has
// said ends by itself.
type neighbourAnnouncer struct {
	vip   netip.Addr
	conn  *packet.Conn // for the interface with number index; kept open, since closing waits for the kernel (synchronize_net)
	index int
}

// announce sends each form of announcement that the VIP's kind has. An interface
// that is no Ethernet (a loopback, a tunnel) has no neighbours to tell.
func (a *neighbourAnnouncer) announce(l link, deadline time.Time) (sent, unsent int) {
	ifi, err := net.InterfaceByIndex(l.index) // anew: a bond changes its hardware address
	if err != nil {
		return 0, 1
	}
	if len(ifi.HardwareAddr) != ethernetAddr {
		return 0, 0
	}
	frames, err := a.frames(ifi)
	if err != nil {
		return 0, 1
	}
	for _, f := range frames {
		if past(deadline) {
			break
		}
		if a.send(ifi, f, deadline) != nil {
			// ENOBUFS, ENETDOWN, ENXIO and the like: expected during failover.
			unsent++
			a.hangUp()
			continue
		}
		sent++
	}
	return sent, unsent
}

func (a *neighbourAnnouncer) frames(ifi *net.Interface) ([]*ethernet.Frame, error) {
	if a.vip.Is6() {
		na, err := advertisementOf(a.vip, ifi.HardwareAddr, routes(ifi.Name))
		return []*ethernet.Frame{na}, err
	}
	return gratuitousARP(a.vip, ifi.HardwareAddr)
}

func (a *neighbourAnnouncer) send(ifi *net.Interface, f *ethernet.Frame, deadline time.Time) error {
	b, err := f.MarshalBinary()
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
	if err := a.conn.SetWriteDeadline(until); err != nil {
		return err
	}
	if past(deadline) {
		return errPast
	}
	_, err = a.conn.WriteTo(b, &packet.Addr{HardwareAddr: f.Destination})
	return err
}

// dial opens a socket for ifi unless there is one. It is bound to no protocol,
// so that it receives nothing.
func (a *neighbourAnnouncer) dial(ifi *net.Interface) (err error) {
	if a.conn != nil && a.index == ifi.Index {
		return nil
	}
	a.hangUp()
	a.conn, err = packet.Listen(ifi, packet.Raw, 0, nil)
	a.index = ifi.Index
	return err
}

func (a *neighbourAnnouncer) withdraw() {}

// hangUp closes the socket; it only sent.
func (a *neighbourAnnouncer) hangUp() {
	if a.conn != nil {
		_ = a.conn.Close()
		a.conn = nil
	}
}
