package config

import (
	"log/slog"
	"net/netip"
	"time"
)

// Config is a whole, valid configuration. It is read-only after Parse and so
// safe for concurrent use.
type Config struct {
	// File is the name that the text came from, for messages.
	File string

	Cluster   Cluster
	Election  Election
	VIPs      []VIP // empty: this kshalb holds no address and takes part in no election
	Listeners []Listener
	Hooks     []Hook
	Admin     Admin
	Log       Log

	// Warnings are what is allowed but seldom meant, sorted by line.
	Warnings []Problem

	raw rawConfig // as written, with the defaults: for Diff
}

// Cluster is the set of nodes that decide together who holds a VIP.
type Cluster struct {
	Name   string // the gossip label; nodes of another cluster are ignored
	Peers  []Peer // the voters, in the file's order; 1 to 7 of them when there is a VIP
	Gossip Gossip
	// Bootstrap names the peer, no witness, that may hold a VIP until a majority
	// has been seen once; "" is none.
	Bootstrap string
}

// Peer is one node. Names and addresses are unique.
type Peer struct {
	Name    string
	Address netip.Addr // without zone, never IPv4-mapped
	Witness bool       // it votes, and never holds a VIP or serves as a backend of "peers"
}

// Gossip is how the peers talk, over TCP and UDP.
type Gossip struct {
	Port     uint16
	KeyFile  string // for LoadKeys; "" only when Insecure
	Insecure bool   // unencrypted, on purpose
}

// Election is the timing of the lease.
type Election struct {
	Lease time.Duration // 300 ms to 2 s, at least three times Renew
	Renew time.Duration // at least 60 ms
}

// VIP is a floating address.
type VIP struct {
	Name       string
	Address    netip.Addr     // IPv4 in this version
	Interface  string         // "" is the one whose connected route holds the address
	Priorities map[string]int // by the name of a peer that is no witness; a peer that is not in it has 0; higher is preferred
	Preempt    bool           // a holder gives way to a peer of higher priority
	Refresh    time.Duration  // between two announcements while it is held, 1 s to 10 min
	Force      bool           // it is taken although somebody outside the cluster has it
}

// Listener is a port that accepts connections, and where they go.
type Listener struct {
	Name string
	VIP  string // the name of the VIP that it belongs to; "" when it is bound to an address of this host

	// Address is where clients connect: VIP:port, or bind:port.
	Address netip.AddrPort
	// Bind is where the socket is: VIP:privatePort, to which kshalb's own
	// nftables rule sends Address; or the same as Address.
	Bind netip.AddrPort
	// PortConflict is what is done about others that have, or will want, the
	// port of a VIP: ConflictAuto, ConflictDNAT or ConflictFail; "" without a VIP.
	PortConflict string

	Balance     string        // BalanceRoundRobin, BalanceLeastConn, BalanceRandom2 or BalanceSource
	PreferLocal bool          // a backend of this host gets all while it is up
	SlowStart   time.Duration // that the share of a backend grows after it came up; 0 is not at all
	Panic       bool          // when no backend is up, those that accept connections are used
	ResetOnDown bool          // connections to a backend that is found dead are reset

	// Backends and Names are at least one in all, unique, in the file's order. Not
	// all are backups.
	Backends []Backend
	Names    []NamedBackend
	PeerPort uint16 // 0, or Backends are the peers that are no witnesses, with this port

	ProxyProtocol int  // that a backend is told the client's address by: 0 is none, 1 or 2
	Transparent   bool // connections to backends have the client's address
	Rebalance     Rebalance
	Check         Check
	Timeouts      Timeouts
	Limits        Limits
	Allow         []netip.Prefix // sources that may connect, masked; empty is everybody
}

// Backend is one target of a listener.
type Backend struct {
	Address netip.AddrPort
	Weight  int  // its share, 0 to 256; with 0 it gets no new connections
	Backup  bool // it is used only when no other one is up
}

// NamedBackend is as many targets as a DNS name has addresses.
type NamedBackend struct {
	Name   string
	Port   uint16
	Weight int // of each of them
	Backup bool
}

