package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// family is a kind of address.
type family int

const (
	v4 family = iota
	v6
	families
)

// record is the answer to one question.
type record struct {
	addrs []netip.Addr
	ttl   time.Duration // the smallest of all that led there
}

// A nameserver's word that there is nothing, which is an answer; all other errors
// are failures to get one.
var (
	errNoName    = errors.New("there is no such name")
	errNoAddress = errors.New("it has no address")
)

func failed(err error) bool {
	return err != nil && !errors.Is(err, errNoName) && !errors.Is(err, errNoAddress)
}

// look asks for a name once, in the file first, and says when to ask again and what
// is wrong.
func (r *Resolver) look(ctx context.Context, w *watched) (wait time.Duration, complaint error) {
	addrs, err := r.files.host(string(w.name))
	if err != nil {
		return retryWait, err
	}
	if len(addrs) > 0 {
		return hostsWait, w.take(r.files.hosts, split(addrs))
	}
	s, err := r.files.settings()
	if err != nil {
		return retryWait, err
	}
	var errs []error
	for _, full := range candidates(string(w.name), s) {
		a := r.both(ctx, s, full)
		if a.some() {
			return w.accept(full, a)
		}
		errs = append(errs, fmt.Errorf("%s: %w", full, a.err()))
		if full == w.from && failed(a.err()) {
			break // the next name in the search list may be another host
		}
	}
	return retryWait, join(errs)
}

// join is errors.Join on one line.
func join(errs []error) error {
	var texts []string
	for _, err := range errs {
		texts = append(texts, err.Error())
	}
	return errors.New(strings.Join(texts, "; "))
}

// candidates are the full names that a name may stand for, in the order in which
// they are asked: resolv.conf(5), "search" and "ndots".
func candidates(name string, s settings) []string {
	if strings.HasSuffix(name, ".") {
		return []string{name}
	}
	full := name + "."
	var names []string
	for _, domain := range s.search {
		if domain = strings.Trim(domain, "."); domain != "" { // "search ." is systemd-resolved's way to say none
			names = append(names, full+domain+".")
		}
	}
	if strings.Count(name, ".") >= s.ndots {
		return append([]string{full}, names...)
	}
	return append(names, full)
}

// answer is what is said of a full name, by family.
type answer struct {
	records [families]record
	errs    [families]error
}

// both asks for both families at the same time.
func (r *Resolver) both(ctx context.Context, s settings, full string) answer {
	var a answer
	var asking sync.WaitGroup
	for f := range families {
		asking.Go(func() {
			a.records[f], a.errs[f] = first(ctx, s, question{full, f}, r.exchange)
			if a.errs[f] == nil && len(tidy(a.records[f].addrs)) == 0 {
				a.errs[f] = errNoAddress
			}
		})
	}
	asking.Wait()
	return a
}

func (a *answer) some() bool { return a.errs[v4] == nil || a.errs[v6] == nil }

// err is the graver of the two.
func (a *answer) err() error {
	for _, err := range a.errs {
		if failed(err) {
			return err
		}
	}
	if errors.Is(a.errs[v4], errNoAddress) {
		return a.errs[v4]
	}
	return a.errs[v6]
}
