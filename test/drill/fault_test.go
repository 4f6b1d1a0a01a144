package drill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/demo"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/pki"
	"github.com/kshalb/kshalb/internal/status"
)

// binary is the path of kshalb, built by TestMain.
var binary string

func TestMain(m *testing.M) { labtest.Main(m, labtest.Build("cmd/kshalb", &binary)) }

// limit is what one step may take on a busy machine.
const limit = 30 * time.Second

// hold is how long a fault lasts here: far longer than a lease.
const hold = 2 * time.Second

// scene is three masters, and who looks at them.
type scene struct {
	*testing.T
	*cluster.Cluster

	ctx   context.Context
	watch *lab.Watch
}

func begin(t *testing.T, o cluster.Options) *scene {
	t.Helper()
	c, err := cluster.NewWith(labtest.New(t), binary, o)
	must(t, err)
	for _, m := range c.Masters {
		pair, err := m.Certificate(pki.Names{})
		must(t, err)
		cert, err := pair.TLS()
		must(t, err)
		ln, err := m.Listen("tcp", fmt.Sprintf("[::]:%d", cluster.Port))
		must(t, err)
		labtest.Background(t, func(ctx context.Context) error { return demo.ServeAPI(ctx, ln, m.Name(), cert) })
		must(t, m.Start())
	}
	s := &scene{T: t, Cluster: c, ctx: labtest.Context(t, 3*limit)}
	must(t, c.WaitReady(s.ctx))
	s.watch, err = c.Lab.Watch(c.VIP)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// owner waits for an answer to a question that is asked after a moment, of whoever
// is not among others.
func (s *scene) owner(after time.Time, others ...string) *cluster.Master {
	s.Helper()
	seen, err := s.watch.WaitOwner(s.ctx, after, others...)
	must(s.T, err)
	return s.Master(seen.Host)
}

// another is a master that is none of some.
func (s *scene) another(not ...*cluster.Master) *cluster.Master {
	for _, m := range s.Masters {
		if m != not[0] && m != not[len(not)-1] {
			return m
		}
	}
	return nil
}

// TestFaults: each kind of fault is asked of the holder through another node; a third
// one or that takes over, and when it is over all is as before.
func TestFaults(t *testing.T) {
	t.Parallel()
	s := begin(t, cluster.Options{Supervised: true})
	for _, kind := range []fault.Kind{fault.Kill, fault.Pause, fault.Cut} {
		holder := s.owner(time.Now())
		s.befalls(kind, holder, s.another(holder))
	}
	// And of the node that is asked itself.
	holder := s.owner(time.Now())
	s.befalls(fault.Cut, holder, holder)
	labtest.OneOwner(t, s.watch)
}

// TestKilledWhileCut: a holder that is killed while it is cut off leaves tables, which
// drop nothing after the time, and which cleanup removes; a start does the same.
func TestKilledWhileCut(t *testing.T) {
	t.Parallel()
	s := begin(t, cluster.Options{})
	for _, remove := range []func(holder *cluster.Master){s.cleanUp, func(*cluster.Master) {}} {
		holder := s.owner(time.Now())
		begin := time.Now()
		must(t, admin.Drills(holder.Socket()).Inflict(s.ctx, holder.Name(), fault.Cut, hold))
		next := s.owner(begin, holder.Name())
		must(t, holder.Kshalb().Kill())
		if left := s.left(holder); len(left) != 1 {
			t.Errorf("the killed one has left %q", left)
		}
		remove(holder)
		must(t, holder.Start())
		s.settled(next)
		s.nothingLeft(holder)
	}
	labtest.OneOwner(t, s.watch)
}

func (s *scene) cleanUp(m *cluster.Master) {
	s.Helper()
	p, err := m.Host.Start(lab.Spec{Name: "cleanup", Path: binary, Args: []string{"cleanup"}})
	must(s.T, err)
	must(s.T, p.Wait(s.ctx))
	if left := s.left(m); p.State().ExitCode() != 0 || len(left) != 0 {
		s.Errorf("cleanup ended with %v, and %q is left:\n%s", p.State(), left, p.Tail(2000))
	}
}

func (s *scene) befalls(kind fault.Kind, holder, through *cluster.Master) {
	s.Helper()
	drills := admin.Drills(through.Socket())
	must(s.T, drills.Able(s.ctx, holder.Name(), kind))
	process := holder.Kshalb()
	begin := time.Now()
	must(s.T, drills.Inflict(s.ctx, holder.Name(), kind, hold))
	if err := drills.Inflict(s.ctx, holder.Name(), fault.Kill, hold); kind == fault.Cut && holder == through &&
		(err == nil || !strings.HasSuffix(err.Error(), fault.ErrLasts.Error())) {
		s.Errorf("one in another: %v", err)
	}
	next := s.owner(begin, holder.Name())
	s.Logf("%s of %s: %s has the address after %v", kind, holder.Name(), next.Name(), time.Since(begin))
	if kind == fault.Kill {
		must(s.T, process.Wait(s.ctx))
		if how := process.State().String(); how != "signal: killed" {
			s.Errorf("%s ended with %s", process.Name(), how)
		}
		must(s.T, holder.Start())
	}
	s.settled(next)
	if took := time.Since(begin); kind != fault.Kill && took < hold {
		s.Errorf("all was well after %v, before the fault was over", took)
	}
	s.nothingLeft(holder)
}

// settled waits until all serve, and agree who holds the address.
func (s *scene) settled(owner *cluster.Master) {
	s.Helper()
	for _, m := range s.Masters {
		must(s.T, m.WaitStatus(s.ctx, func(n status.Node) error {
			for _, p := range n.Peers {
				if p.State != "alive" && p.State != "self" {
					return fmt.Errorf("peer %s is %s", p.Name, p.State)
				}
			}
			if v := n.VIPs[0]; !n.Ready || v.Holder != owner.Name() || v.Assigned != (m == owner) {
				return fmt.Errorf("ready %v, holder %q, assigned %v; %s answers", n.Ready, v.Holder, v.Assigned, owner.Name())
			}
			return nil
		}))
	}
}

// nothingLeft waits until a host has neither the tables of a drill nor a process of
// kshalb besides the one; both end a moment after the fault.
func (s *scene) nothingLeft(m *cluster.Master) {
	s.Helper()
	for s.ctx.Err() == nil {
		if len(s.left(m)) == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	s.Errorf("%s still has something of a drill: %q", m.Name(), s.left(m))
}

// left are the tables of a drill on a host, and the processes that its kshalb has
// started.
func (s *scene) left(m *cluster.Master) (left []string) {
	s.Helper()
	if m.Kshalb().State() == nil {
		children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", m.Kshalb().PID()))
		for _, c := range children {
			pids, _ := os.ReadFile(c)
			left = append(left, strings.Fields(string(pids))...)
		}
	}
	must(s.T, m.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := conn.ListTables()
		for _, t := range tables {
			if t.Name == fault.Table {
				left = append(left, t.Name)
			}
		}
		return err
	}))
	return left
}
