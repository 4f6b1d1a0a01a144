package failover

import (
	"fmt"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/status"
)

const (
	damping = time.Second      // what a holder without backends waits
	proven  = 10 * time.Second // what a preferred node must have been fit for
)

// Each master has its own API server and no other: a holder without any gives way
// to a master that has one, after a while, and does not take the address back.
// With priorities and preempt it does, after a longer while.
func TestFitness(t *testing.T) {
	c, err := cluster.NewWith(labtest.New(t), binary, cluster.Options{
		Backends: fmt.Sprintf("{addresses: ['127.0.0.1:%d']}", cluster.Port),
		Check:    "{type: tcp, interval: 100ms}",
	})
	must(t, err)
	stops := make(map[*cluster.Master]func())
	for _, m := range c.Masters {
		stops[m] = serve(t, m)
		must(t, m.Start())
	}
	must(t, c.WaitReady(labtest.Context(t, limit)))
	s := observe(t, c)
	lost := s.holder

	s.losesBackends(stops[lost])
	fit := s.regains(lost)
	s.stays(fit)

	for _, m := range c.Masters {
		edit(t, m, "address: '192.168.0.10'}", fmt.Sprintf("address: '192.168.0.10', priorities: {%s: 100}, preempt: true}", lost.Name()))
		reloaded(t, m)
	}
	_, back := s.owner(fit, s.holder.Name())
	if took := back.Sub(fit); took < proven || took > proven+soon {
		t.Errorf("%s, preferred, has the address %v after it was fit, want %v to %v", lost.Name(), took, proven, proven+soon)
	}
	s.holder = lost
	s.settled(fit)
}

// losesBackends plays the holder's loss, and waits until another has taken over.
func (s *scene) losesBackends(stop func()) {
	s.Helper()
	fault := time.Now()
	stop()
	next, moved := s.owner(fault, s.holder.Name())
	if took := moved.Sub(fault); took < damping || took > damping+soon {
		s.Errorf("%s has the address %v after the fault, want %v to %v", next.Name(), took, damping, damping+soon)
	}
	s.answered(moved)
	s.holder = next
}

// regains gives a master its backend back, and says when kshalb there could not
// yet know.
func (s *scene) regains(m *cluster.Master) time.Time {
	s.Helper()
	begin := time.Now()
	serve(s.T, m)
	must(s.T, m.WaitStatus(s.ctx, func(n status.Node) error {
		if state := n.Listeners[0].Backends[0].State; state != "up" {
			return fmt.Errorf("its backend is %s", state)
		}
		return nil
	}))
	return begin
}
