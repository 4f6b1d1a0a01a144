// Package plan is what an importer makes of what people already have: a
// configuration of kshalb in the making, where every value knows where it came
// from, and a list of what could not be carried over. It holds data, joins plans
// and writes them; it reads no foreign format.
package plan

import (
	"fmt"
	"net/netip"
	"time"
)

// Source is where something was read. The zero value is nowhere.
type Source struct {
	File string // a name for people: the path as it was given, or a flag such as --vip
	Line int    // from 1; 0: the file as a whole
}

// String is FILE:LINE, or FILE alone.
func (s Source) String() string {
	if s.Line == 0 {
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// Value is one key of the configuration. The zero value was not given, and its
// key is left out.
type Value[T any] struct {
	V    T
	From Source
	Why  string // a few words on how V follows from what stands there; "" is literally
}

// Of is a value that stands literally at a source.
func Of[T any](v T, from Source) Value[T] { return Value[T]{V: v, From: from} }

// Because is a value that follows from a source in a way that why tells.
func Because[T any](v T, from Source, why string) Value[T] {
	return Value[T]{V: v, From: from, Why: why}
}

// Given reports whether there is a value.
func (v Value[T]) Given() bool { return v.From != (Source{}) }

// Plan is a configuration in the making. Its keys are those of kshalb.yaml, with
// the same meaning, units and ranges; docs/guide.md and reference.yaml have them.
type Plan struct {
	ClusterName Value[string]
	Bootstrap   Value[string] // a peer's name
	GossipPort  Value[int]
	Peers       []Peer // the masters, in the order of the source
	Lease       Value[time.Duration]
	Renew       Value[time.Duration]
	VIPs        []VIP
	Listeners   []Listener

	// Domain is the name by which clients call the VIP; kshalb.yaml has no key
	// for it, the next steps do.
	Domain Value[string]

	Notes []Note
	Steps []string // what is to be done elsewhere, in order: whole sentences or commands
}

// Peer is a node that runs kshalb and votes.
type Peer struct {
	Name    Value[string] // "": none was told; the writer makes one up
	Address Value[netip.Addr]
	Witness Value[bool]
}

// VIP is a floating address.
type VIP struct {
	Name       Value[string] // "": the writer makes one up
	Address    Value[netip.Addr]
	Interface  Value[string]
	Priorities []Priority
	Preempt    Value[bool]
	Refresh    Value[time.Duration]
}

// Priority is what a VIP's priorities say of one peer.
type Priority struct {
	Peer     string     // its name, or its address where the source has no names
	Priority Value[int] // 0 to 1000
}

// Listener is a port that accepts connections, and where they go.
type Listener struct {
	Name Value[string] // "": the writer makes one up

	// Address is where clients connect, as the source has it: a VIP, an address
	// of the host, or an unspecified one (0.0.0.0 or ::) for all of them. VIP or
	// Bind is what was made of it when plans were joined.
	Address Value[netip.Addr]
	VIP     Value[string]
	Bind    Value[netip.Addr]
	Port    Value[int]

	PrivatePort   Value[int]
	Balance       Value[string]
	SlowStart     Value[time.Duration]
	Panic         Value[string]
	OnDown        Value[string]
	SourceAddress Value[string] // the key source: node or client
	ProxyProtocol Value[string]

	PeersPort Value[int] // backends are all peers, at this port; else
	Backends  []Backend

	Check    Check
	Timeouts Timeouts
	Limits   Limits
	Allow    []Value[netip.Prefix]
}

// Backend is one target of a listener: Host is an address or a DNS name.
type Backend struct {
	Name   string // by the source; "" is none. It may become a peer's name.
	Host   string
	Port   int
	From   Source
	Weight Value[int]
	Backup Value[bool]
}

// Check is when a backend is up.
type Check struct {
	Type         Value[string]
	Path         Value[string]
	Expect       Value[[]int]
	Host         Value[string]
	ServerName   Value[string]
	Interval     Value[time.Duration]
	FastInterval Value[time.Duration]
	DownInterval Value[time.Duration]
	Timeout      Value[time.Duration]
	Rise         Value[int]
	Fall         Value[int]
	CAFile       Value[string]
	CertFile     Value[string]
	KeyFile      Value[string]
	Passive      Value[bool]
}

// Timeouts of a connection.
type Timeouts struct {
	Connect    Value[time.Duration]
	Idle       Value[time.Duration]
	HalfClosed Value[time.Duration]
	Drain      Value[time.Duration]
	User       Value[time.Duration]
}

// Limits of a listener.
type Limits struct {
	Connections  Value[int]
	PerSource    Value[int]
	NewPerSecond Value[int]
}
