package orders

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxOrders bounds a book and its file.
const maxOrders = 1000

// ErrNoOrder says that there is nothing to undo.
var ErrNoOrder = errors.New("there is no such order")

// Book keeps the orders, also those about backends that are not there. Make it with
// [Open]. It is safe for concurrent use.
type Book struct {
	file file

	mu   sync.Mutex
	all  []Order // never changed in place
	lost error   // why the file has others
}

// List returns all orders as they were given, the oldest first.
func (b *Book) List() []Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// For returns what holds for a backend of a listener, and false when nothing does.
// An order to drain holds whether it was given for this listener or for all of
// them; a weight for this one comes before that for all. Who, Since and Why are of the
// drain or maintenance when there is one.
func (b *Book) For(listener string, backend netip.AddrPort) (Order, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var service, weight *Order
	for i := range b.all {
		o := &b.all[i]
		switch {
		case o.Backend != backend, o.Listener != "" && o.Listener != listener:
		case o.Weight == nil && (service == nil || service.yields(*o)):
			service = o
		case o.Weight != nil && (weight == nil || weight.Listener == ""):
			weight = o
		}
	}
	switch {
	case service == nil && weight == nil:
		return Order{}, false
	case service == nil:
		return *weight, true
	}
	both := *service
	if weight != nil {
		both.Weight = weight.Weight
	}
	return both, true
}

// Give does an action for o's listener and backend, in the name of o's Who and for
// its Why; o.Weight is the new weight, nil the configured one. It returns what then
// holds there, by whom and why this was given. What cannot be written holds all the
// same: [Book.Kept] tells. An undo of what does not hold is [ErrNoOrder]; after any
// error all is as it was.
func (b *Book) Give(a Action, o Order, now time.Time) (Order, error) {
	given, undo, err := o.by(a, now)
	if err != nil {
		return Order{}, err
	}
	if err := b.replace(given, undo); err != nil {
		return Order{}, err
	}
	holds, _ := b.For(o.Listener, o.Backend)
	holds.Listener, holds.Backend = given.Listener, given.Backend
	holds.Who, holds.Since, holds.Why = given.Who, given.Since, given.Why
	return holds, nil
}

func (b *Book) replace(given Order, undo bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(b.all), given.same)
	switch {
	case undo && len(all) == len(b.all):
		return b.nothing(given.Backend)
	case !undo && len(all) == maxOrders:
		return fmt.Errorf("there are %d orders, which is the most that can be: undo some", maxOrders)
	case !undo:
		all = append(all, given)
	}
	b.all, b.lost = all, b.file.save(all)
	return nil
}

// nothing is ErrNoOrder, with what there is instead.
func (b *Book) nothing(backend netip.AddrPort) error {
	var words []string
	for _, o := range b.all {
		if o.Backend != backend {
			continue
		}
		of := "all listeners"
		if o.Listener != "" {
			of = "listener " + o.Listener + " alone"
		}
		words = append(words, fmt.Sprintf("%q for %s", o.String(), of))
	}
	if len(words) == 0 {
		return ErrNoOrder
	}
	return fmt.Errorf("%w (there is %s)", ErrNoOrder, strings.Join(words, ", "))
}

// Kept returns nil when a restart will know the orders as they are now, and what is
// in the way when not.
func (b *Book) Kept() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file.folder == "" {
		return errors.New("there is no state folder (kshalb run --state)")
	}
	return b.lost
}
