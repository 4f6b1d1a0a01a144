package doctor

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Advert is a message by which a program says that it has addresses.
type Advert struct {
	Interface string       `json:"interface"`
	Source    netip.Addr   `json:"source"`
	Kind      string       `json:"kind"` // VRRPv2, VRRPv3 or CARP
	ID        byte         `json:"id"`   // virtual router, or VHID
	Priority  byte         `json:"priority"`
	Addresses []netip.Addr `json:"addresses,omitempty"` // CARP tells none
}

func (a Advert) compare(b Advert) int {
	return cmp.Or(a.Source.Compare(b.Source), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Interface, b.Interface))
}

// String is how an advert is told.
func (a Advert) String() string {
	text := fmt.Sprintf("%s %d from %s on %s", a.Kind, a.ID, a.Source, a.Interface)
	if len(a.Addresses) > 0 {
		text += " for " + addressList(a.Addresses)
	}
	return text
}

const (
	// protocolVRRP is that of VRRP (RFC 9568, section 5.1.1.4) and of CARP.
	protocolVRRP = 112
	maxAdverts   = 64
)

// vrrpGroups are the link addresses of 224.0.0.18 and ff02::12 (RFC 1112 and 2464).
var vrrpGroups = [][]byte{{0x01, 0x00, 0x5e, 0, 0, 0x12}, {0x33, 0x33, 0, 0, 0, 0x12}}

// onlyVRRP lets pass what is IP, of protocol 112, and of no VLAN inside the
// interface (filter.rst and SKF_AD_VLAN_TAG_PRESENT of Linux).
var onlyVRRP = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0xfffff000 + 48},      // in a VLAN?
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 9, K: 0},            //
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0},                    // the version
	{Code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, K: 4},                   //
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 2, K: 4},            //
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 9},                    // IPv4: protocol
	{Code: unix.BPF_JMP | unix.BPF_JA, K: 2},                                 //
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: 6},            //
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 6},                    // IPv6: next header
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: protocolVRRP}, //
	{Code: unix.BPF_RET | unix.BPF_K, K: 2048},                               // pass
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},                                  // drop
}

// hearAdverts listens on an interface until ctx is done, to what arrives and to
// what this host sends. Each advert is told once.
func hearAdverts(ctx context.Context, link string) (all []Advert, err error) {
	f, err := openVRRP(link)
	if err != nil {
		return nil, fmt.Errorf("listen for VRRP on %s: %w", link, err)
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for packet := make([]byte, 2048); len(all) < maxAdverts; {
		n, err := f.Read(packet)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return all, nil
		case errors.Is(err, unix.ENETDOWN):
			continue // it is told once
		case err != nil:
			return nil, fmt.Errorf("listen for VRRP on %s: %w", link, err)
		}
		a, ok := parseAdvert(packet[:n])
		a.Interface = link
		if ok && !slices.ContainsFunc(all, func(b Advert) bool { return a.compare(b) == 0 }) {
			all = append(all, a)
		}
	}
	return all, nil
}

// openVRRP opens a packet socket that has the interface take multicasts of VRRP, for
// as long as it is open.
func openVRRP(link string) (*os.File, error) {
	i, err := net.InterfaceByName(link)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w (needs root, or CAP_NET_RAW)", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(onlyVRRP)), Filter: &onlyVRRP[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog)
	for _, group := range vrrpGroups {
		m := unix.PacketMreq{Ifindex: int32(i.Index), Type: unix.PACKET_MR_MULTICAST, Alen: uint16(len(group))}
		copy(m.Address[:], group)
		if err == nil {
			err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &m)
		}
	}
	if err == nil {
		all := binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL) // what is sent is seen by these only
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(all), Ifindex: i.Index})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "VRRP on "+link), nil
}

// parseAdvert reads an IP packet with an advert in it (RFC 3768 and RFC 9568,
// section 5; CARP as OpenBSD's ip_carp.h has it). Passwords of VRRPv2 come after
// the addresses, and stay where they are.
func parseAdvert(b []byte) (a Advert, ok bool) {
	size := 4
	switch {
	case len(b) >= 20 && b[0]>>4 == 4 && b[9] == protocolVRRP:
		a.Source = netip.AddrFrom4([4]byte(b[12:16]))
		total, head := int(binary.BigEndian.Uint16(b[2:])), int(b[0]&15)*4
		if head < 20 || total > len(b) || total < head {
			return a, false
		}
		b = b[head:total]
	case len(b) >= 40 && b[0]>>4 == 6 && b[6] == protocolVRRP:
		a.Source, size = netip.AddrFrom16([16]byte(b[8:24])), 16
		b = b[40:]
	default:
		return a, false
	}
	if len(b) < 8 || b[0]&15 != 1 {
		return a, false
	}
	a.ID, a.Priority = b[1], b[2]
	count := int(b[3])
	switch version := b[0] >> 4; {
	case version == 2 && count == 7 && len(b) == 36: // the length of its hash in words
		a.Kind, a.ID, a.Priority, count = "CARP", b[1], 0, 0
	case version == 2 && size == 4:
		a.Kind = "VRRPv2"
	case version == 3:
		a.Kind = "VRRPv3"
	default:
		return a, false
	}
	for i := range count {
		if len(b) < 8+(i+1)*size {
			return a, false
		}
		ip, _ := netip.AddrFromSlice(b[8+i*size : 8+(i+1)*size])
		a.Addresses = append(a.Addresses, ip)
	}
	return a, true
}
