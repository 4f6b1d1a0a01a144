package failover

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// act is a scene that leaves all masters running.
type act struct {
	name string
	run  func(*scene)
}

func TestFailover(t *testing.T) {
	play(t, masters(t, cluster.Options{}), []act{
		{"kill -9", killed},
		{"kill -9 and an immediate restart", restarted},
		{"SIGTERM", terminated},
		{"handover", handedOver},
		{"link down", linkDown},
		{"the link flaps", flapping},
		{"isolated", isolated},
		{"SIGSTOP", frozen},
		{"no master sees another", parted},
		{"the holder is not heard by the others", unheard},
		{"a standby is killed", standbyKilled},
		{"the key changes", keyChanges},
		{"the next one cannot take the address", jammed},
		{"the fence belongs to somebody else", fenceTaken},
		{"somebody deletes the holder's tables", fenceKept},
		{"a client has just asked", justAsked},
		{"somebody takes the address away", addressLost},
		{"a stranger announces the address", announcedElsewhere},
	})
}

// play plays scenes on one set of masters, one after the other.
func play(t *testing.T, c *cluster.Cluster, acts []act) {
	for _, a := range acts {
		ok := t.Run(a.name, func(t *testing.T) { a.run(observe(t, c)) })
		if !ok {
			for name, log := range c.Lab.Logs(4000) {
				t.Logf("output of %s:\n%s", name, log)
			}
			t.FailNow() // the next scene would begin in disorder
		}
	}
}

func killed(s *scene) {
	fault := time.Now()
	must(s.T, s.holder.Kshalb().Kill())
	s.moves(fault)
	s.silentAfterLease()
	s.cleanedUp()
	must(s.T, s.holder.Start())
	s.settled(fault)
}

// A restarted kshalb removes what its predecessor left before another can have
// the address.
func restarted(s *scene) {
	fault := time.Now()
	must(s.T, s.holder.Kshalb().Kill())
	must(s.T, s.holder.Start())
	s.settled(fault)
}

func terminated(s *scene) {
	fault := time.Now()
	must(s.T, s.holder.Kshalb().Stop(s.ctx))
	if code := s.holder.Kshalb().State().ExitCode(); code != 0 {
		s.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	s.moves(fault)
	if sum := s.traffic.Summary(fault, time.Now()); sum.Gap > time.Second {
		s.Errorf("no request was answered for %v: a planned stop hands the address over", sum.Gap)
	}
	must(s.T, s.holder.Start())
	s.settled(fault)
}

func linkDown(s *scene) { s.cut(lab.LinkDown) }

// A holder whose carrier comes and goes ten times in a second and a half is not
// one of two at any moment, and all is well when it stays.
func flapping(s *scene) {
	fault := time.Now()
	for range 10 {
		must(s.T, s.holder.Cut(lab.LinkDown))
		<-time.After(70 * time.Millisecond) // the time that the scene is about
		must(s.T, s.holder.Heal())
		<-time.After(70 * time.Millisecond)
	}
	s.settled(fault)
}

func isolated(s *scene) { s.cut(lab.Isolate) }

func (s *scene) cut(f lab.Fault) {
	fault := time.Now()
	must(s.T, s.holder.Cut(f))
	s.moves(fault)
	if has, err := s.holder.Has(s.VIP); err != nil || has {
		s.Errorf("%s, cut off, has the address still: %v, %v", s.holder.Name(), has, err)
	}
	s.returns(s.holder.Heal)
	s.settled(fault)
}

// returns lets the old holder come back: the address stays where it is.
func (s *scene) returns(back func() error) {
	s.Helper()
	owner, _ := s.owner(time.Now())
	must(s.T, back())
	old := s.holder
	s.holder = owner
	s.stays(time.Now())
	s.holder = old
}

// Each master has the address once, and asks for it itself.
func handedOver(s *scene) {
	fault, first := time.Now(), s.holder
	for _, m := range append(slices.DeleteFunc(slices.Clone(s.Masters), func(m *cluster.Master) bool { return m == first }), first) {
		begin := time.Now()
		out, err := asked(m, "handover", m.Name()) // of one that does not hold
		must(s.T, err)
		s.Logf("%s", out)
		s.moves(begin)
		s.holder = m
	}
	for range 4 { // to whom kshalb likes
		begin := time.Now()
		out, err := asked(s.holder, "handover")
		must(s.T, err)
		s.Logf("%s", out)
		s.moves(begin)
		s.holder, _ = s.owner(time.Now())
	}
	unheard := s.Masters[0]
	if unheard == s.holder {
		unheard = s.Masters[1]
	}
	must(s.T, unheard.Cut(lab.Isolate))
	s.stays(time.Now()) // for longer than a lease
	if out, err := asked(s.holder, "handover", unheard.Name()); err == nil || !strings.Contains(err.Error(), "has not been heard") {
		s.Errorf("handover to a node that is cut off: %q, %v", out, err)
	}
	s.stays(time.Now())
	must(s.T, unheard.Heal())
	s.settled(fault)
}

func frozen(s *scene) {
	fault := time.Now()
	must(s.T, s.holder.Kshalb().Pause())
	s.moves(fault)
	s.returns(s.holder.Kshalb().Continue)
	s.settled(fault)
}

// Without a majority nobody has the address: the holder lets go.
func parted(s *scene) {
	fault := time.Now()
	s.part((*lab.Host).Block)
	for { // until a second has passed without an answer
		ctx, cancel := context.WithTimeout(s.ctx, time.Second)
		_, err := s.watch.WaitOwner(ctx, time.Now())
		cancel()
		if err != nil {
			break
		}
		if time.Since(fault) > limit {
			s.Fatal("somebody has the address without a majority")
		}
	}
	s.part((*lab.Host).Unblock)
	s.owner(time.Now())
	s.settled(fault)
}

// part does something from each master to each other one.
func (s *scene) part(do func(from, to *lab.Host) error) {
	s.Helper()
	for _, a := range s.Masters {
		for _, b := range s.Masters {
			if a != b {
				must(s.T, do(a.Host, b.Host))
			}
		}
	}
}

// The others' messages reach the holder, its own are lost: it can't renew.
func unheard(s *scene) {
	fault := time.Now()
	for _, m := range s.Masters {
		if m != s.holder {
			must(s.T, s.holder.Block(m.Host))
		}
	}
	s.moves(fault)
	for _, m := range s.Masters {
		if m != s.holder {
			must(s.T, s.holder.Unblock(m.Host))
		}
	}
	s.settled(fault)
}

// The holder stays when another master goes and comes back.
func standbyKilled(s *scene) {
	fault := time.Now()
	standby := s.Masters[2]
	if standby == s.holder {
		standby = s.Masters[1]
	}
	must(s.T, standby.Kshalb().Kill())
	must(s.T, standby.Start())
	must(s.T, standby.WaitReady(s.ctx))
	for _, span := range s.watch.Answers().Spans() {
		if span.Host != s.holder.Name() {
			s.Errorf("the address moved to %s", span.Host)
		}
	}
	s.settled(fault)
}
