package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// watched is a name and what is known of it. It belongs to the goroutine that asks
// for it.
type watched struct {
	name  Name
	addrs []netip.Addr           // all of them, tidy
	parts [families][]netip.Addr // the same by family
	from  string                 // the full name that they came from, or the file; "": from before the start
	said  string                 // the last complaint
	kick  chan struct{}          // one slot: ask at once
}

// maxAddresses bounds the backends that one name can make.
const maxAddresses = 128

func newWatched(name Name, known []netip.Addr) *watched {
	w := &watched{name: name, kick: make(chan struct{}, 1)}
	_ = w.take("", split(known)) // too many were told of when they came
	return w
}

// take makes parts what is known; it complains when that is too much.
func (w *watched) take(from string, parts [families][]netip.Addr) error {
	w.from, w.parts = from, parts
	w.addrs = tidy(slices.Concat(parts[v4], parts[v6]))
	if n := len(w.addrs); n > maxAddresses {
		w.addrs = w.addrs[:maxAddresses:maxAddresses]
		return fmt.Errorf("it has %d addresses: only the first %d are used", n, maxAddresses)
	}
	return nil
}

func split(addrs []netip.Addr) (parts [families][]netip.Addr) {
	for _, a := range addrs {
		f := v6
		if a.Unmap().Is4() {
			f = v4
		}
		parts[f] = append(parts[f], a)
	}
	return parts
}

// tidy sorts, and drops what is there twice and what no backend can have: filters
// of names answer 0.0.0.0, which would be this host itself.
func tidy(addrs []netip.Addr) []netip.Addr {
	var good []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() {
			good = append(good, a)
		}
	}
	slices.SortFunc(good, netip.Addr.Compare)
	return slices.Compact(good)
}

// accept takes an answer with an address. A family that nobody answered for keeps
// what it had.
func (w *watched) accept(full string, a answer) (wait time.Duration, complaint error) {
	var parts [families][]netip.Addr
	wait = maxWait
	for f := range families {
		switch {
		case a.errs[f] == nil:
			parts[f] = a.records[f].addrs
			wait = min(wait, max(minWait, a.records[f].ttl))
		case failed(a.errs[f]):
			complaint = fmt.Errorf("%s: %w", full, a.errs[f])
			if w.from == "" || w.from == full {
				parts[f] = w.parts[f]
			}
		}
	}
	if complaint != nil {
		wait = retryWait
	}
	if err := w.take(full, parts); err != nil {
		complaint = err
	}
	return wait, complaint
}
