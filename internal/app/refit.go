package app

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/pkg/health"
)

// refit is what a reload does to the listeners. All that can fail is done by the time
// there is one: sockets are open, files are read.
type refit struct {
	services []*service // from now on
	added    []*service
	gone     []*service
	altered  []alteration
	opened   undo // the sockets
}

// alteration is one listener that stays, in another way.
type alteration struct {
	service *service
	cfg     config.Listener
	prober  health.Prober // nil: backends are asked as before
	door    *door         // nil: as before
	before  *door         // that door takes the place of
}

// planRefit compares the listeners with those of another configuration, and opens the
// sockets that are new unless dry. After an error nothing is open.
func (a *App) planRefit(next *config.Config, dry bool) (r *refit, err error) {
	a.front.late.Wait() // a port or a name may come back at once
	r = &refit{}
	defer func() {
		if err != nil {
			_ = r.opened.run() // nobody was accepted
		}
	}()
	for _, l := range a.listened(next) {
		s := a.front.named(l.Name)
		if s == nil {
			err = r.add(a, l)
		} else {
			err = r.alter(s, l)
		}
		if err != nil {
			return r, err
		}
	}
	for _, s := range a.front.list() {
		if !slices.Contains(r.services, s) {
			r.gone = append(r.gone, s)
		}
	}
	if dry {
		return r, nil
	}
	for _, d := range r.doors() {
		if err := d.listen(&r.opened); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *refit) add(a *App, l config.Listener) error {
	if a.front.closing(l.Name) {
		return fmt.Errorf("listener %s: an earlier one of that name still drains: give it another name, or wait until its connections have ended", l.Name)
	}
	s, err := a.newService(l)
	if err != nil {
		return err
	}
	if err := s.serving(l).Check(); err != nil {
		return fmt.Errorf("listener %s: %w", l.Name, err)
	}
	r.added, r.services = append(r.added, s), append(r.services, s)
	return nil
}

func (r *refit) alter(s *service, l config.Listener) (err error) {
	r.services = append(r.services, s)
	was := *s.cfg()
	if reflect.DeepEqual(was, l) {
		return nil
	}
	alt := alteration{service: s, cfg: l}
	if !reflect.DeepEqual(was.Check, l.Check) || was.ProxyProtocol != l.ProxyProtocol {
		if alt.prober, err = s.proberFor(l); err != nil {
			return err
		}
	}
	switch d := s.door(); {
	case d.fits(l):
		err = s.serving(l).Check()
	case d.cfg.Bind == l.Bind:
		err = fmt.Errorf("it cannot have %s in another way while kshalb runs: write another privatePort, or restart kshalb", l.Bind)
	default:
		alt.door, alt.before = s.newDoor(l), d
	}
	if err != nil {
		return fmt.Errorf("listener %s: %w", l.Name, err)
	}
	r.altered = append(r.altered, alt)
	return nil
}

// doors are the new ones.
func (r *refit) doors() (all []*door) {
	for _, s := range r.added {
		all = append(all, s.door())
	}
	for _, alt := range r.altered {
		if alt.door != nil {
			all = append(all, alt.door)
		}
	}
	return all
}

// refit puts it into force. Clients of doors that are replaced go on for the time of
// a drain; nobody else notices.
func (a *App) refit(r *refit) {
	a.front.set(r.services)
	for _, alt := range r.altered {
		a.alter(alt)
	}
	for _, s := range r.added {
		a.finder.adopt(s)
		if f := a.float(s.cfg().VIP); f != nil {
			s.checker.SetStandby(!f.holds.Load())
		}
		a.front.enter(s)
	}
	for _, f := range a.floats { // before the old doors close
		a.changed(f.cfg.Name)
	}
	for _, alt := range r.altered {
		if alt.door != nil {
			a.front.readmit(alt.service, alt.before)
		}
	}
	for _, s := range r.gone {
		a.front.leave(s)
	}
	a.finder.look()
}

// alter has a service be in another way.
func (a *App) alter(alt alteration) {
	s, cfg := alt.service, alt.cfg
	s.now.Store(&cfg)
	s.limiter.SetLimits(limitsOf(cfg))
	s.pool.SetConfig(dealing(cfg))
	if alt.prober != nil {
		s.checker.SetConfig(s.checking(cfg, alt.prober))
	}
	f := a.float(cfg.VIP)
	s.checker.SetStandby(cfg.VIP != "" && (f == nil || !f.holds.Load()))
	if alt.door != nil {
		s.entry.Store(alt.door)
	}
	for _, l := range s.door().listeners() {
		if err := l.SetConfig(s.serving(cfg)); err != nil { // it was checked
			s.log.Error("the listener stays as it was", "err", err)
		}
	}
	s.retarget(func(t *targets) { t.cfg = cfg })
}
