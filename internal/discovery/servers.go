package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// settings are those of resolv.conf(5).
type settings struct {
	servers  []string // addresses, with zone
	search   []string // domains
	ndots    int
	timeout  time.Duration // of each question
	attempts int           // with each server
}

// The bounds of settings.
const (
	maxServers  = 3 // as in every libc
	maxTimeout  = 5 * time.Second
	maxAttempts = 5
)

// patience is how long a nameserver is waited for alone. After it the next one is
// asked too: not earlier, for the first one may know names that the others do not.
const patience = time.Second

// question is one full name and a family.
type question struct {
	name   string
	family family
}

// exchanger asks one nameserver. Errors are errNoName, errNoAddress and failures.
type exchanger func(ctx context.Context, server string, timeout time.Duration, q question) (record, error)

type outcome struct {
	record
	err error
}

// first asks the nameservers one after the other, the next one when one has failed
// or keeps us waiting, and returns the first answer.
func first(ctx context.Context, s settings, q question, ask exchanger) (record, error) {
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	order := slices.Repeat(s.servers, s.attempts)
	outcomes := make(chan outcome, len(order))
	var failures []error
	for asked := 0; len(failures) < len(order); {
		var overdue <-chan time.Time // nil when nobody is left to be asked
		if asked < len(order) {
			server := order[asked]
			asking.Go(func() {
				r, err := ask(ctx, server, s.timeout, q)
				if failed(err) {
					err = fmt.Errorf("ask %s: %w", server, err)
				}
				outcomes <- outcome{r, err}
			})
			asked++
			overdue = time.After(patience)
		}
		select {
		case <-overdue:
		case o := <-outcomes:
			if !failed(o.err) {
				return o.record, o.err
			}
			failures = append(failures, o.err)
		}
	}
	return record{}, summary(failures)
}

// summary says each failure once, in an order that does not change by chance.
func summary(failures []error) error {
	if len(failures) == 0 {
		return errors.New("there is no nameserver")
	}
	slices.SortFunc(failures, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return join(slices.CompactFunc(failures, func(a, b error) bool { return a.Error() == b.Error() }))
}
