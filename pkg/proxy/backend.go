package proxy

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Backend is one target of a Pool.
type Backend struct {
	// Address is where it listens. IPv4 in IPv6 form is IPv4.
	Address netip.AddrPort
	// Weight is its share of the new connections against that of the others, 1 to
	// 256; with 0 or less it gets none.
	Weight int
	// Backup has it used only when no other one is up.
	Backup bool
	// Local says that it is on this host; see PoolConfig.PreferLocal.
	Local bool
}

// Even returns backends of weight 1.
func Even(addresses ...netip.AddrPort) []Backend {
	var all []Backend
	for _, a := range addresses {
		all = append(all, Backend{Address: a, Weight: 1})
	}
	return all
}

// State is what a Pool is told of a backend.
type State uint8

// The states of a backend, from the least to the most able.
const (
	Unknown  State = iota // gets nothing
	Down                  // gets nothing
	Draining              // gets nothing, unless PoolConfig.Panic
	Suspect               // something speaks against it: gets something when no other one is up
	Up
)

// member is a backend of a pool. It outlives its place in the pool while it has
// connections.
type member struct {
	address netip.AddrPort
	load    atomic.Int64 // its connections and attempts to connect, of all listeners
	gone    atomic.Bool  // the pool has it no more
	luck    []float64    // for Source; see luckOf. Written before a view has the member

	// What follows is the pool's, behind its lock.
	backend Backend
	state   State
	upSince time.Duration
}

// plain takes IPv4 out of its IPv6 form, so that equal backends compare equal.
func plain(b netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(b.Addr().Unmap(), b.Port())
}
