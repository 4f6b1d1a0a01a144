package election

import (
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// wireVersion is the first byte of every datagram; others are refused.
const wireVersion = 3

// maxItems is how many messages a datagram carries at most. With as many VIPs as
// that a renewal of all of them still fits an Ethernet frame, if their names are
// short.
const maxItems = 64

// datagram is what one node says to another at one moment: what all its messages
// have in common, and the rest of each.
type datagram struct {
	From         Owner         `cbor:"1,keyasint"`
	Set          uint64        `cbor:"2,keyasint"`
	Was          uint64        `cbor:"3,keyasint,omitempty"`
	Bootstrapped bool          `cbor:"4,keyasint,omitempty"`
	Keep         time.Duration `cbor:"5,keyasint,omitempty"` // of the requests
	To           Owner         `cbor:"6,keyasint,omitzero"`  // of the responses
	Items        []item        `cbor:"7,keyasint"`
}

// item is one message, in as few bytes as can be.
type item struct {
	_ struct{} `cbor:",toarray"`

	VIP       string
	Fitness   Fitness
	What      what
	Attempt   uint64
	Term      uint64
	Node      string // who holds, or who is to be the successor
	Remaining time.Duration
}

// what is the kind of an item in the upper bits and what it says in the lower two.
type what uint8

const (
	aRequest  what = 0 << 2
	aResponse what = 1 << 2
	aRelease  what = 2 << 2

	holding   what = 1 // of a request
	proven    what = 2 // of a request
	granted   what = 1 // of a response
	tentative what = 2 // of a response
	says      what = 3 // all of these
)

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
		MaxArrayElements:  maxItems,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return mode
}()

// Encode returns messages of one sender as datagrams for one node, as few as can
// be: one, unless there are more than 64 of them, or they say different things of
// their sender. They are encoded in order.
func Encode(messages []Message) ([][]byte, error) {
	var wire [][]byte
	for len(messages) > 0 {
		var d datagram
		n := 0
		for n < len(messages) && n < maxItems && d.add(messages[n], n == 0) {
			n++
		}
		messages = messages[n:]
		body, err := cbor.Marshal(d)
		if err != nil {
			return nil, fmt.Errorf("encode election messages: %w", err)
		}
		wire = append(wire, append([]byte{wireVersion}, body...))
	}
	return wire, nil
}

// add adds m, if what it has in common with the others is the same.
func (d *datagram) add(m Message, first bool) bool {
	common := datagram{From: m.From, Set: m.Set, Was: m.Was, Bootstrapped: m.Bootstrapped, Keep: d.Keep, To: d.To}
	i := item{VIP: m.VIP, Fitness: m.Fitness}
	switch {
	case m.Request != nil:
		r := *m.Request
		i.What, i.Attempt, i.Term = aRequest|iff(r.Holding, holding)|iff(r.Proven, proven), r.Attempt, r.Term
		common.Keep = r.Keep
	case m.Response != nil:
		r := *m.Response
		i.What, i.Attempt, i.Term = aResponse|iff(r.Granted, granted)|iff(r.Tentative, tentative), r.Attempt, r.Term
		i.Node, i.Remaining = r.HeldBy, r.Remaining
		common.To = r.To
	case m.Release != nil:
		i.What, i.Attempt, i.Node = aRelease, m.Release.Attempt, m.Release.Successor
	}
	if !first && !d.agrees(common) {
		return false
	}
	common.Items = append(d.Items, i)
	*d = common
	return true
}

// agrees reports whether what is to be common may stand for what is there.
func (d *datagram) agrees(c datagram) bool {
	return d.From == c.From && d.Set == c.Set && d.Was == c.Was && d.Bootstrapped == c.Bootstrapped &&
		(d.Keep == c.Keep || d.Keep == 0) && (d.To == c.To || d.To == Owner{})
}

func iff(on bool, w what) what {
	if on {
		return w
	}
	return 0
}

// Decode reads the messages of a datagram. Its errors match [ErrMalformed]; one
// bad message makes all of them so.
func Decode(b []byte) ([]Message, error) {
	if len(b) == 0 || b[0] != wireVersion {
		return nil, fmt.Errorf("%w: not of wire version %d", ErrMalformed, wireVersion)
	}
	var d datagram
	if err := decMode.Unmarshal(b[1:], &d); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(d.Items) == 0 {
		return nil, fmt.Errorf("%w: it says nothing", ErrMalformed)
	}
	messages := make([]Message, len(d.Items))
	for i := range d.Items {
		m, err := d.message(d.Items[i])
		if err == nil {
			err = m.check()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: message %d: %w", ErrMalformed, i+1, err)
		}
		messages[i] = m
	}
	return messages, nil
}

func (d *datagram) message(i item) (Message, error) {
	m := Message{
		VIP: i.VIP, From: d.From, Fitness: i.Fitness,
		Set: d.Set, Was: d.Was, Bootstrapped: d.Bootstrapped,
	}
	has := func(w what) bool { return i.What&w != 0 }
	switch {
	case i.What&^says == aRequest:
		m.Request = &Request{Attempt: i.Attempt, Term: i.Term, Keep: d.Keep, Holding: has(holding), Proven: has(proven)}
	case i.What&^says == aResponse:
		m.Response = &Response{
			To: d.To, Attempt: i.Attempt, Granted: has(granted), Term: i.Term,
			HeldBy: i.Node, Remaining: i.Remaining, Tentative: has(tentative),
		}
	case i.What == aRelease:
		m.Release = &Release{Attempt: i.Attempt, Successor: i.Node}
	default:
		return m, fmt.Errorf("its kind %#x is unknown", i.What)
	}
	return m, nil
}
