package vip

import (
	"errors"
	"time"
)

// ErrForeign says that the VIP is on this host already and is not ours: an
// operator or another program put it there. It is left alone.
var ErrForeign = errors.New("the address is on this host already and not by kshalb")

// ErrNoInterface says that the interface that the configuration names is not on
// this host.
var ErrNoInterface = errors.New("the interface does not exist")

// link is an interface that carries, or could carry, the VIP.
type link struct {
	index int
	name  string
}

// host is all that a holder asks of the kernel. Whatever adds is given the
// deadline and returns errPast instead of adding when it has passed. Whatever
// removes is idempotent. Only able may be called by several goroutines.
type host interface {
	// able returns the interface for the VIP, or why it can't be held now.
	able() (link, error)
	// assign puts the address on l or starts its lifetime anew; added says that
	// it was not there.
	assign(l link, deadline time.Time) (added bool, err error)
	remove() error
	redirect(deadline time.Time) error
	unredirect() error
	announcer
	// close gives back what was kept open for the next taking.
	close()
}

// announcer tells the neighbours on a link where the VIP is.
type announcer interface {
	// announce sends all forms of announcement once. It looks at the deadline
	// before each frame, and returns how many were sent and how many the kernel
	// refused.
	announce(l link, deadline time.Time) (sent, unsent int)
}

// past reports whether a deadline has been reached.
func past(deadline time.Time) bool { return !time.Now().Before(deadline) }