// The ways of balancing.
const (
	BalanceRoundRobin = "roundrobin" // by turns
	BalanceLeastConn  = "leastconn"  // the one with the fewest connections
	BalanceRandom2    = "random2"    // the better of two that are drawn
	BalanceSource     = "source"     // always the same for a client's address
)

// Rebalance is how idle connections are moved to backends that have too few.
type Rebalance struct {
	Within       time.Duration // until shares are even, 1 s to 24 h; 0 is off
	Idle         time.Duration // no byte for so long, 1 s to 1 h
	MaxPerSecond int           // connections that are ended at most, 1 to 1000
}

// Limits of a listener; 0 is none.
type Limits struct {
	Connections  int // at a time
	PerSource    int // at a time from one address
	NewPerSecond int
}

// The ways of a listener of a VIP to its port.
const (
	// ConflictAuto is ConflictDNAT, but for a port that another process has on
	// all addresses and shares: then the socket is at Address, too.
	ConflictAuto = "auto"
	// ConflictDNAT leaves the port alone: the socket is at Bind, and a redirect
	// brings Address there.
	ConflictDNAT = "dnat"
	// ConflictFail takes the port: Bind is Address, and a start fails when
	// somebody has it.
	ConflictFail = "fail"
)

// Check is how a listener's backends are probed. Probes of a backend never
// overlap: when Timeout is longer than Interval, the next one waits.
type Check struct {
	Type       string // CheckHTTPS, CheckHTTP or CheckTCP
	Path       string // begins with "/"; "" for CheckTCP
	Expect     []int  // statuses that mean ready, 200 to 599, at least one; nil for CheckTCP
	Host       string // the header; "" is the backend's address and port
	ServerName string // for CheckHTTPS, in TLS; "" is the backend's address

	Interval        time.Duration // of a backend that is up, 100 ms to 1 h
	FastInterval    time.Duration // while a verdict is pending, not longer than Interval
	DownInterval    time.Duration // of one that is draining or down, not shorter than FastInterval
	StandbyInterval time.Duration // instead of Interval where the VIP is not held, not shorter
	Timeout         time.Duration // 10 ms to 1 min
	Rise            int           // successes in a row that bring a backend up, 1 to 100
	Fall            int           // failures in a row that bring it down, 1 to 100

	CAFile   string // for CheckHTTPS; "" is ClusterCA where there is one
	CertFile string // for CheckHTTPS, of this client, with KeyFile; "" is none
	KeyFile  string
	Passive  bool // what connections find out counts, too
}

// ClusterCA is where kubeadm puts the CA of the API servers' certificates.
const ClusterCA = "/etc/kubernetes/pki/ca.crt"

// The types of Check.
const (
	CheckHTTPS = "https"
	CheckHTTP  = "http"
	CheckTCP   = "tcp"
)

// Timeouts of a connection. 0 switches a timeout off, save Connect, which is
// at least 1 ms, and Drain.
type Timeouts struct {
	Connect    time.Duration // to one backend
	Retry      time.Duration // to one backend while there is another one to try, not longer than Connect; 0 is Connect
	Idle       time.Duration // no byte either way
	HalfClosed time.Duration // after one side has finished sending
	Drain      time.Duration // given to connections on stop, and to those of a draining backend; 0 closes them at once
	User       time.Duration // unacknowledged data: TCP_USER_TIMEOUT of tcp(7)
}

// Hook is a command that is run when something has changed.
type Hook struct {
	On      []string      // HookHolder, HookBackend: at least one, each once
	Exec    []string      // the absolute path of a program, and its arguments
	Timeout time.Duration // 100 ms to 5 min
}

// What a Hook is for.
const (
	HookHolder  = "holder"  // who holds a VIP
	HookBackend = "backend" // the state of a backend
)

// Admin is where kshalb is asked about itself.
type Admin struct {
	Socket string         // path of the unix socket; "" is none
	HTTP   netip.AddrPort // read-only; the zero value is none
}

// Log is how kshalb speaks.
type Log struct {
	Level  slog.Level
	Format string // LogText or LogJSON
}

// The formats of Log.
const (
	LogText = "text"
	LogJSON = "json"
)
