package vip

import (
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// TestTickle: what is sent is an acknowledgement with the checksum that others
// compute.
func TestTickle(t *testing.T) {
	from, to := netip.MustParseAddrPort("192.168.0.10:6443"), netip.MustParseAddrPort("192.168.0.100:54321")
	got := tickle(from, to)
	want := gopacket.NewSerializeBuffer()
	tcp := &layers.TCP{SrcPort: 6443, DstPort: 54321, ACK: true, Window: 1}
	if err := tcp.SetNetworkLayerForChecksum(&layers.IPv4{
		SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice(), Protocol: layers.IPProtocolTCP,
	}); err != nil {
		t.Fatal(err)
	}
	if err := tcp.SerializeTo(want, gopacket.SerializeOptions{ComputeChecksums: true, FixLengths: true}); err != nil {
		t.Fatal(err)
	}
	if hex.EncodeToString(got) != hex.EncodeToString(want.Bytes()) {
		t.Errorf("%x, want %x", got, want.Bytes())
	}
}
