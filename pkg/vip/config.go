package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"time"
)

// Redirect sends TCP connections to VIP:Port on this host to VIP:To, those
// from other hosts and those of this one. The two differ, neither is 0.
type Redirect struct{ Port, To uint16 }

// Config is one VIP.
type Config struct {
	// Name of the VIP in logs, metrics and the name of its table: up to 63
	// letters, digits, '.', '_' or '-'.
	Name string
	// Address is the VIP, a global or private unicast address, IPv4 or IPv6.
	Address netip.Addr
	// Interface that carries the VIP. "" is the one whose connected route holds
	// it, chosen anew at each taking; never loopback and never one that is down.
	Interface string
	// Lifetime is given to the address at each Hold that extends: whole seconds,
	// from 1 s to 1 h. It should not be shorter than the time from one such Hold to
	// the deadline of the next, else the address goes before the deadline does.
	// See Linger.
	Lifetime time.Duration
	// Refresh is the time between two announcements once the first ones have been
	// made: 1 s to 10 min. It should be well below the 300 s after which switches
	// forget where an address is; hosts may remember for 20 minutes and keep
	// sending there.
	Refresh time.Duration
	// Force takes the VIP without having asked whether somebody else has it.
	Force bool
	// Peer says whose a hardware address is: the name of a node of the cluster, or
	// "". It is called from Run's goroutine, for each frame in which another host
	// says that the VIP is there, and must not block. nil knows nobody.
	Peer func(net.HardwareAddr) string
	// Changed is called when Able or Status may have something else to say: trouble
	// that begins or ends, another interface, a conflict. It comes from Run's
	// goroutine and must not block. nil: nobody wants to know.
	Changed func()
	// Moved is called when the address has come to this host, or is gone from it. term
	// is that of the last Hold. It comes from Run's goroutine, before a Withdraw
	// returns, and must not block. nil: nobody wants to know.
	Moved func(here bool, term uint64)
	// Redirects are in place exactly while the VIP is held.
	Redirects []Redirect
}

var nameRule = regexp.MustCompile(`^[A-Za-z0-9._-]{1,63}$`)

// maxInterface is IFNAMSIZ-1 of linux/if.h; labels obey it too.
const maxInterface = 15

func (c Config) validate() error {
	switch {
	case !nameRule.MatchString(c.Name):
		return errors.New("the name must be up to 63 letters, digits, '.', '_' or '-'")
	case !c.Address.IsGlobalUnicast() || c.Address.Is4In6() || c.Address.Zone() != "":
		return fmt.Errorf("address %q is not one of a single host that others reach; give a free one of the hosts' subnet", c.Address)
	case len(c.Interface) > maxInterface:
		return fmt.Errorf("interface %q is longer than the %d bytes that Linux allows", c.Interface, maxInterface)
	case !wholeSeconds(c.Lifetime):
		return fmt.Errorf("lifetime %v must be whole seconds from 1s to 1h", c.Lifetime)
	case c.Refresh < time.Second || c.Refresh > 10*time.Minute:
		return fmt.Errorf("refresh %v must be from 1s to 10m", c.Refresh)
	}
	seen := make(map[uint16]bool)
	for _, r := range c.Redirects {
		if r.Port == 0 || r.To == 0 || r.Port == r.To || seen[r.Port] {
			return fmt.Errorf("redirect of port %d to %d: ports must differ, be 1 or more, and be redirected once", r.Port, r.To)
		}
		seen[r.Port] = true
	}
	return nil
}
