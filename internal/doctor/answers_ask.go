package doctor

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/kshalb/kshalb/internal/whohas"
)

// A probe may be lost, and is lost where a switch port has just come up: RFC 5227,
// section 1.1, sends three. Whoever has the address answers within milliseconds.
const (
	askCount = 3
	askPause = 400 * time.Millisecond
)

// askNetwork asks by an interface who has an address, and returns the hardware
// addresses that answered, sorted. The probes come from nobody, and so change
// nobody's idea of where it is.
func askNetwork(ctx context.Context, link string, ip netip.Addr) (macs []string, err error) {
	asker, err := whohas.Open(link, ip, netip.Addr{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, asker.Close()) }()
	for range askCount {
		if err := asker.Ask(); err != nil {
			return macs, err
		}
		until := time.Now().Add(askPause)
		if end, ok := ctx.Deadline(); ok && end.Before(until) {
			until = end
		}
		if err := errors.Join(asker.Hear(until, func(c whohas.Claim) { macs = append(macs, c.MAC.String()) }), ctx.Err()); err != nil {
			return macs, err
		}
	}
	slices.Sort(macs)
	return slices.Compact(macs), nil
}
