package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/orders"
	"github.com/kshalb/kshalb/internal/status"
	"github.com/kshalb/kshalb/pkg/proxy"
)

// order does what an operator asks for about a backend, and remembers it.
func (a *App) order(ask admin.BackendOrder) (admin.BackendOrdered, error) {
	a.ordering.Lock()
	defer a.ordering.Unlock()
	did := fmt.Sprintf("%s %s", ask.Action, ask.Backend)
	action := orders.Action(ask.Action)
	services, backend, err := a.backendNamed(ask.Backend, ask.Listener)
	if at, is := a.leftOver(ask); err != nil && is && undoes(action, ask.Weight) {
		backend, err = at, nil
	}
	if err != nil {
		return admin.BackendOrdered{}, admin.Refuse(http.StatusNotFound, fmt.Errorf("%s: %w", did, err))
	}
	if last := lastOf(services, backend); last != "" && ends(action, ask.Weight) && !ask.Force {
		return admin.BackendOrdered{}, admin.Refuse(http.StatusConflict, fmt.Errorf("%s: it is the last backend that serves listener %s here;"+
			" --force does it nevertheless", did, last))
	}
	o, err := a.orders.Give(action, orders.Order{
		Listener: ask.Listener, Backend: backend, Weight: ask.Weight, Who: ask.Who, Why: ask.Why,
	}, time.Now())
	if errors.Is(err, orders.ErrNoOrder) {
		err = fmt.Errorf("%w here; `kshalb status` shows those that there are", err)
	}
	if err != nil {
		return admin.BackendOrdered{}, admin.Refuse(http.StatusConflict, fmt.Errorf("%s: %w", did, err))
	}
	a.log.Info("an operator decided about a backend", "backend", backend.String(), "action", ask.Action, "now", o.String(), "who", o.Who, "why", o.Why)
	for _, s := range services {
		s.retarget(func(*targets) {})
	}
	done := admin.BackendOrdered{Backend: backend.String(), Order: o.String(), Notes: []string{}}
	if err := a.orders.Kept(); err != nil {
		done.Notes = append(done.Notes, fmt.Sprintf("a restart will not know of it: %v", err))
	}
	return done, nil
}

// ends tells what takes new connections away from a backend.
func ends(a orders.Action, weight *int) bool {
	return a == orders.Drain || a == orders.Maintenance || a == orders.Weight && weight != nil && *weight == 0
}

// undoes tells what is possible for a backend that is not there.
func undoes(a orders.Action, weight *int) bool {
	return a == orders.Undrain || a == orders.Weight && weight == nil
}

// leftOver finds a backend that is not there, but has an order.
func (a *App) leftOver(ask admin.BackendOrder) (netip.AddrPort, bool) {
	at, err := netip.ParseAddrPort(ask.Backend)
	return at, err == nil && slices.ContainsFunc(a.orders.List(), func(o orders.Order) bool { return o.Backend == at })
}

// waiting are the orders about backends that are not there.
func (a *App) waiting() (all []status.Order) {
	for _, o := range a.orders.List() {
		has := func(s *service) bool {
			return (o.Listener == "" || o.Listener == s.cfg().Name) &&
				slices.ContainsFunc(s.targets.list(), func(b proxy.Backend) bool { return b.Address == o.Backend })
		}
		if !slices.ContainsFunc(a.front.list(), has) {
			told := tell(o)
			told.Listener, told.Backend = o.Listener, o.Backend.String()
			all = append(all, told)
		}
	}
	return all
}

// tell is what status says of an order.
func tell(o orders.Order) status.Order {
	return status.Order{
		What: o.String(), Drain: o.Drain, Maintenance: o.Maintenance, Weight: o.Weight,
		Who: o.Who, Since: o.Since, Why: o.Why,
	}
}

// backendNamed finds a backend by its address and port, its address alone, or its
// peer's name, and the services that have it.
func (a *App) backendNamed(name, listener string) (services []*service, backend netip.AddrPort, err error) {
	var known []string
	found := make(map[netip.AddrPort]bool)
	for _, s := range a.front.list() {
		if listener != "" && s.cfg().Name != listener {
			continue
		}
		for _, b := range s.targets.list() {
			if !slices.Contains(known, b.Address.String()) {
				known = append(known, b.Address.String())
			}
			if name == b.Address.String() || name == b.Address.Addr().String() || name == a.peerAt(b.Address.Addr()) {
				found[b.Address], backend = true, b.Address
				services = append(services, s)
			}
		}
	}
	switch {
	case len(known) == 0:
		return nil, backend, fmt.Errorf("there is no listener %q with backends here", listener)
	case len(found) == 0:
		return nil, backend, fmt.Errorf("there is no such backend here; there are %s", strings.Join(known, ", "))
	case len(found) > 1:
		return nil, backend, errors.New("more than one backend is that; give ADDRESS:PORT")
	}
	return services, backend, nil
}

func (a *App) peerAt(addr netip.Addr) string {
	for _, p := range a.reloads.inForce.Load().Cluster.Peers {
		if p.Address == addr {
			return p.Name
		}
	}
	return ""
}

// lastOf names a listener that would have nobody to serve it without a backend; ""
// is none.
func lastOf(services []*service, backend netip.AddrPort) string {
	for _, s := range services {
		if only := s.pool.OnlyReady(); only == backend {
			return s.cfg().Name
		}
	}
	return ""
}

// orderOf is what status says of an order.
func (s *service) orderOf(backend netip.AddrPort) *status.Order {
	o, is := s.targets.orders.For(s.cfg().Name, backend)
	if !is {
		return nil
	}
	told := tell(o)
	return &told
}
