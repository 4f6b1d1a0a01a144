package drill

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/drill"
	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
	"github.com/kshalb/kshalb/internal/lab/traffic"
	"github.com/kshalb/kshalb/internal/status"
)

// supervise has kshalb start again when it ends.
func (s *scene) supervise() {
	for _, m := range s.Masters {
		labtest.Background(s.T, m.Supervise)
	}
}

// drilling is `kshalb drill` on a master.
type drilling struct {
	*lab.Process
	out string // file
}

func (s *scene) drill(on *cluster.Master, args ...string) drilling {
	s.Helper()
	out := filepath.Join(on.Dir(), "drill.out")
	words := append([]string{"-c", `out=$1; shift; exec "$@" > "$out"`, "sh", out, binary, "drill", "--config", on.ConfigFile(), "--hold", hold.String(), "-o", "json"}, args...)
	p, err := on.Host.Start(lab.Spec{Name: "drill", Path: "/bin/sh", Args: words})
	must(s.T, err)
	return drilling{p, out}
}

// report waits for the end, with one of some exit codes: on a busy machine not all
// bounds are kept.
func (d drilling) report(s *scene, codes ...int) (r drill.Report) {
	s.Helper()
	must(s.T, d.Wait(s.ctx))
	if got := d.State().ExitCode(); !slices.Contains(codes, got) {
		s.Errorf("exit code %d, want one of %v; it says:\n%s", got, codes, d.Tail(4000))
	}
	text, err := os.ReadFile(d.out)
	must(s.T, err)
	if err := json.Unmarshal(text, &r); err != nil {
		s.Fatalf("%v\n%s\n%s", err, text, d.Tail(4000))
	}
	return r
}

// TestDrill: every kind is tried; what the report says is what somebody outside has
// seen, and in the end all is as it was.
func TestDrill(t *testing.T) {
	s := begin(t, cluster.Options{Supervised: true})
	s.ctx = labtest.Context(t, 8*limit)
	s.supervise()
	outside := s.Traffic("/readyz")
	labtest.Background(t, outside.Run)
	holder := s.owner(time.Now())
	here := s.another(holder)
	from := time.Now()
	r := s.drill(here, "--yes").report(s, 0, 3)
	must(t, outside.WaitAnswers(s.ctx, 1, time.Now()))
	if len(r.Rounds) != len(drill.Kinds()) || !r.Restored || r.Holder != holder.Name() || r.From != here.Name() {
		t.Errorf("the report is %+v", r)
	}
	longest := int64(0)
	for _, round := range r.Rounds {
		t.Logf("%+v", round)
		if round.Struck == round.Taken || round.Struck == here.Name() && round.Kind != drill.Handover {
			t.Errorf("%s: from %s to %s, seen from %s", round.Kind, round.Struck, round.Taken, here.Name())
		}
		if round.Fresh.Requests < 20 || round.Kept.Requests < 10 || round.Kept.Broken == 0 || round.Watch.Broken == 0 {
			t.Errorf("%s: nobody asked, or nothing broke: %+v", round.Kind, round)
		}
		if round.Wire == nil || round.Wire.Questions < 20 || round.Wire.Doubles > 0 {
			t.Errorf("%s: seen on the wire: %+v", round.Kind, round.Wire)
		}
		longest = max(longest, round.Fresh.Gap)
	}
	agrees(t, outside.Summary(from, time.Now()), longest)
	if again := s.owner(time.Now()); again != holder {
		t.Errorf("%s has the address, before it was %s", again.Name(), holder.Name())
	}
	labtest.OneOwner(t, s.watch)
}

// agrees compares the longest gap of the report with what a client on another host
// saw.
func agrees(t *testing.T, saw traffic.Summary, gap int64) {
	t.Helper()
	const near = 400 // ms; their questions are 20 ms apart, and the machine may be busy
	if got := saw.Gap.Milliseconds(); got > gap+near || gap > got+near {
		t.Errorf("longest gap %d ms from outside, %d ms in the report", got, gap)
	}
	t.Logf("longest gap %v from outside, %d ms in the report", saw.Gap, gap)
}

