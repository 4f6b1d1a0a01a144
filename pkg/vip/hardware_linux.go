package vip

import (
	"bytes"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// HardwareAddrs returns the Ethernet addresses from which this host may speak for
// itself: those of its interfaces with an address that others reach. The peers
// need them to know it from a stranger; a host with two cards in one network
// answers from both.
func HardwareAddrs() ([]net.HardwareAddr, error) {
	all, err := dump(func() ([]address, error) { return listAddresses(unix.AF_UNSPEC) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	reached := make(map[int]bool)
	for _, a := range all {
		reached[a.index] = reached[a.index] || a.local.IsGlobalUnicast()
	}
	var found []net.HardwareAddr
	err = eachCard(func(i net.Interface) {
		if reached[i.Index] {
			found = append(found, i.HardwareAddr)
		}
	})
	return found, err
}

// own are all hardware addresses of this host.
func (e *listener) own() (map[hardware]bool, error) {
	own := make(map[hardware]bool)
	err := eachCard(func(i net.Interface) { own[hardware(i.HardwareAddr)] = true })
	return own, err
}

func eachCard(do func(net.Interface)) error {
	all, err := net.Interfaces()
	for _, i := range all {
		if len(i.HardwareAddr) == ethernetAddr && !bytes.Equal(i.HardwareAddr, make([]byte, ethernetAddr)) {
			do(i)
		}
	}
	return err
}
