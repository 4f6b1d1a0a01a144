package election

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sys/unix"
)

// transport is the sockets under memberlist. It does what memberlist's own transport
// does, and besides: a send never waits, what comes from hosts that are no
// peers goes to the door before anything looks at it, streams leave from the address
// that the peers know and end with Shutdown, and a packet costs its own size of
// memory and not 64 KiB.
type transport struct {
	bind  netip.AddrPort
	hears func(netip.Addr) bool // asked for the source of each packet and stream; must not block
	door  *door                 // for those that are not heard

	udp  *net.UDPConn
	raw  syscall.RawConn // of udp
	tcp  net.Listener
	ends context.Context // ended by Shutdown; streams live in it
	end  context.CancelFunc

	packets   chan *memberlist.Packet
	streams   chan net.Conn
	listeners sync.WaitGroup
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

const (
	maxPacket    = 64 << 10
	acceptPause  = 20 * time.Millisecond // after an error, such as too many open files
	socketBuffer = 4 << 20
)

// listen opens both sockets and starts to read: memberlist wants it so.
func listen(bind netip.AddrPort, hears func(netip.Addr) bool, others *door) (*transport, error) {
	family := "6"
	if bind.Addr().Is4() {
		family = "4"
	}
	t := &transport{bind: bind, hears: hears, door: others, packets: make(chan *memberlist.Packet), streams: make(chan net.Conn)}
	var err error
	if t.tcp, err = net.ListenTCP("tcp"+family, net.TCPAddrFromAddrPort(bind)); err != nil {
		return nil, fmt.Errorf("listen for streams: %w", err)
	}
	if t.udp, err = net.ListenUDP("udp"+family, net.UDPAddrFromAddrPort(bind)); err != nil {
		return nil, errors.Join(fmt.Errorf("listen for packets: %w", err), t.tcp.Close())
	}
	if t.raw, err = t.udp.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("use the packet socket: %w", err), t.tcp.Close(), t.udp.Close())
	}
	t.growBuffers()
	t.ends, t.end = context.WithCancel(context.Background())
	t.listeners.Go(t.readPackets)
	t.listeners.Go(t.acceptStreams)
	return t, nil
}

// growBuffers makes room for what waits for dead hosts. While a neighbour does
// not answer ARP the kernel keeps up to 208 KiB of packets for it (Linux,
// net.ipv4.neigh.*.unres_qlen_bytes) and charges them to the socket for 3 s. With
// its default of 208 KiB, 167 small packets to two dead hosts were enough that
// nothing could be sent to the living (measured, 6.18). Beyond the system's
// limit it takes CAP_NET_ADMIN; without that the limit has to do.
func (t *transport) growBuffers() {
	_ = t.udp.SetReadBuffer(socketBuffer) // up to the limit; never an error that helps
	_ = t.udp.SetWriteBuffer(socketBuffer)
	_ = t.raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBuffer)
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer)
	})
}

func (t *transport) readPackets() {
	buf := make([]byte, maxPacket)
	for t.ends.Err() == nil {
		n, from, err := t.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.pause()
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if n == 0 {
			continue
		}
		if !t.hears(from.Addr()) {
			t.door.packet(buf[:n], from)
			continue
		}
		packet := &memberlist.Packet{Buf: bytes.Clone(buf[:n]), From: net.UDPAddrFromAddrPort(from), Timestamp: time.Now()}
		select {
		case t.packets <- packet:
		case <-t.ends.Done():
		}
	}
}

func (t *transport) acceptStreams() {
	for t.ends.Err() == nil {
		conn, err := t.tcp.Accept()
		if err != nil {
			t.pause()
			continue
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if !t.hears(from) {
			t.door.stream(t.bound(conn), from)
			continue
		}
		select {
		case t.streams <- t.bound(conn):
		case <-t.ends.Done():
			conn.Close()
		}
	}
}

func (t *transport) pause() {
	select {
	case <-time.After(acceptPause):
	case <-t.ends.Done():
	}
}

// WriteToAddress sends a packet, or drops it when the socket's buffer is full:
// Go's own way would wait until there is room, up to three seconds.
func (t *transport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	addr, err := netip.ParseAddrPort(to.Addr)
	if err != nil {
		return time.Time{}, fmt.Errorf("send to %q: %w", to.Addr, err)
	}
	var sent error
	err = t.raw.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), b, unix.MSG_DONTWAIT, sockaddr(addr))
		return true // done, whatever came of it: never wait
	})
	if err = errors.Join(err, sent); err != nil {
		return time.Time{}, fmt.Errorf("send to %s at %s: %w", to.Name, addr, err)
	}
	return time.Now(), nil
}

func sockaddr(to netip.AddrPort) unix.Sockaddr {
	if to.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
}

// DialAddressTimeout opens a stream. It leaves from the address that the peers
// know this node by, even where the route would choose another.
func (t *transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(t.bind.Addr(), 0))}
	conn, err := d.DialContext(t.ends, "tcp", to.Addr)
	if err != nil {
		return nil, err // names the address already
	}
	return t.bound(conn), nil
}

// boundConn is closed by the end of the transport at the latest.
type boundConn struct {
	net.Conn
	forget func() bool
}

func (t *transport) bound(conn net.Conn) net.Conn {
	return boundConn{conn, context.AfterFunc(t.ends, func() { conn.Close() })}
}

func (c boundConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// Shutdown closes everything and waits for the readers. It returns nil.
func (t *transport) Shutdown() error {
	t.end()
	t.tcp.Close()
	_ = t.udp.Close()
	t.listeners.Wait()
	return nil
}

// FinalAdvertiseAddr implements memberlist.Transport: what is bound is told.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.bind.Addr().AsSlice(), int(t.bind.Port()), nil
}

// WriteTo implements memberlist.Transport.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// DialTimeout implements memberlist.Transport.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// PacketCh implements memberlist.Transport.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh implements memberlist.Transport.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }
