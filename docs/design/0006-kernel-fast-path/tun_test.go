package sockmap

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rawPeer is a TCP that sends the segments that a test wants.
type rawPeer struct {
	t        *testing.T
	fd       int
	port     uint16
	seq, ack uint32
}

// ownNetwork gives the test's thread a network namespace of its own, with a
// device of which the test has the other end.
func ownNetwork(t *testing.T) (tun int) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skip("unshare:", err)
	}
	tun, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Close(tun) })
	ifr, _ := unix.NewIfreq("tun0")
	ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(tun, unix.TUNSETIFF, ifr); err != nil {
		t.Fatal(err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	ifr, _ = unix.NewIfreq("tun0")
	ifr.SetInet4Addr([]byte{10, 9, 0, 1})
	if err := unix.IoctlIfreq(s, unix.SIOCSIFADDR, ifr); err != nil {
		t.Fatal(err)
	}
	ifr, _ = unix.NewIfreq("tun0")
	ifr.SetInet4Addr([]byte{255, 255, 255, 0})
	if err := unix.IoctlIfreq(s, unix.SIOCSIFNETMASK, ifr); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tun0", "lo"} {
		ifr, _ = unix.NewIfreq(name)
		ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr); err != nil {
			t.Fatal(err)
		}
	}
	return tun
}

func sum(b []byte, s uint32) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)&1 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	return s
}
func fold(s uint32) uint16 {
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

func (p *rawPeer) send(off uint32, flags byte, data []byte) {
	b := make([]byte, 40+len(data))
	b[0] = 0x45
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[8], b[9] = 64, 6
	copy(b[12:], []byte{10, 9, 0, 2})
	copy(b[16:], []byte{10, 9, 0, 1})
	binary.BigEndian.PutUint16(b[10:], fold(sum(b[:20], 0)))
	h := b[20:]
	binary.BigEndian.PutUint16(h, 4000)
	binary.BigEndian.PutUint16(h[2:], p.port)
	binary.BigEndian.PutUint32(h[4:], p.seq+off)
	binary.BigEndian.PutUint32(h[8:], p.ack)
	h[12], h[13] = 5<<4, flags
	binary.BigEndian.PutUint16(h[14:], 65535)
	if flags&0x20 != 0 {
		binary.BigEndian.PutUint16(h[18:], uint16(len(data)))
	}
	copy(h[20:], data)
	pseudo := sum(b[12:20], 6+uint32(len(h)))
	binary.BigEndian.PutUint16(h[16:], fold(sum(h, pseudo)))
	if _, err := unix.Write(p.fd, b); err != nil {
		p.t.Fatal(err)
	}
}

// connect shakes hands with a listener.
func rawConnect(t *testing.T, tun int) (*rawPeer, *net.TCPConn) {
	ln, err := net.Listen("tcp4", "10.9.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := &rawPeer{t: t, fd: tun, port: uint16(ln.Addr().(*net.TCPAddr).Port), seq: 1000}
	p.send(0, 0x02, nil)
	buf := make([]byte, 2000)
	for {
		n, err := unix.Read(tun, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n >= 40 && buf[0]>>4 == 4 && buf[9] == 6 && buf[33]&0x12 == 0x12 {
			p.ack = binary.BigEndian.Uint32(buf[24:]) + 1
			break
		}
	}
	p.seq++
	p.send(0, 0x10, nil)
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return p, c.(*net.TCPConn)
}

// overlap sends old and new bytes together, in order and out of it, and returns
// what arrives, up to so many bytes and one more.
func overlap(t *testing.T, v variant, want int) string {
	tun := ownNetwork(t)
	p, a := rawConnect(t, tun)
	b, server := pair(t)
	m := mustOpen(t, v)
	if err := errors.Join(m.insert(0, fdOf(t, a)), m.insert(1, fdOf(t, b))); err != nil {
		t.Fatal(err)
	}
	const psh, ack = 0x08, 0x10
	p.send(0, psh|ack, []byte("0123456789"))
	p.send(5, psh|ack, []byte("56789abcde"))   // a retransmission that begins earlier
	p.send(20, psh|ack, []byte("klmno"))       // out of order
	p.send(12, psh|ack, []byte("cdefghijklm")) // overlaps on both sides
	server.SetReadDeadline(time.Now().Add(2 * time.Second))
	buf := make([]byte, want+1)
	n, err := io.ReadFull(server, buf[:want])
	if err != nil {
		return string(buf[:n])
	}
	server.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	k, _ := server.Read(buf[want:])
	return string(buf[:want+k])
}
