package election

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	simSeconds = flag.Int("sim.seconds", 200, "simulated seconds for each seed")
	simSeeds   = flag.Int("sim.seeds", 16, "how many seeds to run")
	simSeed    = flag.Int64("sim.seed", -1, "run this one seed only, and print its events")
)

const ms = time.Millisecond

// simConfigs are the clusters that are simulated, in turn.
var simConfigs = []simConfig{
	{voters: 3, timing: Timing{500 * ms, 100 * ms}},
	{voters: 3, timing: Timing{300 * ms, 60 * ms}, preempt: true},
	{voters: 5, timing: Timing{500 * ms, 100 * ms}},
	{voters: 3, timing: Timing{500 * ms, 100 * ms}, unfenced: 1, linger: 2300 * ms},
	{voters: 3, timing: Timing{500 * ms, 100 * ms}, bootstrap: true},
	{voters: 3, timing: Timing{500 * ms, 100 * ms}, changing: true},
	{voters: 3, timing: Timing{2 * time.Second, 500 * ms}, unfenced: 3, linger: 3300 * ms},
	{voters: 3, timing: Timing{time.Second, 200 * ms}, witnesses: 1},
	{voters: 4, timing: Timing{300 * ms, 100 * ms}, changing: true},
	{voters: 2, timing: Timing{500 * ms, 100 * ms}},
	{voters: 5, timing: Timing{300 * ms, 60 * ms}, unfenced: 2, linger: 2300 * ms, preempt: true},
	{voters: 1, timing: Timing{500 * ms, 100 * ms}},
	{voters: 5, timing: Timing{500 * ms, 100 * ms}, bootstrap: true},
	{voters: 2, timing: Timing{500 * ms, 100 * ms}, changing: true},
	{voters: 3, timing: Timing{2 * time.Second, 500 * ms}, instant: true},
	{voters: 3, timing: Timing{2 * time.Second, 500 * ms}, instant: true, unfenced: 3, linger: 3300 * ms},
}

func (c simConfig) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "voters=%d,lease=%v", c.voters, c.timing.Lease)
	for _, is := range []struct {
		so   bool
		word string
	}{{c.instant, "instant"}, {c.unfenced > 0, "unfenced"}, {c.witnesses > 0, "witness"}, {c.preempt, "preempt"}, {c.bootstrap, "bootstrap"}, {c.changing, "changing"}} {
		if is.so {
			s.WriteString("," + is.word)
		}
	}
	return s.String()
}

func TestNeverTwoOwners(t *testing.T) {
	t.Parallel()
	seeds := make([]uint64, *simSeeds)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	if *simSeed >= 0 {
		seeds = []uint64{uint64(*simSeed)}
	}
	for _, seed := range seeds {
		cfg := simConfigs[seed%uint64(len(simConfigs))]
		t.Run(fmt.Sprintf("seed=%d,%v", seed, cfg), func(t *testing.T) {
			t.Parallel()
			s := newSim(t, seed, cfg)
			s.after(Silence, s.fault)
			s.run(time.Duration(*simSeconds) * time.Second)
			s.calmDown()
			t.Logf("%d changes of owner, %d of voters", s.takeover, s.reloads)
			// A fault comes every two grants or so, and not every one moves the VIP.
			if want := int(time.Duration(*simSeconds) * time.Second / (60 * s.keep())); s.takeover < want && cfg.voters > 1 && !cfg.changing {
				t.Errorf("%d changes of owner, want %d: the faults did not bite", s.takeover, want)
			}
		})
	}
}

// calmDown ends all faults and asserts the second promise: an owner soon, and
// no other one without need.
func (s *sim) calmDown() {
	s.calm = true
	s.run(s.now + 8*maxKeep) // every fault, pause and late message is over
	if s.changing {
		s.converge()
	}
	if s.preempt {
		s.run(s.now + 2*preemptAfter)
	}
	s.run(s.now + voterTime(s.keep()) + unfitPenalty + time.Second)
	owner, before := s.owner(), s.takeover
	s.run(s.now + 30*time.Second)
	if owner == "" || s.owner() != owner || s.takeover != before {
		s.t.Errorf("in calm, %q does not keep the VIP: %q has it, %d changes in 30 s", owner, s.owner(), s.takeover-before)
	}
}

// converge gives all nodes the same voters, as an operator would in the end: he
// stops all that cannot go there one by one.
func (s *sim) converge() {
	for range 20 * len(s.sets) {
		for _, n := range s.nodes {
			if n.set < len(s.sets)-1 {
				n.reload()
			}
		}
		s.run(s.now + time.Second)
	}
	for _, n := range s.nodes {
		if n.set != len(s.sets)-1 || n.daemon == nil {
			n.daemon, n.set, n.disk.Voters = nil, len(s.sets)-1, nil
		}
	}
	s.run(s.now + maxKeep)
	for _, n := range s.nodes {
		for _, v := range s.sets[n.set] {
			if v.Name == n.name {
				n.revive()
			}
		}
	}
	s.run(s.now + Silence)
}

// TestTakeoverBound kills the holder in calm: the next one answers soon after
// the voters' time, a split vote included.
func TestTakeoverBound(t *testing.T) {
	t.Parallel()
	for _, cfg := range simConfigs[:5] {
		for seed := range uint64(100) {
			s := newSim(t, seed, cfg)
			s.calm = true
			s.run(Silence + time.Second)
			killed := s.now
			for _, n := range s.nodes {
				if n.answers() {
					n.daemon = nil
				}
			}
			for before := s.takeover; s.takeover == before; s.run(s.now + time.Millisecond) {
				if s.now-killed > voterTime(s.keep())+300*time.Millisecond {
					t.Fatalf("%v, seed %d: nobody took over within %v", cfg, seed, s.now-killed)
				}
			}
		}
	}
}
