package doctor

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// packet4 is an IPv4 packet of VRRP.
func packet4(payload ...byte) []byte {
	head := []byte{0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, protocolVRRP, 0, 0, 192, 168, 0, 1, 224, 0, 0, 18}
	binary.BigEndian.PutUint16(head[2:], uint16(len(head)+len(payload)))
	return append(head, payload...)
}

func packet6(payload ...byte) []byte {
	head := append([]byte{0x60, 0, 0, 0, 0, byte(len(payload)), protocolVRRP, 255}, netip.MustParseAddr("fe80::1").AsSlice()...)
	return slices.Concat(head, netip.MustParseAddr("ff02::12").AsSlice(), payload)
}

var adverts = map[string]struct {
	packet []byte
	want   string
}{
	"VRRPv2":         {packet4(append([]byte{0x21, 51, 100, 1, 1, 1, 0, 0, 192, 168, 0, 10}, "password"...)...), "VRRPv2 51 from 192.168.0.1 on  for 192.168.0.10"},
	"VRRPv3":         {packet4(0x31, 7, 100, 2, 0, 100, 0, 0, 192, 168, 0, 10, 10, 0, 0, 1), "VRRPv3 7 from 192.168.0.1 on  for 192.168.0.10, 10.0.0.1"},
	"VRRPv3 of IPv6": {packet6(slices.Concat([]byte{0x31, 7, 100, 1, 0, 100, 0, 0}, netip.MustParseAddr("fd00::10").AsSlice())...), "VRRPv3 7 from fe80::1 on  for fd00::10"},
	"CARP":           {packet4(slices.Concat([]byte{0x21, 9, 0, 7, 0, 1, 0, 0}, make([]byte, 28))...), "CARP 9 from 192.168.0.1 on "},
	"padded":         {append(packet4(0x31, 7, 100, 1, 0, 100, 0, 0, 192, 168, 0, 10), make([]byte, 20)...), "VRRPv3 7 from 192.168.0.1 on  for 192.168.0.10"},
	"cut":            {packet4(0x21, 51, 100, 2, 1, 1, 0, 0, 192, 168, 0, 10), ""},
	"no header":      {packet4(0x21, 51, 100), ""},
	"another type":   {packet4(0x22, 51, 100, 0, 1, 1, 0, 0), ""},
	"version 4":      {packet4(0x41, 51, 100, 0, 1, 1, 0, 0), ""},
	"of TCP":         {append([]byte{0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6}, make([]byte, 10)...), ""},
	"nothing":        {nil, ""},
}

func TestParseAdvert(t *testing.T) {
	for name, tt := range adverts {
		a, ok := parseAdvert(tt.packet)
		if got := a.String(); ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%s: %q, %v, want %q", name, got, ok, tt.want)
		}
		if strings.Contains(a.String(), "password") {
			t.Errorf("%s: %s", name, a)
		}
	}
}

func FuzzAdvert(f *testing.F) {
	for _, tt := range adverts {
		f.Add(tt.packet)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		a, ok := parseAdvert(packet)
		if ok && (!a.Source.IsValid() || a.Kind == "" || len(a.Addresses) > 255) {
			t.Errorf("%+v", a)
		}
	})
}
