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
	// setRedirects says what redirect is to put in place from now on.
	setRedirects([]Redirect)
	redirect(deadline time.Time) error
	unredirect() error
	// redirectAnew puts others in the place of those that redirect has put there.
	redirectAnew(to []Redirect, deadline time.Time) error
	announcer
	ears
	// close gives back what was kept open for the next taking.
	close()
}

// announcer tells where the VIP is: the neighbours on its link, routers, or this
// host's own sockets. All is called by one goroutine.
type announcer interface {
	// announce tells it, for the first time or again; what must be said once only
	// is said the first time. It looks at the deadline before each frame or
	// message, waits for no longer than some 20 ms, and returns how many were sent
	// and how many could not be.
	announce(l link, deadline time.Time) (sent, unsent int)
	// withdraw takes back what would not end by itself, without waiting for
	// anybody. The VIP still answers.
	withdraw()
	// hangUp gives back what was kept open for the next announcement.
	hangUp()
}

// announcers speak one after the other.
type announcers []announcer

func (all announcers) announce(l link, deadline time.Time) (sent, unsent int) {
	for _, a := range all {
		s, u := a.announce(l, deadline)
		sent, unsent = sent+s, unsent+u
	}
	return sent, unsent
}

func (all announcers) withdraw() {
	for _, a := range all {
		a.withdraw()
	}
}

func (all announcers) hangUp() {
	for _, a := range all {
		a.hangUp()
	}
}

// past reports whether a deadline has been reached.
func past(deadline time.Time) bool { return !time.Now().Before(deadline) }
