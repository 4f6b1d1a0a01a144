// Package status is what one node says of itself: the body of
// GET /api/v1/status and the input of `kshalb status`. It holds data only.
//
// Field names are part of the public contract: scripts read them.
package status

import "time"

// Node is everything one kshalb says of itself at one moment.
type Node struct {
	Name      string     `json:"node"`
	Cluster   string     `json:"cluster"`
	Version   string     `json:"version"`
	Digest    string     `json:"configDigest,omitempty"` // of what has to be the same in the files of all nodes
	Started   time.Time  `json:"started"`
	Ready     bool       `json:"ready"`            // it can serve; the verdict of /readyz
	Reason    string     `json:"reason,omitempty"` // why it is not ready
	VIPs      []VIP      `json:"vips"`
	Peers     []Peer     `json:"peers"`
	Listeners []Listener `json:"listeners"`

	// Orders are those about backends that no listener has now. They are kept, and
	// hold when the backend comes back.
	Orders []Order `json:"orders,omitempty"`

	Reload *Refusal `json:"reloadRefused,omitempty"` // the last reload was, and this is why

	Changes []Change `json:"changes,omitempty"` // the last ones, the newest first

	// Answers are those of its peers, where they were asked, in the order of Peers.
	Answers []Answer `json:"answers,omitempty"`
}

// Refusal is why a configuration was not taken: the one before is in force.
type Refusal struct {
	At  time.Time `json:"at"`
	Why string    `json:"why"` // a line for each problem
}

// Change is something that the node has told in its log.
type Change struct {
	At      time.Time `json:"at"`
	Level   string    `json:"level"` // info, warn, error
	What    string    `json:"what"`
	Details string    `json:"details,omitempty"` // KEY=VALUE ...
}

// VIP is a floating address as this node sees it.
type VIP struct {
	Name           string  `json:"name"`
	Address        string  `json:"address"`
	Interface      string  `json:"interface,omitempty"`
	Holder         string  `json:"holder,omitempty"` // the node that holds it, as far as this node knows; "" is nobody
	Term           uint64  `json:"term"`             // counts owners; 0 before the first
	Assigned       bool    `json:"assigned"`         // the address is on this node's interface
	LeaseRemaining float64 `json:"leaseRemainingSeconds"`
	State          string  `json:"state"`            // holding, campaigning, standby, silent, resigning, witness
	Reason         string  `json:"reason,omitempty"` // why this node does not hold it
	Fence          []Fence `json:"fence"`

	Conflict *Conflict `json:"conflict,omitempty"` // who else claims the address
}

// Conflict is somebody outside the cluster who says that a VIP is theirs.
type Conflict struct {
	MAC   string    `json:"mac"`
	Who   string    `json:"who,omitempty"` // what kind of address that is, where it tells
	Since time.Time `json:"since"`         // when it was first heard, without a long silence since
	Last  time.Time `json:"last"`
}

// Fence is one layer that stops this node from answering for a VIP once its
// lease has passed.
type Fence struct {
	Layer  string `json:"layer"` // deadline, kernel, lifetime
	Active bool   `json:"active"`
	Reason string `json:"reason,omitempty"` // why this host does not have the layer
}

// Peer is another node, as this node sees it.
type Peer struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Witness bool   `json:"witness,omitempty"` // it votes and never holds a VIP
	State   string `json:"state"`             // self, alive, dead, unknown
	Reason  string `json:"reason,omitempty"`  // why its votes do not count here
}

// Listener is a port that accepts connections, and its pool.
type Listener struct {
	Name     string    `json:"name"`
	Address  string    `json:"address"` // where clients connect
	Bind     string    `json:"bind"`    // where the socket is
	Active   int64     `json:"active"`  // connections now
	Balance  string    `json:"balance,omitempty"`
	Refused  Refused   `json:"refused,omitempty"`
	Limits   Limits    `json:"limits,omitzero"`
	Backends []Backend `json:"backends"`
}

// Limits are what a listener bears; 0 is no limit.
type Limits struct {
	Connections  int `json:"connections"`  // at a time
	PerSource    int `json:"perSource"`    // at a time from one address
	NewPerSecond int `json:"newPerSecond"` // from all together
}

// Refused is how many clients were refused since the start, by reason: no_backend,
// all_failed, limit, per_source, rate, not_allowed.
type Refused map[string]uint64

// Backend is one target of a listener.
type Backend struct {
	Address     string    `json:"address"`
	State       string    `json:"state"` // unknown, up, suspect, draining, down
	Since       time.Time `json:"since,omitzero"`
	Reason      string    `json:"reason,omitempty"` // of the last change of the state
	Weight      int       `json:"weight"`           // its share of new connections; 0 is none
	Backup      bool      `json:"backup,omitempty"` // it is used only when no other one is up
	Active      int64     `json:"active"`
	Connections uint64    `json:"connections"`                // relayed since start
	BytesIn     uint64    `json:"bytesIn"`                    // from clients since start
	BytesOut    uint64    `json:"bytesOut"`                   // to clients
	Probe       float64   `json:"probeSeconds,omitempty"`     // how long the last one took
	Expiry      time.Time `json:"certificateExpiry,omitzero"` // of what it showed last
	Order       *Order    `json:"order,omitempty"`            // what an operator has decided
}

// Order is what an operator has decided about a backend, until it is undone.
type Order struct {
	Listener    string `json:"listener,omitempty"` // in Node.Orders: "" is all
	Backend     string `json:"backend,omitempty"`  // in Node.Orders
	What        string `json:"what"`               // all of it in words: drained, in maintenance, weight 5
	Drain       bool   `json:"drain,omitempty"`
	Maintenance bool   `json:"maintenance,omitempty"`
	Weight      *int   `json:"weight,omitempty"` // instead of the configured one

	Who   string    `json:"who"`
	Since time.Time `json:"since"`
	Why   string    `json:"why,omitempty"`
}