// TestDrillOnTheHolder: where the address is held here, it is given away before its
// holder is struck, and comes back.
func TestDrillOnTheHolder(t *testing.T) {
	s := begin(t, cluster.Options{})
	here := s.owner(time.Now())
	r := s.drill(here, "--yes", "--kind", "pause").report(s, 0, 3)
	if len(r.Rounds) != 1 || !r.Restored || r.Holder != here.Name() {
		t.Fatalf("the report is %+v", r)
	}
	if round := r.Rounds[0]; round.Struck == here.Name() || round.Watch.Broken == 0 || round.Wire.Questions < 20 {
		t.Errorf("seen from the host that gave it away: %+v", round)
	}
	if again := s.owner(time.Now()); again != here {
		t.Errorf("%s has the address, before it was %s", again.Name(), here.Name())
	}
	labtest.OneOwner(t, s.watch)
}

// TestHandoverOnTheHolder: also a client on the host that gives the address away, and
// one that came in the moment between the resets and the going of the address, hears
// of it. Each handover back is one, too.
func TestHandoverOnTheHolder(t *testing.T) {
	s := begin(t, cluster.Options{})
	here := s.owner(time.Now())
	for range 4 {
		r := s.drill(here, "--yes", "--kind", "handover").report(s, 0, 3)
		if len(r.Rounds) != 1 || !r.Restored {
			t.Fatalf("the report is %+v", r)
		}
		const told = 700 // ms; who is not told waits for its own time limit, a second
		round := r.Rounds[0]
		t.Logf("new connections %d ms, kept %d, watch %d", round.Fresh.Gap, round.Kept.Gap, round.Watch.Gap)
		if round.Struck != here.Name() || max(round.Fresh.Gap, round.Kept.Gap, round.Watch.Gap) > told {
			t.Errorf("seen from the host that gave it away: %+v", round)
		}
	}
	labtest.OneOwner(t, s.watch)
}

// TestDrillIsStopped: Ctrl-C in the middle of a fault puts everything back, and tells
// what was seen till then.
func TestDrillIsStopped(t *testing.T) {
	s := begin(t, cluster.Options{Supervised: true})
	holder := s.owner(time.Now())
	here := s.another(holder)
	began := time.Now()
	d := s.drill(here, "--yes", "--kind", "pause")
	s.owner(began, holder.Name()) // another has it
	must(t, d.Signal(syscall.SIGINT))
	if r := d.report(s, 1); len(r.Rounds) > 0 || !r.Restored {
		t.Errorf("the report is %+v", r)
	}
	if again := s.owner(time.Now()); again != holder {
		t.Errorf("%s has the address, before it was %s", again.Name(), holder.Name())
	}
	labtest.OneOwner(t, s.watch)
}

// TestDrillRefuses: without a person, on a cluster that is not whole, and of what
// nobody would undo.
func TestDrillRefuses(t *testing.T) {
	s := begin(t, cluster.Options{})
	holder := s.owner(time.Now())
	here := s.another(holder)
	refused := func(code int, args []string, want ...string) {
		t.Helper()
		d := s.drill(here, args...)
		must(t, d.Wait(s.ctx))
		said := d.Tail(4000)
		for _, w := range want {
			if !strings.Contains(said, w) || d.State().ExitCode() != code {
				t.Errorf("%v: exit code %d, %s\nwant %d %q", args, d.State().ExitCode(), said, code, w)
			}
		}
	}
	refused(2, []string{"--kind", "handover"}, "--yes does it without, nothing was done", "the holder gives the address to another node")
	refused(1, []string{"--kind", "kill", "--yes"}, "kill cannot be tried here")
	refused(2, []string{"--kind", "flood", "--yes"}, `"flood" is no kind of drill`)
	refused(2, []string{"--hold", "1h", "--yes"}, "from 1s to 1m0s")
	must(t, s.another(holder, here).Kshalb().Kill())
	s.waitDead(here, s.another(holder, here))
	refused(1, []string{"--yes"}, "nothing was done: the cluster is not whole:", s.another(holder, here).Name()+" is dead")
	if again := s.owner(time.Now()); again != holder {
		t.Errorf("%s has the address, before it was %s", again.Name(), holder.Name())
	}
}

// waitDead waits until a master sees that another one is dead.
func (s *scene) waitDead(by, dead *cluster.Master) {
	s.Helper()
	must(s.T, by.WaitStatus(s.ctx, func(n status.Node) error {
		for _, p := range n.Peers {
			if p.Name == dead.Name() && p.State == "dead" {
				return nil
			}
		}
		return fmt.Errorf("%s sees %+v", by.Name(), n.Peers)
	}))
}
