package vip

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// What a datagram and its echo cost, from one namespace to another and back: without
// a fence, and with one of 1 and of 64 VIPs, to a VIP that is open and to another
// address of its host.
func BenchmarkKernelPacket(b *testing.B) {
	for name, n := range map[string]int{"none": 0, "1": 1, "64": 64} {
		for what, to := range map[string]netip.Addr{"vip": netip.MustParseAddr("10.99.1.0"), "other": netip.MustParseAddr("10.99.0.1")} {
			b.Run(name+"/"+what, func(b *testing.B) { costOfPacket(b, n, to) })
		}
	}
}

func costOfPacket(b *testing.B, vips int, to netip.Addr) {
	host, peer := cable(b)
	host.do(b, func() error { return addPlain(hostIf, "10.99.1.0/32") })
	peer.do(b, func() error {
		l, err := netlink.LinkByName(peerIf)
		if err != nil {
			return err
		}
		_, dst, _ := net.ParseCIDR("10.99.1.0/24")
		return netlink.RouteAdd(&netlink.Route{LinkIndex: l.Attrs().Index, Dst: dst})
	})
	host.echo(b, netip.AddrPortFrom(to, echoPort))
	if vips > 0 {
		f := newFences(manyVIPs(vips))
		b.Cleanup(f.hangUp)
		host.do(b, f.prepare)
		for name := range manyVIPs(vips) {
			if err := f.arm(map[string]uint64{name: 1}, time.Hour); err != nil {
				b.Fatal(err)
			}
			if err := f.open(name, 1, time.Now().Add(time.Hour)); err != nil {
				b.Fatal(err)
			}
		}
	}
	var c net.Conn
	peer.do(b, func() (err error) { c, err = net.Dial("udp", netip.AddrPortFrom(to, echoPort).String()); return err })
	defer c.Close()
	buf := make([]byte, 16)
	for b.Loop() {
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
