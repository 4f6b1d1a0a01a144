package doctor

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/config"
)

// hostRoute is a unicast route of the main table.
type hostRoute struct {
	to      netip.Prefix
	gateway bool
	metric  uint64
	link    string
}

// hostRoutes are those of an address's family (net/ipv4/fib_trie.c,
// fib_route_seq_show; net/ipv6/route.c, ip6_route_seq_show).
func (l *Looker) hostRoutes(family netip.Addr) (all []hostRoute, err error) {
	file, parse := "/proc/net/route", parseRoute4
	if family.Is6() {
		file, parse = "/proc/net/ipv6_route", parseRoute6
	}
	text, err := l.hostHead(file)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if r, ok := parse(strings.Fields(line)); ok {
			all = append(all, r)
		}
	}
	return all, nil
}

// parseRoute4 reads interface, destination, gateway, flags, references, use,
// metric, mask.
func parseRoute4(f []string) (r hostRoute, ok bool) {
	if len(f) < 8 {
		return r, false
	}
	to, err1 := address4(f[1])
	mask, err2 := address4(f[7])
	flags, err3 := strconv.ParseUint(f[3], 16, 32)
	metric, err4 := strconv.ParseUint(f[6], 10, 32)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || flags&unix.RTF_UP == 0 || flags&unix.RTF_REJECT != 0 {
		return r, false // the first line has names
	}
	bits := 0
	for m := binary.BigEndian.Uint32(mask.AsSlice()); m != 0; m <<= 1 {
		bits++
	}
	return hostRoute{netip.PrefixFrom(to, bits), flags&unix.RTF_GATEWAY != 0, metric, f[0]}, true
}

// address4 reads what the kernel has printed as a number of its own byte order.
func address4(text string) (netip.Addr, error) {
	n, err := strconv.ParseUint(text, 16, 32)
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(n))
	return netip.AddrFrom4(b), err
}

// noUnicast6 are routes to nobody else: refused ones, and this host's own addresses
// (linux/ipv6_route.h: RTF_ANYCAST and RTF_LOCAL).
const noUnicast6 = unix.RTF_REJECT | 0x00100000 | 0x80000000

// parseRoute6 reads destination, length, source, length, next hop, metric,
// references, use, flags, interface.
func parseRoute6(f []string) (r hostRoute, ok bool) {
	if len(f) != 10 {
		return r, false
	}
	to, err1 := hex.DecodeString(f[0])
	bits, err2 := strconv.ParseUint(f[1], 16, 8)
	metric, err3 := strconv.ParseUint(f[5], 16, 32)
	flags, err4 := strconv.ParseUint(f[8], 16, 32)
	addr, sized := netip.AddrFromSlice(to)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || !sized || flags&unix.RTF_UP == 0 || flags&noUnicast6 != 0 {
		return r, false
	}
	return hostRoute{netip.PrefixFrom(addr, int(bits)), flags&unix.RTF_GATEWAY != 0, metric, f[9]}, true
}

// home is the interface of a VIP: the named one, or that whose connected route holds
// it, and is the narrowest, then that with the lowest metric. network is that
// route, if any.
func (l *Looker) home(v config.VIP) (link string, network netip.Prefix, err error) {
	routes, err := l.hostRoutes(v.Address)
	if err != nil {
		return v.Interface, network, err
	}
	var best hostRoute
	for _, r := range routes {
		switch {
		case r.gateway, r.to.Bits() == 0, r.link == "lo", v.Interface != "" && r.link != v.Interface, !r.to.Contains(v.Address):
		case best.link == "", r.to.Bits() > best.to.Bits(), r.to.Bits() == best.to.Bits() && r.metric < best.metric:
			best = r
		}
	}
	if v.Interface != "" {
		return v.Interface, best.to, nil
	}
	return best.link, best.to, nil
}

// outward is the interface of the default route with the lowest metric, or "".
func outward(routes []hostRoute) string {
	var best hostRoute
	for _, r := range routes {
		if r.to.Bits() == 0 && r.link != "lo" && (best.link == "" || r.metric < best.metric) {
			best = r
		}
	}
	return best.link
}
