package failover

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

const (
	lease = 500 * time.Millisecond // kshalb's default

	// grain is how exactly the kernel ends an element: it counts time in ticks of
	// 1 to 10 ms (CONFIG_HZ).
	grain = 10 * time.Millisecond
)

// silentAfterLease asserts that the holder, whose kshalb has ended, has answered
// no question that was asked more than a lease later, and no packet is let
// through either: the fence is closed, and still there.
func (s *scene) silentAfterLease() {
	s.Helper()
	until := s.holder.Kshalb().Ended().Add(lease + grain)
	s.owner(until) // so that there were questions
	for _, a := range s.watch.Answers().Since(until) {
		if a.Host == s.holder.Name() {
			s.Errorf("%s, killed, answered a question asked %v after its lease", a.Host, a.From.Sub(until))
			return
		}
	}
	if len(ours(s, s.holder)) == 0 {
		s.Errorf("no fence is left on %s", s.holder.Name())
	}
}

// cleanedUp runs kshalb cleanup where kshalb was killed: nothing of it is left.
func (s *scene) cleanedUp() {
	s.Helper()
	p, err := s.holder.Host.Start(lab.Spec{Name: "cleanup", Path: binary, Args: []string{"cleanup"}})
	must(s.T, err)
	must(s.T, p.Wait(s.ctx))
	if code := p.State().ExitCode(); code != 0 {
		s.Errorf("%s: exit code %d:\n%s", p.Name(), code, p.Tail(2000))
	}
	if left := ours(s, s.holder); len(left) > 0 {
		s.Errorf("tables after cleanup: %d of kshalb, the first is %s", len(left), left[0].Name)
	}
	if has, err := s.holder.Has(s.VIP); err != nil || has {
		s.Errorf("the address is there after cleanup: %v, %v", has, err)
	}
}

// ours are the nftables tables of kshalb on a master.
func ours(s *scene, m *cluster.Master) (tables []*nftables.Table) {
	s.Helper()
	must(s.T, m.Do(func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err = conn.ListTables()
		return err
	}))
	return slices.DeleteFunc(tables, func(t *nftables.Table) bool { return !strings.HasPrefix(t.Name, "kshalb") })
}

// A kshalb whose fence another process owns does not start: nothing would stop
// it in time. The others go on without it.
func fenceTaken(s *scene) {
	other := s.Masters[0]
	if other == s.holder {
		other = s.Masters[1]
	}
	fault := time.Now()
	must(s.T, other.Kshalb().Stop(s.ctx))
	release := ownTable(s.T, other.Host, "kshalb-fence")
	must(s.T, other.Start())
	must(s.T, other.Kshalb().Wait(s.ctx))
	code, text := other.Kshalb().State().ExitCode(), other.Kshalb().Tail(2000)
	if code == 0 || !strings.Contains(text, "kshalb-fence") {
		s.Errorf("exit code %d, want an error that names the table:\n%s", code, text)
	}
	s.stays(fault)
	release()
	must(s.T, other.Start())
	s.settled(fault)
}

// Nobody else can take a table from a holder that lives.
func fenceKept(s *scene) {
	begin := time.Now()
	tables := ours(s, s.holder)
	if len(tables) < 3 {
		s.Errorf("%s has %d tables, want a redirect and a fence", s.holder.Name(), len(tables))
	}
	for _, t := range tables {
		err := s.holder.Do(func() error {
			conn, err := nftables.New()
			if err != nil {
				return err
			}
			conn.DelTable(t)
			return conn.Flush()
		})
		if !errors.Is(err, unix.EPERM) {
			s.Errorf("delete table %s of the holder: %v, want %v", t.Name, err, unix.EPERM)
		}
	}
	s.stays(begin)
	s.settled(begin)
}
