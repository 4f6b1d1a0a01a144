package bench

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kshalb/kshalb/pkg/election"
)

var timing = election.Timing{Lease: 500 * time.Millisecond, Renew: 100 * time.Millisecond}

// group is the machines of three nodes, in a time of its own.
type group struct {
	now      time.Time
	machines map[string]*election.Machine
	holder   string
}

// elected returns a group of which one node holds the VIP.
func elected(b *testing.B) *group {
	b.Helper()
	g := &group{now: time.Unix(0, 0), machines: make(map[string]*election.Machine)}
	voters := []election.Voter{{Name: "master1"}, {Name: "master2"}, {Name: "master3"}}
	for i, v := range voters {
		m, err := election.New(election.Config{
			VIP: "apiserver", Self: election.Owner{Node: v.Name, Incarnation: rand.Uint64()}, Voters: voters,
			Timing: timing, Rand: rand.New(rand.NewPCG(1, uint64(i))),
		}, g.now)
		if err != nil {
			b.Fatal(err)
		}
		m.SetFitness(g.now, election.Fit)
		g.machines[v.Name] = m
	}
	for end := g.now.Add(2 * election.Silence); g.holder == ""; g.now = g.now.Add(time.Millisecond) {
		if g.now.After(end) {
			b.Fatal("nobody holds the VIP")
		}
		for name, m := range g.machines {
			m.Tick(g.now)
			g.arm(m)
			g.deliver(m)
			if _, ok := m.Lease(g.now); ok {
				g.holder = name
			}
		}
	}
	return g
}

// arm answers at once that the fence is armed, if m waits for that.
func (g *group) arm(m *election.Machine) {
	if attempt, ok := m.Arming(); ok {
		m.Armed(g.now, attempt, 0)
	}
}

// deliver takes what m has to say to the others, and their answers back.
func (g *group) deliver(m *election.Machine) {
	for _, out := range m.Take() {
		to := g.machines[out.To]
		to.Step(g.now, out.Message)
		for _, answer := range to.Take() {
			g.machines[answer.To].Step(g.now, answer.Message)
		}
	}
}

// BenchmarkRenewal is all that three machines do for one renewal of the lease,
// without the wire: two requests, two votes, two answers.
func BenchmarkRenewal(b *testing.B) {
	g := elected(b)
	holder := g.machines[g.holder]
	b.ReportAllocs()
	for b.Loop() {
		g.now = g.now.Add(timing.Renew)
		holder.Tick(g.now)
		g.arm(holder)
		g.deliver(holder)
		if lease, ok := holder.Lease(g.now); !ok || !lease.Deadline.Equal(g.now.Add(timing.Lease)) {
			b.Fatalf("not renewed: %v until %s, now %s", ok, lease.Deadline, g.now)
		}
	}
}

// BenchmarkMessage is one message's way to bytes and back.
func BenchmarkMessage(b *testing.B) {
	request, response := renewal(b)
	b.Run("request", func(b *testing.B) { encodeAndDecode(b, request) })
	b.Run("response", func(b *testing.B) { encodeAndDecode(b, response) })
}

func encodeAndDecode(b *testing.B, m election.Message) {
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		wire, err := election.Encode([]election.Message{m})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := election.Decode(wire[0]); err != nil {
			b.Fatal(err)
		}
		size = len(wire[0])
	}
	b.ReportMetric(float64(size), "wire-B")
}

// renewal returns the messages of a real renewal.
func renewal(b *testing.B) (request, response election.Message) {
	b.Helper()
	g := elected(b)
	g.now = g.now.Add(timing.Renew)
	holder := g.machines[g.holder]
	holder.Tick(g.now)
	g.arm(holder)
	out := holder.Take()
	if len(out) != 2 || out[0].Message.Request == nil {
		b.Fatalf("the holder sent %+v, want two requests", out)
	}
	voter := g.machines[out[0].To]
	voter.Step(g.now, out[0].Message)
	answers := voter.Take()
	if len(answers) != 1 || answers[0].Message.Response == nil {
		b.Fatalf("the voter sent %+v, want a response", answers)
	}
	return out[0].Message, answers[0].Message
}
