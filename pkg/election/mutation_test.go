package election

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A mutant is the machine with one rule taken out: the numbers are those of
// doc.go. The simulator has to find two owners, else it proves nothing about
// the rule; some rules it takes a schedule that chance does not find, and a test
// has it.
type mutant struct {
	name, file, rule, without string

	seconds int    // of simulated time for each cluster
	where   string // "" is in all simulated clusters; else part of the name of some, or a test of the rule alone
}

func mutants() []mutant {
	return []mutant{
		{"1: a voter refuses others while its grant lives", "voter.go",
			`live && g.owner != from {`, `live && g.owner != from && false {`, 200, ""},
		{"2: the deadline counts from before asking", "bid.go",
			`deadline := start.Add(`, `deadline := now.Add(`, 2000, "unfenced"},
		{"2: the fence is armed before the clock is read", "sim_daemon_test.go",
			`		d.kernel.armed[attempt] = d.s.now + d.lasts(d.s.timing.Lease)
	}
	d.later(d.s.moment(), func() { d.machine.Armed(d.clock(), attempt, linger) })`, `	}
	d.later(d.s.moment(), func() {
		d.machine.Armed(d.clock(), attempt, linger)
		d.later(d.s.moment(), func() { d.kernel.armed[attempt] = d.s.now + d.lasts(d.s.timing.Lease) })
	})`, 5000, "instant"},
		{"2: a fence is armed once, not again for what is left", "sim_kernel_test.go",
			`		func() { k.on = l.Attempt },`, `		func() { k.on, k.armed[l.Attempt] = l.Attempt, m.d.s.now+m.d.lasts(l.Deadline.Sub(m.d.clock())) },
		func() { k.armed[l.Attempt] = m.d.s.now + m.d.lasts(m.d.s.timing.Lease) },`, 200, ""},
		{"3: the voters wait until the address is gone, where there is no fence", "sim_daemon_test.go",
			`	linger := d.s.linger
`, `	linger := time.Duration(0)
`, 200, "unfenced"},
		{"3: the voters wait longer than the holder by the drift bound", "timing.go",
			`return keep + keep/driftShare + driftMargin`, `return keep`, 2000, "instant"},
		{"4: a voter is silent after its start", "voter.go",
			`return now.Before(v.silentUntil)`, `return false`, 4000, "voters=3,lease=.00ms(,preempt)?$"},
		{"5: it takes a majority", "quorum.go",
			`return n/2 + 1`, `return n / 2`, 200, ""},
		{"5: a voter counts once", "quorum.go",
			`attempts = append(attempts, a)`, `attempts = append(attempts, a, a)`, 200, ""},
		{"6: a release frees no newer grant", "voter.go",
			`|| g.attempt > r.Attempt {`, `{`, 3000, "instant"},
		{"6: a grant is not given anew for an older attempt", "voter.go",
			` || v.grant.owner == from && r.Attempt <= v.grant.attempt {`, ` {`, 0, "TestVoterNeverLowersAGrant"},
		{"7: the address goes before the release is told", "bid.go",
			`	m.phase, m.why = Resigning, why
	m.bid.forget()
	m.bid.successor = successor
`, `	m.phase, m.why = Resigning, why
	m.bid.forget()
	r := Release{Attempt: m.bid.attempt, Successor: successor}
	m.broadcast(Message{Release: &r})
`, 1000, "unfenced"},
		{"8: a failed renewal extends nothing", "bid.go",
			`	b.starts[attempt] = now
`, `	b.starts[attempt] = now
	if m.phase == Holding {
		b.lease = Lease{b.term, attempt, now.Add(m.cfg.Timing.Lease)}
	}
`, 200, ""},
		{"9: sets of voters overlap", "quorum.go",
			`len(added)+len(removed) <= 1`, `len(added)+len(removed) <= 9`, 0, "TestVotersChangeOneByOne"},
		{"9: a set of voters is in force before the next", "memory.go",
			`if !m.established {`, `if false {`, 0, "TestVotersChangeOneByOne"},
		{"9: messages of other voters do not count", "machine.go",
			`case msg.Set != m.set.id:`, `case false:`, 8000, "changing"},
		{"10: others wait for the bootstrap node", "bid.go",
			`case !m.bootstrap.over && !m.alone():`, `case false:`, 2000, "bootstrap"},
		{"10: holding alone ends before others hear of it", "memory.go",
			`m.bootstrap.told = m.phase != Holding`, `m.bootstrap.told = true`, 0, "TestBootstrapIsToldWhenProven"},
		{"10: holding alone is not allowed again", "machine.go",
			`over := cfg.Bootstrap == "" || cfg.Remembered.Bootstrapped`, `over := cfg.Bootstrap == ""`, 0, "TestHoldingAloneIsNotAllowedAgain"},
	}
}

// tests returns which tests are to miss the rule.
func (m mutant) tests() string {
	if strings.HasPrefix(m.where, "Test") {
		return "^" + m.where + "$"
	}
	return "^TestNeverTwoOwners$/" + m.where
}

// inMutant is set in the tests of a mutant.
const inMutant = "KSHALB_ELECTION_MUTANT"

func TestEachRuleIsNeeded(t *testing.T) {
	if os.Getenv(inMutant) != "" {
		t.Skip("this is a mutant")
	}
	if testing.Short() {
		t.Skip("each rule is a build of its own; run without -short")
	}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			out := m.simulate(t)
			if !strings.Contains(out, "two nodes answer") && !strings.Contains(out, "--- FAIL: "+m.where) {
				t.Errorf("the simulator does not miss the rule:\n%s", out)
			}
		})
	}
}

// simulate builds the package with the rule taken out, by an overlay of the one
// file, and runs the simulator on it.
func (m mutant) simulate(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), m.rule) != 1 {
		t.Fatalf("%s does not have %q once: the mutant is out of date", m.file, m.rule)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, m.file), filepath.Join(dir, "overlay.json")
	original, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		changed: strings.Replace(string(source), m.rule, m.without, 1),
		overlay: string(replace),
	} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-failfast", "-overlay", overlay, "-run", m.tests(), ".",
		"-sim.seconds", strconv.Itoa(m.seconds), "-sim.seeds", strconv.Itoa(3*len(simConfigs)))
	cmd.Env = append(os.Environ(), inMutant+"=1", "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(string(out), "--- FAIL") {
		t.Fatalf("the mutant was not tested: %v\n%s", err, out)
	}
	return string(out)
}
