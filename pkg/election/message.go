package election

import (
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Owner is one run of one node: what a grant is for. A node that restarts is
// another owner.
type Owner struct {
	Node        string `cbor:"1,keyasint"`
	Incarnation uint64 `cbor:"2,keyasint"`
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
	VIP      string    `cbor:"1,keyasint"`
	From     Owner     `cbor:"2,keyasint"`
	Fitness  Fitness   `cbor:"3,keyasint"`
	Request  *Request  `cbor:"4,keyasint,omitempty"`
	Response *Response `cbor:"5,keyasint,omitempty"`
	Release  *Release  `cbor:"6,keyasint,omitempty"`

	Set          uint64 `cbor:"7,keyasint"`           // a hash of the sender's voters
	Was          uint64 `cbor:"9,keyasint,omitempty"` // the set before it, if a holder was seen under that
	Bootstrapped bool   `cbor:"8,keyasint"`           // a majority has been seen: see Config.Bootstrap
}

// Request asks a voter for its grant, or to renew it.
type Request struct {
	Attempt uint64        `cbor:"1,keyasint"` // counts up within the incarnation
	Term    uint64        `cbor:"2,keyasint"`
	Keep    time.Duration `cbor:"3,keyasint"` // for how long, from receipt, nobody else may be granted
	Holding bool          `cbor:"4,keyasint"` // the asker holds the VIP: this is a renewal
	Proven  bool          `cbor:"5,keyasint"` // a majority of the sender's present voters has granted what it holds
}

// Response answers one Request.
type Response struct {
	To        Owner         `cbor:"1,keyasint"` // whose request this answers
	Attempt   uint64        `cbor:"2,keyasint"`
	Granted   bool          `cbor:"3,keyasint"`
	Term      uint64        `cbor:"4,keyasint"` // the highest that the voter has seen
	HeldBy    string        `cbor:"5,keyasint"` // why not: who has the grant
	Remaining time.Duration `cbor:"6,keyasint"` // why not: for how long at most
	Tentative bool          `cbor:"7,keyasint"` // HeldBy only asks so far, as far as the voter knows
}

// Release gives back every grant of the sender up to an attempt.
type Release struct {
	Attempt   uint64 `cbor:"1,keyasint"`
	Successor string `cbor:"2,keyasint"` // the node that should ask at once, or ""
}

// ErrMalformed is the root of every decoding error.
var ErrMalformed = errors.New("malformed election message")

// wireVersion is the first byte of every message; others are refused.
const wireVersion = 2

// maxName bounds names on the wire.
const maxName = 253

// decMode refuses what a peer of ours never sends: unknown fields, duplicate
// keys, indefinite lengths, tags, deep nesting.
var decMode = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   4,
		MaxMapPairs:       16,
		MaxArrayElements:  16,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
}()

// Encode returns m as bytes for the wire.
func Encode(m Message) ([]byte, error) {
	body, err := cbor.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode election message: %w", err)
	}
	return append([]byte{wireVersion}, body...), nil
}

// Decode reads one message. Its errors match [ErrMalformed].
func Decode(b []byte) (Message, error) {
	var m Message
	if len(b) == 0 || b[0] != wireVersion {
		return m, fmt.Errorf("%w: not of wire version %d", ErrMalformed, wireVersion)
	}
	if err := decMode.Unmarshal(b[1:], &m); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := m.check(); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return m, nil
}

func (m Message) check() error {
	bodies := 0
	var names = []string{m.VIP, m.From.Node}
	if r := m.Request; r != nil {
		bodies++
		if r.Keep <= 0 || r.Keep > maxKeep {
			return fmt.Errorf("keep %s: must be over 0s and at most %s", r.Keep, maxKeep)
		}
	}
	if r := m.Response; r != nil {
		bodies++
		names = append(names, r.To.Node)
		if r.Remaining < 0 || len(r.HeldBy) > maxName {
			return errors.New("a refusal out of its bounds")
		}
	}
	if r := m.Release; r != nil {
		bodies++
		if len(r.Successor) > maxName {
			return errors.New("a successor's name out of its bounds")
		}
	}
	if bodies != 1 {
		return fmt.Errorf("%d bodies, must be one", bodies)
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
