package election

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	simSeconds = flag.Int("sim.seconds", 200, "simulated seconds for each seed")
	simSeeds   = flag.Int("sim.seeds", 12, "how many seeds to run")
	simSeed    = flag.Uint64("sim.seed", 0, "run this one seed only, and print its events")
)

func TestNeverTwoOwners(t *testing.T) {
	t.Parallel()
	timings := []Timing{
		{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond, Linger: 2300 * time.Millisecond},
		{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond},
		{Lease: 300 * time.Millisecond, Renew: 60 * time.Millisecond},
		{Lease: 2 * time.Second, Renew: 500 * time.Millisecond, Linger: 3300 * time.Millisecond},
	}
	seeds := make([]uint64, *simSeeds)
	for i := range seeds {
		seeds[i] = uint64(i + 1)
	}
	if *simSeed != 0 {
		seeds = []uint64{*simSeed}
	}
	for _, seed := range seeds {
		timing, voters := timings[seed%4], []int{3, 3, 5, 1, 2}[seed%5]
		t.Run(fmt.Sprintf("seed=%d/voters=%d/lease=%v", seed, voters, timing.Lease), func(t *testing.T) {
			t.Parallel()
			s := newSim(t, seed, voters, timing)
			s.after(Silence, s.fault)
			s.run(time.Duration(*simSeconds) * time.Second)
			s.calmDown()
			// A fault comes every two grants or so, and not every one moves the VIP.
			if want := int(time.Duration(*simSeconds) * time.Second / (40 * timing.keep())); s.takeover < want && voters > 1 {
				t.Errorf("%d takeovers, want %d: the faults did not bite", s.takeover, want)
			}
		})
	}
}

// calmDown ends all faults and asserts the second promise: an owner soon.
func (s *sim) calmDown() {
	s.calm = true
	s.run(s.now + 8*maxKeep) // every fault and late message is over
	bound := voterTime(s.timing.keep()) + unfitPenalty + time.Second
	s.run(s.now + bound)
	owner := s.last
	for _, n := range s.nodes {
		if n.answers() {
			owner = n.name
		}
	}
	before := s.takeover
	s.run(s.now + 30*time.Second)
	for _, n := range s.nodes {
		if n.answers() && n.name == owner && s.takeover == before {
			return
		}
	}
	s.t.Errorf("in calm, %s does not keep the VIP: %d changes in 30 s", owner, s.takeover-before)
}

// TestTakeoverBound kills the holder in calm: the next one answers soon after
// the voters' time, a split vote included.
func TestTakeoverBound(t *testing.T) {
	t.Parallel()
	timing := Timing{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond, Linger: 2300 * time.Millisecond}
	for seed := range uint64(200) {
		s := newSim(t, seed, 3, timing)
		s.calm = true
		s.run(Silence + time.Second)
		killed := s.now
		for _, n := range s.nodes {
			if n.answers() {
				n.paused = true
				n.epoch++
			}
		}
		for before := s.takeover; s.takeover == before; s.run(s.now + time.Millisecond) {
			if s.now-killed > voterTime(timing.keep())+300*time.Millisecond {
				t.Fatalf("seed %d: nobody took over within %v", seed, s.now-killed)
			}
		}
		t.Logf("seed %d: %v", seed, s.now-killed)
	}
}
