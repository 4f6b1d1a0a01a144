package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/pkg/election"
)

// played is an election of which one VIP is held here, as a script has it go on
// after a handover.
type played struct {
	refuses error
	after   []election.Status // what each further look sees; the last one stays
	asked   []string
}

func (p *played) Handover(vip, node string) error {
	p.asked = append(p.asked, vip+" to "+node)
	return p.refuses
}

func (p *played) Status() []election.Status {
	if len(p.asked) == 0 {
		return []election.Status{{VIP: "other"}, {VIP: "v", Phase: election.Holding, Holder: "m1", Term: 7}}
	}
	if len(p.after) == 0 {
		return nil // it has ended
	}
	s := p.after[0]
	s.VIP = "v"
	if len(p.after) > 1 {
		p.after = p.after[1:]
	}
	return []election.Status{{VIP: "other"}, s}
}

func TestHandover(t *testing.T) {
	letsGo, free := election.Status{Phase: election.Resigning, Holder: "m1"}, election.Status{Phase: election.Standby, Term: 7}
	held := func(node string) election.Status {
		return election.Status{Phase: election.Standby, Holder: node, Term: 8}
	}
	for name, test := range map[string]struct {
		vip, node string
		refuses   error
		after     []election.Status
		took      time.Duration
		to, err   string
	}{
		"to a named one":        {vip: "v", node: "m2", after: []election.Status{letsGo, free, held("m2")}, took: 2 * time.Millisecond, to: "m2"},
		"to the best":           {vip: "v", after: []election.Status{free, held("m3")}, took: time.Millisecond, to: "m3"},
		"another one was first": {vip: "v", node: "m2", after: []election.Status{held("m3")}, to: "m3", err: "hand v over: m3 took it before m2 could"},
		"nobody takes it":       {vip: "v", node: "m2", after: []election.Status{free, held("m1")}, took: time.Millisecond, to: "m1", err: "nobody took it, so m1 holds it again"},
		"nobody at all":         {vip: "v", after: []election.Status{free}, took: handoverLimit, err: "does not know of a new holder after 5s"},
		"it is refused":         {vip: "v", node: "m9", refuses: errors.New("hand v over: m9 is not among them"), err: "hand v over: m9 is not among them"},
		"no such VIP":           {vip: "w", err: "hand w over: there is no such VIP here"},
		"it ends meanwhile":     {vip: "v", err: "the election has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // the client is gone
				begin := time.Now()
				h, err := handover(ctx, &played{refuses: test.refuses, after: test.after}, "m1", test.vip, test.node)
				if took := time.Since(begin); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %q", err, test.err)
				}
				if h.To != test.to || h.From != "m1" || test.to != "" && h.Term != 8 {
					t.Errorf("%+v", h)
				}
				if err == nil && h != (admin.Handover{VIP: test.vip, From: "m1", To: test.to, Term: 8, Milliseconds: test.took.Milliseconds()}) {
					t.Errorf("%+v", h)
				}
			})
		})
	}
}
