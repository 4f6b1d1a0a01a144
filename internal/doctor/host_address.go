package doctor

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hostAddress is an address on an interface.
type hostAddress struct {
	link             string
	prefix           netip.Prefix
	label            string
	proto            byte // its origin; 0: none, or Linux before 5.18
	valid, preferred uint32
}

const (
	// ifaProto is IFA_PROTO of linux/if_addr.h, which x/sys does not have.
	ifaProto = 11
	// kshalbProto and kshalbLabel mark addresses of kshalb (vip.Proto).
	kshalbProto = 0x6b
	kshalbLabel = ":kshalb"
	// keepalivedProto is RTPROT_KEEPALIVED of linux/rtnetlink.h, which Keepalived
	// gives its addresses, too.
	keepalivedProto = 18
)

// ours reports whether kshalb has put a there. Where neither the kernel keeps
// origins nor the label fits, an address that will go by itself passes for one.
func (a hostAddress) ours() bool {
	if a.proto != 0 {
		return a.proto == kshalbProto
	}
	return a.prefix.IsSingleIP() && a.valid != math.MaxUint32 && a.preferred == 0 &&
		(strings.HasSuffix(a.label, kshalbLabel) || a.label == "" || a.label == a.link)
}

// hostAddresses are all of this network namespace, in the kernel's order.
func hostAddresses() (all []hostAddress, err error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := make(map[uint32]string, len(links))
	for _, l := range links {
		names[uint32(l.Index)] = l.Name
	}
	rib, err := syscall.NetlinkRIB(unix.RTM_GETADDR, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	msgs, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, m := range msgs {
		if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		a := hostAddress{link: names[binary.NativeEndian.Uint32(m.Data[4:])], valid: math.MaxUint32, preferred: math.MaxUint32}
		a.read(int(m.Data[1]), attrs)
		if a.prefix.IsValid() {
			all = append(all, a)
		}
	}
	return all, nil
}

// read takes the attributes of an address (rtnetlink(7)); IPv6 has no IFA_LOCAL
// but for a point-to-point link.
func (a *hostAddress) read(bits int, attrs []syscall.NetlinkRouteAttr) {
	var local, address netip.Addr
	for _, at := range attrs {
		switch v := at.Value; {
		case at.Attr.Type == unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(v)
		case at.Attr.Type == unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(v)
		case at.Attr.Type == unix.IFA_LABEL:
			a.label = strings.TrimRight(string(v), "\x00")
		case at.Attr.Type == ifaProto && len(v) == 1:
			a.proto = v[0]
		case at.Attr.Type == unix.IFA_CACHEINFO && len(v) == unix.SizeofIfaCacheinfo:
			a.preferred, a.valid = binary.NativeEndian.Uint32(v), binary.NativeEndian.Uint32(v[4:])
		}
	}
	if !local.IsValid() {
		local = address
	}
	a.prefix = netip.PrefixFrom(local, bits)
}
