// Package orders is what operators have decided about backends while kshalb runs:
// standing orders, each with who gave it, when and why, that hold until they are
// undone, over restarts too. It only remembers them.
package orders

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// Order is about one backend. One that was given says one thing of it: Drain,
// Maintenance or Weight; what [Book.For] returns may say several.
type Order struct {
	Listener    string         `json:"listener,omitempty"` // "" is all that have the backend
	Backend     netip.AddrPort `json:"backend"`
	Drain       bool           `json:"drain,omitempty"`       // it gets no new connections
	Maintenance bool           `json:"maintenance,omitempty"` // nor probes, and those that it has are ended
	Weight      *int           `json:"weight,omitempty"`      // instead of the configured one; 0 to 256

	Who   string    `json:"who"` // up to 200 printable characters, as is Why
	Since time.Time `json:"since"`
	Why   string    `json:"why,omitempty"`
}

// Action gives an order or undoes it.
type Action string

// The actions. Drain and Maintenance take the place of each other, and Undrain
// undoes either; Weight without a number undoes a weight.
const (
	Drain       Action = "drain"
	Maintenance Action = "maintenance"
	Undrain     Action = "undrain"
	Weight      Action = "weight"
)

const (
	maxText   = 200 // characters of who and why
	maxWeight = 256 // as in the configuration
)

// by is the order that an action gives; with undo it is like the one to undo.
func (o Order) by(a Action, now time.Time) (given Order, undo bool, err error) {
	given = Order{Listener: o.Listener, Backend: o.Backend, Who: plain(o.Who), Since: now.Truncate(time.Second), Why: plain(o.Why)}
	switch a {
	case Drain:
		given.Drain = true
	case Maintenance:
		given.Maintenance = true
	case Undrain:
		undo = true
	case Weight:
		given.Weight, undo = o.Weight, o.Weight == nil
		if undo {
			given.Weight = new(int)
		}
	default:
		return given, false, fmt.Errorf("there is no action %q: choose %s, %s, %s or %s", a, Drain, Undrain, Maintenance, Weight)
	}
	if undo {
		return given, true, nil
	}
	return given, false, given.check()
}

// check finds what no order that was given can have.
func (o Order) check() error {
	things := 0
	for _, is := range []bool{o.Drain, o.Maintenance, o.Weight != nil} {
		if is {
			things++
		}
	}
	switch {
	case !o.Backend.IsValid():
		return errors.New("an order has no backend")
	case things != 1:
		return fmt.Errorf("the order about %s must say one thing, and says %d", o.Backend, things)
	case o.Weight != nil && (*o.Weight < 0 || *o.Weight > maxWeight):
		return fmt.Errorf("weight %d is out of range: give one from 0 to %d", *o.Weight, maxWeight)
	}
	return nil
}

// same reports whether only one of two orders can hold.
func (o Order) same(p Order) bool {
	return o.Listener == p.Listener && o.Backend == p.Backend && (o.Weight == nil) == (p.Weight == nil)
}

// yields reports whether p, which also takes the backend out of service, counts
// more than o: maintenance before drain, the listener's own before that of all.
func (o Order) yields(p Order) bool {
	if o.Maintenance != p.Maintenance {
		return p.Maintenance
	}
	return o.Listener == ""
}

// String says what the order is, for example "drained, weight 5"; "" is nothing.
func (o Order) String() string {
	var words []string
	if o.Maintenance {
		words = append(words, "in maintenance")
	} else if o.Drain {
		words = append(words, "drained")
	}
	if o.Weight != nil {
		words = append(words, fmt.Sprintf("weight %d", *o.Weight))
	}
	return strings.Join(words, ", ")
}

// plain is a text that status and logs can bear.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return strings.TrimSpace(string([]rune(text)[:min(len([]rune(text)), maxText)]))
}
