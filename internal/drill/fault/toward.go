package fault

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Toward are the names of the interfaces by which this host sends to addresses now;
// one without a route has none.
func Toward(addrs ...netip.Addr) (names []string, err error) {
	for _, addr := range addrs {
		routes, err := netlink.RouteGet(addr.AsSlice())
		if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up the route to %s: %w", addr, err)
		}
		for _, r := range routes {
			i, err := net.InterfaceByIndex(r.LinkIndex)
			if err != nil {
				return nil, fmt.Errorf("find interface number %d: %w", r.LinkIndex, err)
			}
			if !slices.Contains(names, i.Name) {
				names = append(names, i.Name)
			}
		}
	}
	return names, nil
}
