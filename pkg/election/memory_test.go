package election

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// lonely returns a fit machine of m1, first of so many voters, whose vote is
// awake at the returned time.
func lonely(t *testing.T, voters int, bootstrap string, mem Memory) (*Machine, time.Time) {
	t.Helper()
	names := []string{"m1", "m2", "m3", "m4", "m5"}[:voters]
	m, err := New(Config{
		VIP: "api", Self: Owner{"m1", 1}, Voters: votersOf(names), Timing: clusterTiming,
		Bootstrap: bootstrap, Remembered: mem, Rand: rand.New(rand.NewPCG(1, 1)),
	}, t0)
	if err != nil {
		t.Fatal(err)
	}
	m.SetFitness(t0, Fit)
	return m, t0.Add(Silence)
}

// asks ticks, arms the fence, and returns what the voters are asked.
func asks(t *testing.T, m *Machine, now time.Time) Request {
	t.Helper()
	m.Tick(now)
	attempt, ok := m.Arming()
	if !ok {
		t.Fatalf("nothing to arm; %s: %s", m.Phase(), m.Why(now))
	}
	m.Take()
	m.Armed(now, attempt, 0)
	for _, o := range m.Take() {
		if o.Message.Request != nil {
			return *o.Message.Request
		}
	}
	return Request{Attempt: attempt}
}

// grants is a voter's answer.
func grants(m *Machine, voter string, r Request) Message {
	return Message{VIP: "api", From: Owner{voter, 7}, Fitness: Fit, Set: m.set.id, Response: &Response{To: m.cfg.Self, Attempt: r.Attempt, Granted: true}}
}

// tells reports whether a machine says that a majority has been seen.
func tells(m *Machine) bool {
	m.broadcast(Message{Release: &Release{}})
	return m.Take()[0].Message.Bootstrapped
}

// The lease of a bootstrap node may rest on its own vote alone when the disk has
// the end of that. Who heard of it then could win while the lease lives.
func TestBootstrapIsToldWhenProven(t *testing.T) {
	m, now := lonely(t, 5, "m1", Memory{})
	first := asks(t, m, now)
	if _, ok := m.Lease(now); !ok {
		t.Fatalf("the bootstrap node does not hold alone: %s", m.Why(now))
	}
	for _, voter := range []string{"m2", "m3"} {
		m.Step(now, grants(m, voter, first))
	}
	now = now.Add(clusterTiming.Renew)
	second := asks(t, m, now) // only its own vote is there so far
	if !m.ToRemember().Bootstrapped || tells(m) {
		t.Fatal("a majority has been seen: it is to be written down, and not to be told yet")
	}
	m.Remembered(now, m.ToRemember())
	if lease, _ := m.Lease(now); lease.Attempt != second.Attempt {
		t.Fatalf("it holds by attempt %d, want its own vote for %d", lease.Attempt, second.Attempt)
	}
	if tells(m) {
		t.Fatal("others are told while the lease rests on its own vote")
	}
	for _, voter := range []string{"m2", "m3"} {
		m.Step(now, grants(m, voter, second))
	}
	now = now.Add(clusterTiming.Renew)
	third := asks(t, m, now)
	if tells(m) {
		t.Fatal("a majority for the same attempt moves nothing, so it proves nothing new")
	}
	for _, voter := range []string{"m2", "m3"} {
		m.Step(now, grants(m, voter, third))
	}
	if !tells(m) {
		t.Fatal("the lease is proven by a majority, and others are not told")
	}
	now = now.Add(clusterTiming.Renew)
	asks(t, m, now)
	if lease, _ := m.Lease(now); lease.Attempt != third.Attempt {
		t.Error("its own vote still is a majority")
	}
}

func TestBootstrapNodeForgot(t *testing.T) {
	m, now := lonely(t, 3, "m1", Memory{})
	asks(t, m, now)
	m.Step(now, Message{VIP: "api", From: Owner{"m2", 7}, Set: m.set.id, Bootstrapped: true, Release: &Release{}})
	if m.Phase() != Resigning {
		t.Errorf("%s: it goes on holding alone although others had a majority", m.Phase())
	}
}

