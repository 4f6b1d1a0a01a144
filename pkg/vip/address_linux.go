package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Proto is the mark of our addresses: their origin (IFA_PROTO), which Linux
// keeps since 5.18. The kernel itself uses 1 to 3 (linux/if_addr.h); `ip -d
// address` of a recent iproute2 shows it as "proto 0x6b".
const Proto = 0x6b

const (
	// ifaProto is IFA_PROTO of linux/if_addr.h, which x/sys does not have.
	ifaProto = 11
	// labelSuffix follows the interface's name in the label of our IPv4 addresses;
	// there are no others.
	labelSuffix = ":kshalb"
	// plain6 are flags of our IPv6 addresses. The address works at once: the lease
	// says that nobody else has it, and a probe has asked strangers. No route goes
	// with it, which would outlive an address with a lifetime.
	plain6 = unix.IFA_F_NODAD | unix.IFA_F_NOPREFIXROUTE
	// forever is INFINITY_LIFE_TIME of net/addrconf.h.
	forever = math.MaxUint32
)

// address is an address on an interface, as the kernel tells it.
type address struct {
	index            int // of the interface
	local            netip.Addr
	prefix           int
	label            string
	proto            uint8 // 0: none, or too old a kernel
	valid, preferred uint32
}

// ours reports whether a is marked as ours. An origin decides; without one all
// else that we set has to be there. IPv6 has too little of that: on a kernel that
// keeps no origins, what a killed process left goes by its lifetime.
func (a address) ours() bool {
	if a.proto != 0 {
		return a.proto == Proto
	}
	return a.fleeting() && strings.HasSuffix(a.label, labelSuffix)
}

// fleeting reports whether a has our prefix length and will go by itself.
func (a address) fleeting() bool {
	return a.prefix == a.local.BitLen() && a.valid != forever && a.preferred == 0
}

// label returns what labels an address on the named interface as ours, or ""
// where that is too long.
func label(ifname string) string {
	if l := ifname + labelSuffix; len(l) <= maxInterface {
		return l
	}
	return ""
}

// addresses puts one address on an interface and takes it off again.
type addresses struct {
	vip      netip.Addr
	lifetime time.Duration
	// placed is the interface that we put the address on. It stands in for the
	// mark on kernels without IFA_PROTO where the label does not fit.
	placed atomic.Int64
	fresh  bool // the VIP has come, and this host's sockets have not been told
}

// find returns our own addresses that equal the VIP, and ErrForeign beside them
// when there is one of somebody else.
func (s *addresses) find() (own []address, err error) {
	all, err := dump(func() ([]address, error) { return listAddresses(family(s.vip)) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range all {
		switch {
		case a.local != s.vip:
		case a.ours(), a.proto == 0 && a.fleeting() && int64(a.index) == s.placed.Load():
			own = append(own, a)
		default:
			err = fmt.Errorf("%w: as %s/%d, label %q, on interface number %d; remove it there or choose another VIP",
				ErrForeign, a.local, a.prefix, a.label, a.index)
		}
	}
	return own, err
}

// assign puts the VIP on l with a fresh lifetime, and takes it off any other
// interface.
func (s *addresses) assign(l link, deadline time.Time) (added bool, err error) {
	own, err := s.find()
	if err != nil {
		return false, fmt.Errorf("assign %s to %s: %w", s.vip, l.name, err)
	}
	how := unix.NLM_F_CREATE | unix.NLM_F_EXCL
	for _, a := range own {
		if a.index == l.index && a.prefix == s.vip.BitLen() {
			how = unix.NLM_F_REPLACE
		} else if err := deleteAddress(a); err != nil {
			return false, err
		}
	}
	if past(deadline) {
		return false, errPast
	}
	s.placed.Store(int64(l.index))
	if err := s.request(l, how); err != nil {
		return false, fmt.Errorf("assign %s to %s: %w", s.vip, l.name, err)
	}
	added = how != unix.NLM_F_REPLACE
	s.fresh = s.fresh || added
	return added, nil
}

// request asks for the address with all its marks. An address that is there
// already and was not a moment ago is somebody else's.
func (s *addresses) request(l link, how int) error {
	life := nl.IfaCacheInfo{IfaCacheinfo: unix.IfaCacheinfo{Valid: uint32(s.lifetime / time.Second)}}
	req := nl.NewNetlinkRequest(unix.RTM_NEWADDR, how|unix.NLM_F_ACK)
	addAddress(req, l.index, s.vip, label(l.name))
	if s.vip.Is6() {
		req.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(plain6)))
	}
	req.AddData(nl.NewRtAttr(ifaProto, []byte{Proto}))
	req.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, life.Serialize()))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	switch {
	case errors.Is(err, unix.EEXIST):
		return ErrForeign
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w; run as root or with CAP_NET_ADMIN", err)
	case errors.Is(err, unix.EACCES) && s.vip.Is6():
		return fmt.Errorf("%w: IPv6 is disabled there; sysctl -w net.ipv6.conf.%s.disable_ipv6=0", err, l.name)
	}
	return err
}

