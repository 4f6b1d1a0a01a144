package election

import (
	"errors"
	"fmt"
	"time"
)

// Owner is one run of one node: what a grant is for. A node that restarts is
// another owner.
type Owner struct {
	Node        string
	Incarnation uint64
}

// Fitness says how well a node could hold a VIP.
type Fitness uint8

// The degrees of fitness, worst first.
const (
	Unable Fitness = iota // it cannot: no interface, no carrier, or it only votes
	Able                  // it can carry the address, but reaches no ready backend
	Fit                   // it reaches at least one ready backend
)

// String returns the word for f in logs and in the status.
func (f Fitness) String() string {
	return [...]string{"unable", "able", "fit"}[min(f, Fit)]
}

// Message is what nodes say to one another about one VIP. Exactly one of
// Request, Response and Release is set.
type Message struct {
	VIP      string
	From     Owner
	Fitness  Fitness
	Request  *Request
	Response *Response
	Release  *Release

	Set          uint64 // a hash of the sender's voters
	Was          uint64 // the set before it, if a holder was seen under that
	Bootstrapped bool   // a majority has been seen: see Config.Bootstrap
}

// Request asks a voter for its grant, or to renew it.
type Request struct {
	Attempt uint64 // counts up within the incarnation
	Term    uint64
	Keep    time.Duration // for how long, from receipt, nobody else may be granted
	Holding bool          // the asker holds the VIP: this is a renewal
	Proven  bool          // a majority of the sender's present voters has granted what it holds
}

// Response answers one Request.
type Response struct {
	To        Owner // whose request this answers
	Attempt   uint64
	Granted   bool
	Term      uint64        // the highest that the voter has seen
	HeldBy    string        // why not: who has the grant
	Remaining time.Duration // why not: for how long at most
	Tentative bool          // HeldBy only asks so far, as far as the voter knows
}

// Release gives back every grant of the sender up to an attempt.
type Release struct {
	Attempt   uint64
	Successor string // the node that should ask at once, or ""
}

// ErrMalformed is the root of every decoding error.
var ErrMalformed = errors.New("malformed election message")

// maxName bounds names on the wire.
const maxName = 253

func (m Message) check() error {
	var names = []string{m.VIP, m.From.Node}
	if r := m.Request; r != nil {
		if r.Keep <= 0 || r.Keep > maxKeep {
			return fmt.Errorf("keep %s: must be over 0s and at most %s", r.Keep, maxKeep)
		}
	}
	if r := m.Response; r != nil {
		names = append(names, r.To.Node)
		if r.Remaining < 0 || len(r.HeldBy) > maxName {
			return errors.New("a refusal out of its bounds")
		}
	}
	if r := m.Release; r != nil {
		if len(r.Successor) > maxName {
			return errors.New("a successor's name out of its bounds")
		}
	}
	for _, n := range names {
		if n == "" || len(n) > maxName {
			return errors.New("a name that is empty or too long")
		}
	}
	if m.Fitness > Fit {
		return fmt.Errorf("fitness %d is unknown", m.Fitness)
	}
	return nil
}
