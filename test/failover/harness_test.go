package failover

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/lab/traffic"
	"github.com/kshalb/kshalb/internal/status"
)

// binary is the path of kshalb, built by TestMain.
var binary string

func TestMain(m *testing.M) { labtest.Main(m, labtest.Build("cmd/kshalb", &binary)) }

// limit is what one step may take on a busy machine. The slowest, a start, takes
// about 6 s on an idle one.
const limit = 30 * time.Second

// soon is when another must have the address, busy machine or not. With the
// kernel's fence it takes half a second; without, 2.8 s.
const soon = 2500 * time.Millisecond

// masters starts three, each with an API server, and waits until they serve.
func masters(t *testing.T, o cluster.Options) *cluster.Cluster {
	t.Helper()
	c, err := cluster.NewWith(labtest.New(t), binary, o)
	must(t, err)
	for _, m := range c.Masters {
		serve(t, m)
		must(t, m.Start())
	}
	must(t, c.WaitReady(labtest.Context(t, limit)))
	return c
}

// serve is an API server on a master, until stop is called or the test ends.
func serve(t *testing.T, m *cluster.Master) (stop func()) {
	t.Helper()
	pair, err := m.Certificate(pki.Names{})
	must(t, err)
	cert, err := pair.TLS()
	must(t, err)
	ln, err := m.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
	must(t, err)
	return labtest.Background(t, func(ctx context.Context) error { return demo.ServeAPI(ctx, ln, m.Name(), cert) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scene is one fault under observation.
type scene struct {
	*testing.T
	*cluster.Cluster

	ctx     context.Context
	watch   *lab.Watch
	traffic *traffic.Traffic
	holder  *cluster.Master
}

// observe begins to watch, and finds the holder.
func observe(t *testing.T, c *cluster.Cluster) *scene {
	t.Helper()
	w, err := c.Lab.Watch(c.VIP)
	must(t, err)
	s := &scene{T: t, Cluster: c, ctx: labtest.Context(t, 3*limit), watch: w, traffic: c.Traffic("/whoami")}
	labtest.Background(t, s.traffic.Run)
	s.holder, _ = s.owner(time.Now())
	s.answered(time.Now())
	return s
}

// owner waits for an answer to a question that is asked later than a moment, and
// says whose it was and when it came.
func (s *scene) owner(after time.Time, others ...string) (*cluster.Master, time.Time) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	seen, err := s.watch.WaitOwner(ctx, after, others...)
	must(s.T, err)
	return s.Master(seen.Host), seen.To
}

// answered waits until requests work that began after a moment.
func (s *scene) answered(after time.Time) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	must(s.T, s.traffic.WaitAnswers(ctx, 10, after))
}

// moves waits until another master has the address and requests work again.
func (s *scene) moves(fault time.Time) {
	s.Helper()
	next, moved := s.owner(fault, s.holder.Name())
	s.answered(moved)
	if took := moved.Sub(fault); took > soon {
		s.Errorf("%s has the address %v after the fault, want %v at most", next.Name(), took, soon)
	}
	sum := s.traffic.Summary(fault, time.Now())
	s.Logf("%s to %s after %v; longest time without an answer %v; %d of %d requests failed",
		s.holder.Name(), next.Name(), moved.Sub(fault), sum.Gap, sum.Failed, sum.Requests)
}

// settled waits until all serve again, and exactly one has the address, has
// announced it since the fault if it is a new one, and all say so.
func (s *scene) settled(fault time.Time) {
	s.Helper()
	must(s.T, s.WaitReady(s.ctx))
	owner, _ := s.owner(time.Now())
	s.answered(time.Now())
	if owner != s.holder {
		_, err := s.watch.WaitGratuitous(s.ctx, owner.Name(), fault)
		must(s.T, err)
	}
	for _, m := range s.Masters {
		has, err := m.Has(s.VIP)
		must(s.T, err)
		if has != (m == owner) {
			s.Errorf("%s has the address: %v; %s answers", m.Name(), has, owner.Name())
		}
		must(s.T, m.WaitStatus(s.ctx, func(n status.Node) error {
			if v := n.VIPs[0]; v.Holder != owner.Name() || v.Assigned != has {
				return fmt.Errorf("holder %q, assigned %v; %s answers", v.Holder, v.Assigned, owner.Name())
			}
			return nil
		}))
	}
	labtest.OneOwner(s.T, s.watch)
}
