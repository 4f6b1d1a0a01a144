package vip

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"golang.org/x/sys/unix"
)

// advertisementOf is what announces vip at hw: an unsolicited Neighbour
// Advertisement that overrides (RFC 4861, section 7.2.6). It comes from the
// address itself, as those of the kernel do (net/ipv6/ndisc.c, ndisc_send_na).
func advertisementOf(vip netip.Addr, hw net.HardwareAddr, router bool) (*ethernet.Frame, error) {
	return neighbourFrame(hw, vip, netip.IPv6LinkLocalAllNodes(), &ndp.NeighborAdvertisement{
		Router: router, Override: true, TargetAddress: vip,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: hw}},
	})
}

// neighbourFrame is a multicast.
func neighbourFrame(hw net.HardwareAddr, from, to netip.Addr, m ndp.Message) (*ethernet.Frame, error) {
	body, err := ndp.MarshalMessageChecksum(m, from, to)
	if err != nil {
		return nil, err
	}
	header := binary.BigEndian.AppendUint16([]byte{6 << 4, 0, 0, 0}, uint16(len(body)))
	header = append(header, unix.IPPROTO_ICMPV6, ndp.HopLimit)
	group := to.As16()
	return &ethernet.Frame{
		Destination: append(net.HardwareAddr{0x33, 0x33}, group[12:]...), Source: hw, // RFC 2464, section 7
		EtherType: ethernet.EtherTypeIPv6,
		Payload:   slices.Concat(header, from.AsSlice(), to.AsSlice(), body),
	}, nil
}

// routes reports whether the host forwards what comes in on an interface, which
// its neighbours are to know: whoever says no stops being their router (RFC 4861,
// section 7.2.5).
func routes(ifname string) bool {
	b, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv6/conf", ifname, "forwarding"))
	return err == nil && !bytes.Equal(bytes.TrimSpace(b), []byte("0"))
}
