package election

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// What hosts that are no peers' may cost, all of them together. A guest sends ten
// packets a second, and somewhat more while it looks for votes.
const (
	doorPackets = 512      // a second; each costs a decryption, some microseconds
	doorQueue   = 64       // that wait
	doorStreams = 8        // at a time
	doorStream  = 64 << 10 // bytes of one; 17 nodes with all the metadata they may have are 11 KiB
)

// door is where packets and streams go whose host is no peer's: to the lobby, within
// these bounds, or away. Nobody waits at it. The zero value but for turnAway lets
// nothing in; nil does the same and tells nobody.
type door struct {
	turnAway func(netip.Addr) // must not block
	packets  chan *memberlist.Packet
	streams  chan net.Conn
	inside   atomic.Int32 // streams

	second time.Time // when the count began; these two are the packet reader's
	count  int
}

func newDoor(turnAway func(netip.Addr)) *door {
	return &door{turnAway: turnAway, packets: make(chan *memberlist.Packet, doorQueue), streams: make(chan net.Conn, doorStreams)}
}

// packet is called by one goroutine; b is copied.
func (d *door) packet(b []byte, from netip.AddrPort) {
	if d == nil {
		return
	}
	if now := time.Now(); len(d.packets) < cap(d.packets) && d.affords(now) {
		// Nobody else sends: there is room.
		d.packets <- &memberlist.Packet{Buf: bytes.Clone(b), From: net.UDPAddrFromAddrPort(from), Timestamp: now}
		return
	}
	d.turnAway(from.Addr())
}

func (d *door) affords(now time.Time) bool {
	if now.Sub(d.second) >= time.Second {
		d.second, d.count = now, 0
	}
	d.count++
	return d.count <= doorPackets
}

// stream takes over conn.
func (d *door) stream(conn net.Conn, from netip.Addr) {
	if d == nil {
		conn.Close()
		return
	}
	if int(d.inside.Add(1)) > cap(d.streams) {
		d.inside.Add(-1)
		conn.Close()
		d.turnAway(from)
		return
	}
	v := &visit{Conn: conn, left: doorStream}
	v.leave = sync.OnceFunc(func() { d.inside.Add(-1) })
	d.streams <- v // there is room: no more are inside
}

// visit is a stream that may not say more than left bytes.
type visit struct {
	net.Conn
	left  int
	leave func()
}

var errTooLong = errors.New("it is longer than a guest's can be")

func (v *visit) Read(b []byte) (int, error) {
	if v.left == 0 && len(b) > 0 {
		return 0, errTooLong
	}
	n, err := v.Conn.Read(b[:min(len(b), v.left)])
	v.left -= n
	return n, err
}

func (v *visit) Close() error {
	v.leave()
	return v.Conn.Close()
}
