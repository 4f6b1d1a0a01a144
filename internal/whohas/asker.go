// Package whohas asks the network who has an address, by ARP (RFC 826) or Neighbour
// Discovery (RFC 4861), and hears who says so.
package whohas

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// macLength is that of a hardware address of Ethernet.
const macLength = 6

// Asker asks about one address by one interface. It is used by one goroutine at a
// time, but for Close.
type Asker struct {
	ip   netip.Addr
	self netip.Addr // who asks; an unspecified one is nobody
	link string
	ask  []byte
	conn *packet.Conn
}

// Claim is somebody who says that the address is theirs.
type Claim struct {
	MAC net.HardwareAddr
	// Answer says that this was told to whoever asked in this one's name, and not
	// announced to all. In IPv6 an answer to nobody goes to all and is none of these.
	Answer bool
}

// Open asks in the name of nobody, when self is the zero Addr, which changes nobody's idea of where anything is;
// or of self, an address of this host on that interface, so that answers come to
// this host alone. It needs CAP_NET_RAW.
func Open(link string, ip, self netip.Addr) (*Asker, error) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return nil, err
	}
	if len(i.HardwareAddr) != macLength {
		return nil, fmt.Errorf("interface %s is no Ethernet", link)
	}
	switch {
	case self.IsValid():
	case ip.Is4():
		self = netip.IPv4Unspecified()
	default:
		self = netip.IPv6Unspecified()
	}
	a := &Asker{ip: ip, self: self, link: link}
	if a.ask, err = question(ip, self, i.HardwareAddr); err != nil {
		return nil, fmt.Errorf("make a question for %s: %w", ip, err)
	}
	kind := unix.ETH_P_ARP
	if ip.Is6() {
		kind = unix.ETH_P_IPV6
	}
	filter, err := bpf.Assemble(answersTo(ip))
	if err != nil {
		return nil, fmt.Errorf("make a filter for %s: %w", ip, err)
	}
	if a.conn, err = packet.Listen(i, packet.Raw, kind, &packet.Config{Filter: filter}); err != nil {
		return nil, fmt.Errorf("ask for %s on %s: %w (needs root, or CAP_NET_RAW)", ip, link, err)
	}
	return a, nil
}

// Ask asks once.
func (a *Asker) Ask() error {
	if _, err := a.conn.WriteTo(a.ask, &packet.Addr{HardwareAddr: a.ask[:macLength]}); err != nil {
		return fmt.Errorf("ask for %s on %s: %w", a.ip, a.link, err)
	}
	return nil
}

// mostClaims bounds one Hear.
const mostClaims = 1000

// Hear calls with for each claim, until a moment, at most a thousand times. What has
// come till it returns is heard, also by a process that was held up past the moment:
// it is never taken for an answer to a later question.
func (a *Asker) Hear(until time.Time, with func(Claim)) error {
	if err := a.hear(until, with); err != nil {
		return fmt.Errorf("hear answers for %s on %s: %w", a.ip, a.link, err)
	}
	return nil
}

func (a *Asker) hear(until time.Time, with func(Claim)) error {
	if err := a.conn.SetReadDeadline(until); err != nil {
		return err
	}
	buf := make([]byte, 256)
	for range mostClaims {
		n, _, err := a.conn.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return a.rest(buf, with)
		case err != nil:
			return err
		}
		a.claim(buf[:n], with)
	}
	return nil
}

// rest takes in what is there, without waiting: once a deadline has passed, ReadFrom
// reads nothing at all.
func (a *Asker) rest(buf []byte, with func(Claim)) error {
	if err := a.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	raw, err := a.conn.SyscallConn()
	if err != nil {
		return err
	}
	var got error
	err = raw.Read(func(fd uintptr) bool {
		for range mostClaims {
			n, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				got = err
				break
			}
			a.claim(buf[:n], with)
		}
		return true
	})
	if errors.Is(got, unix.EAGAIN) {
		got = nil
	}
	return errors.Join(err, got)
}

func (a *Asker) claim(frame []byte, with func(Claim)) {
	if c, ok := claimOf(frame, a.ip, a.self); ok {
		with(c)
	}
}

// Close ends it.
func (a *Asker) Close() error { return a.conn.Close() }
