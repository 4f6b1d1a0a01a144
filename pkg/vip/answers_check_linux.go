package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// CheckAnswers says what is in the way of speaking to backends with clients'
// addresses: err is what makes it impossible, with what to do; warnings are what
// may be in the way, or stop somebody. It changes nothing.
func CheckAnswers(backends []netip.Addr) (warnings []string, err error) {
	own, err := dump(func() ([]address, error) { return listAddresses(unix.AF_UNSPEC) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var errs []error
	for _, b := range backends {
		b = b.Unmap().WithZone("")
		// The route alone does not tell: there is none while an interface has no carrier.
		here := slices.ContainsFunc(own, func(a address) bool { return a.local == b })
		warning, err := checkAnswersOf(b, here)
		if warning != "" {
			warnings = append(warnings, warning)
		}
		errs = append(errs, err)
	}
	return warnings, errors.Join(errs...)
}

func checkAnswersOf(b netip.Addr, here bool) (warning string, err error) {
	routes, err := netlink.RouteGet(b.AsSlice())
	here = here || err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL
	switch {
	case here:
		return "", fmt.Errorf("speak to backend %s with clients' addresses: it is this host itself, whose answers leave for the clients directly:"+
			" take it out of this host's backends, or let backends see this host's address (source: node)", b)
	case err != nil || len(routes) == 0:
		return fmt.Sprintf("there is no route to backend %s now (%v): whether its answers will come back cannot be told", b, err), nil
	}
	r := routes[0]
	if b.Is4() {
		if err := checkMarks(b, r.LinkIndex); err != nil {
			return "", err
		}
	}
	if r.Gw != nil {
		warning = fmt.Sprintf("backend %s is reached through %s: its answers to clients have to take their way back through this host"+
			", or clients wait until the attempt to connect times out", b, r.Gw)
	}
	return warning, nil
}

// checkMarks looks for what makes the kernel look for the sender of a marked packet
// by its mark (src_valid_mark; ip-sysctl.rst): where all addresses are this
// host's, it is an impostor, and is dropped.
func checkMarks(b netip.Addr, link int) error {
	l, err := netlink.LinkByIndex(link)
	if err != nil {
		return fmt.Errorf("find the interface to backend %s: %w", b, err)
	}
	for _, name := range []string{"all", l.Attrs().Name} {
		file := filepath.Join("/proc/sys/net/ipv4/conf", name, "src_valid_mark")
		set, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(set)) == "1" {
			return fmt.Errorf("speak to backend %s with clients' addresses: the kernel would drop its answers as %s is 1: set it to 0"+
				" (WireGuard's wg-quick sets it), or let backends see this host's address (source: node)", b, file)
		}
	}
	return nil
}
