// Package orders is what operators have decided about backends while kshalb runs:
// standing orders, each with who gave it, when and why, that hold until they are
// undone, over restarts too. It only remembers them.
package orders

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Order is what holds for one backend. At least one of Drain, Maintenance and
// Weight is set.
type Order struct {
	Listener    string         `json:"listener,omitempty"` // "" is all that have the backend
	Backend     netip.AddrPort `json:"backend"`
	Drain       bool           `json:"drain,omitempty"`       // it gets no new connections
	Maintenance bool           `json:"maintenance,omitempty"` // nor probes, and those that it has are ended
	Weight      *int           `json:"weight,omitempty"`      // instead of the configured one; 0 to 256

	Who   string    `json:"who"`
	Since time.Time `json:"since"`
	Why   string    `json:"why,omitempty"`
}

// Action changes an order.
type Action string

// The actions. Undrain undoes both of the others but the weight.
const (
	Drain       Action = "drain"
	Maintenance Action = "maintenance"
	Undrain     Action = "undrain"
	Weight      Action = "weight"
)

const (
	maxText   = 200  // characters of who and why
	maxWeight = 256  // as in the configuration
	maxOrders = 1000 // at a time
)

// ErrNoOrder says that there is nothing to undo.
var ErrNoOrder = errors.New("there is no such order")

// Book keeps the orders. It is safe for concurrent use.
type Book struct {
	file file

	mu  sync.Mutex
	all []Order
}

// List returns all orders, the oldest first.
func (b *Book) List() []Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// For returns what holds for a backend of a listener: the order for that listener
// alone before the one for all; false when there is none.
func (b *Book) For(listener string, backend netip.AddrPort) (Order, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range []string{listener, ""} {
		if i := b.find(name, backend); i >= 0 {
			return b.all[i], true
		}
	}
	return Order{}, false
}

func (b *Book) find(listener string, backend netip.AddrPort) int {
	return slices.IndexFunc(b.all, func(o Order) bool { return o.Listener == listener && o.Backend == backend })
}

// Give changes the order for o's listener and backend by an action, in the name of
// o's Who and for its Why, and returns when that is on disk. o.Weight is the new
// weight, nil the configured one. An undo of what does not hold is ErrNoOrder; after
// any error all is as it was.
func (b *Book) Give(a Action, o Order, now time.Time) (Order, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.find(o.Listener, o.Backend)
	next := Order{Listener: o.Listener, Backend: o.Backend}
	if i >= 0 {
		next = b.all[i]
	}
	if err := next.change(a, o.Weight); err != nil {
		return Order{}, err
	}
	next.Who, next.Why, next.Since = plain(o.Who), plain(o.Why), now.Truncate(time.Second)
	all := slices.Clone(b.all)
	if i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	if next.Drain || next.Maintenance || next.Weight != nil {
		all = append(all, next)
	}
	if len(all) > maxOrders {
		return Order{}, fmt.Errorf("there are %d orders, which is the most that can be: undo some", maxOrders)
	}
	if err := b.file.save(all); err != nil {
		return Order{}, err
	}
	b.all = all
	return next, nil
}

func (o *Order) change(a Action, weight *int) error {
	switch {
	case a == Drain:
		o.Drain = true
	case a == Maintenance:
		o.Maintenance = true
	case a == Undrain && !o.Drain && !o.Maintenance, a == Weight && weight == nil && o.Weight == nil:
		return ErrNoOrder
	case a == Undrain:
		o.Drain, o.Maintenance = false, false
	case a == Weight && weight != nil && (*weight < 0 || *weight > maxWeight):
		return fmt.Errorf("weight %d is out of range: give one from 0 to %d", *weight, maxWeight)
	case a == Weight:
		o.Weight = weight
	default:
		return fmt.Errorf("there is no action %q: choose %s, %s, %s or %s", a, Drain, Undrain, Maintenance, Weight)
	}
	return nil
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

// String says what the order is.
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