// remove takes the VIP off this host; it leaves alone what is not ours.
func (s *addresses) remove() error {
	own, err := s.find()
	if err != nil && !errors.Is(err, ErrForeign) {
		return err
	}
	var errs []error
	for _, a := range own {
		errs = append(errs, deleteAddress(a))
	}
	return errors.Join(errs...)
}

// deleteAddress removes the one address that has interface, prefix and label of a.
func deleteAddress(a address) error {
	req := nl.NewNetlinkRequest(unix.RTM_DELADDR, unix.NLM_F_ACK)
	addAddress(req, a.index, a.local, a.label).Prefixlen = uint8(a.prefix)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if err == nil || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil // the last two: gone by itself meanwhile, with its interface or without
	}
	return fmt.Errorf("delete %s/%d from interface number %d: %w", a.local, a.prefix, a.index, err)
}

// addAddress adds to req what names an address.
func addAddress(req *nl.NetlinkRequest, index int, ip netip.Addr, label string) *nl.IfAddrmsg {
	msg := nl.NewIfAddrmsg(family(ip))
	msg.Index, msg.Prefixlen = uint32(index), uint8(ip.BitLen())
	req.AddData(msg)
	req.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ip.AsSlice()))
	req.AddData(nl.NewRtAttr(unix.IFA_ADDRESS, ip.AsSlice()))
	if label != "" && ip.Is4() {
		req.AddData(nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(label)))
	}
	return msg
}

// family of addresses in netlink.
func family(ip netip.Addr) int {
	if ip.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

// listAddresses returns all addresses of a family, or of all families
// (AF_UNSPEC), in this network namespace.
func listAddresses(family int) ([]address, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfAddrmsg(family))
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWADDR)
	if err != nil {
		return nil, err
	}
	all := make([]address, 0, len(msgs))
	for _, m := range msgs {
		a, err := parseAddress(m)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// parseAddress reads the body of an RTM_NEWADDR or RTM_DELADDR message
// (rtnetlink(7)): struct ifaddrmsg and attributes.
func parseAddress(m []byte) (address, error) {
	// The kernel pads attributes; ParseRouteAttr panics where the last one is not.
	if len(m) < unix.SizeofIfAddrmsg || len(m)%unix.RTA_ALIGNTO != 0 {
		return address{}, fmt.Errorf("parse address: a message of %d bytes is none", len(m))
	}
	attrs, err := nl.ParseRouteAttr(m[unix.SizeofIfAddrmsg:])
	if err != nil {
		return address{}, fmt.Errorf("parse address: %w", err)
	}
	msg := nl.DeserializeIfAddrmsg(m)
	a := address{index: int(msg.Index), prefix: int(msg.Prefixlen), valid: forever, preferred: forever}
	for _, at := range attrs {
		a.set(at.Attr.Type, at.Value)
	}
	return a, nil
}

// set takes one attribute; it ignores those that it does not know or that are
// of another length than theirs.
func (a *address) set(attr uint16, v []byte) {
	switch {
	case attr == unix.IFA_LOCAL, attr == unix.IFA_ADDRESS && !a.local.IsValid(): // IPv6 has the second only
		a.local, _ = netip.AddrFromSlice(v)
	case attr == unix.IFA_LABEL:
		a.label = strings.TrimRight(string(v), "\x00")
	case attr == ifaProto && len(v) == 1:
		a.proto = v[0]
	case attr == unix.IFA_CACHEINFO && len(v) == unix.SizeofIfaCacheinfo:
		a.preferred = binary.NativeEndian.Uint32(v)
		a.valid = binary.NativeEndian.Uint32(v[4:])
	}
}