func TestOthersWaitForTheBootstrapNode(t *testing.T) {
	m, now := lonely(t, 3, "m2", Memory{})
	m.Tick(now)
	if _, asked := m.Arming(); asked || !strings.Contains(m.Why(now), "m2") || !m.Next().IsZero() {
		t.Fatalf("it campaigns, or does not say for whom it waits: %q", m.Why(now))
	}
	m.Step(now, Message{VIP: "api", From: Owner{"m3", 7}, Set: m.set.id, Bootstrapped: true, Release: &Release{}})
	asks(t, m, now.Add(time.Second))
	if !m.ToRemember().Bootstrapped {
		t.Error("what was heard is not remembered")
	}

	m, now = lonely(t, 3, "m2", Memory{Bootstrapped: true})
	asks(t, m, now)
}

func TestHoldingAloneIsNotAllowedAgain(t *testing.T) {
	m, now := lonely(t, 3, "m1", Memory{Bootstrapped: true})
	asks(t, m, now)
	if _, ok := m.Lease(now); ok {
		t.Error("it holds alone although its disk says that a majority has been seen")
	}
}

func TestCheckSuccession(t *testing.T) {
	for _, tt := range []struct {
		old, next string
		ok        bool
	}{
		{"", "a b c", true},
		{"a b c", "c b a", true},
		{"a b c", "a b c d", true},
		{"a b c", "a c", true},
		{"a b c", "a b d", false},
		{"a b c", "a b c d e", false},
		{"a b c", "a", false},
	} {
		if err := CheckSuccession(strings.Fields(tt.old), votersOf(strings.Fields(tt.next))); (err == nil) != tt.ok {
			t.Errorf("%q to %q: %v", tt.old, tt.next, err)
		}
	}
}

func TestVotersChangeOneByOne(t *testing.T) {
	m, now := lonely(t, 3, "", Memory{})
	four, five := votersOf([]string{"m1", "m2", "m3", "m4"}), votersOf([]string{"m1", "m2", "m3", "m4", "m5"})
	refused := func(what string, voters []Voter) {
		t.Helper()
		if m.CheckVoters(voters) == nil {
			t.Errorf("%s was taken", what)
		}
	}
	allowed := func(what string, voters []Voter) {
		t.Helper()
		if err := m.CheckVoters(voters); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	allowed("the same set", m.set.voters)
	refused("a change before anybody held", four)
	r := asks(t, m, now)
	m.Step(now, grants(m, "m2", r))
	allowed("one more", four)
	allowed("another order and a witness", []Voter{{Name: "m3", Witness: true}, {Name: "m1"}, {Name: "m2"}})
	refused("two more", five)
	refused("a set without this node", votersOf([]string{"m2", "m3"}))

	old := m.set.id
	m.Reconfigure(now, four, nil, false)
	if lease, ok := m.Lease(now); !ok || lease.Attempt != r.Attempt {
		t.Error("the lease is gone with the old voters")
	}
	if m.Step(now, grants(m, "m3", r)) != ReasonStale {
		t.Error("an answer to an attempt under the old voters counts")
	}
	refused("the next change before anybody held under this one", five)
	late := grants(m, "m2", r)
	late.Set = old
	if m.Step(now, late) != ReasonSet {
		t.Error("a message of other voters counts")
	}

	ahead := Message{VIP: "api", From: Owner{"m2", 7}, Set: newElectorate(five).id, Request: &Request{Attempt: 1, Keep: 1, Holding: true, Proven: true}}
	m.Step(now, ahead)
	allowed("a set under which somebody holds", five)
	ahead.Was, ahead.Request.Proven = m.set.id, false
	m.elsewhere = 0
	m.Step(now, ahead)
	allowed("the next set after one that others have seen in force", five)
}
