package drill

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/admin"
	"github.com/kshalb/kshalb/internal/drill/fault"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// TestOrders: a handover can be asked for on every node, and what a node does not do
// it says in words.
func TestOrders(t *testing.T) {
	t.Parallel()
	s := begin(t, cluster.Options{})
	holder := s.owner(time.Now())
	s.settled(holder) // all know it
	asked := s.another(holder)
	third := s.another(holder, asked)
	drills := admin.Drills(asked.Socket())
	for _, test := range []struct {
		err  error
		want string
	}{
		{drills.Able(s.ctx, holder.Name(), fault.Kill), holder.Name() + ": kill: nothing is known here that would start this kshalb again"},
		{drills.Inflict(s.ctx, asked.Name(), fault.Kill, hold), asked.Name() + ": kill: nothing is known here"},
		{drills.Able(s.ctx, holder.Name(), "burn"), holder.Name() + ": does not know the fault \"burn\""},
		{drills.Inflict(s.ctx, holder.Name(), fault.Cut, time.Hour), holder.Name() + ": cut for 1h0m0s: a fault lasts from 1s to 1m0s"},
		{drills.Able(s.ctx, "nobody", fault.Cut), "send to nobody: not a peer"},
		{drills.Handover(s.ctx, "apiserver", holder.Name()), holder.Name() + ": hand apiserver over: " + holder.Name() + " holds it already"},
		{drills.Handover(s.ctx, "web", holder.Name()), "hand web over: there is no such VIP here"},
	} {
		if test.err == nil || !strings.HasPrefix(test.err.Error(), test.want) {
			t.Errorf("got %v, want %s", test.err, test.want)
		}
	}
	moved := time.Now()
	must(t, drills.Handover(s.ctx, "apiserver", third.Name()))
	s.settled(third)
	if owner := s.owner(moved, holder.Name()); owner != third {
		t.Errorf("%s has the address", owner.Name())
	}
	// The command asks the same.
	out, err := exec.CommandContext(s.ctx, binary, "handover", "--socket", holder.Socket(), holder.Name()).CombinedOutput()
	if want := fmt.Sprintf("apiserver: %s -> %s in ", third.Name(), holder.Name()); err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("%v: %s", err, out)
	}
	s.settled(holder)
	labtest.OneOwner(t, s.watch)
}

// TestObeysNobodyUnasked: without a key anybody could ask, so only the node's own
// socket does.
func TestObeysNobodyUnasked(t *testing.T) {
	t.Parallel()
	s := begin(t, cluster.Options{Insecure: true})
	holder := s.owner(time.Now())
	s.settled(holder) // all know it
	asked := s.another(holder)
	drills := admin.Drills(asked.Socket())
	for _, err := range []error{
		drills.Able(s.ctx, holder.Name(), fault.Cut),
		drills.Inflict(s.ctx, holder.Name(), fault.Cut, hold),
		drills.Handover(s.ctx, "apiserver", asked.Name()),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), holder.Name()+": obeys nobody, since cluster.gossip is insecure there") {
			t.Error(err)
		}
	}
	must(t, drills.Able(s.ctx, asked.Name(), fault.Cut))
	must(t, admin.Drills(holder.Socket()).Handover(s.ctx, "apiserver", asked.Name()))
	s.settled(asked)
	if log, err := os.ReadFile(holder.Dir() + "/kshalb.log"); err != nil || !strings.Contains(string(log), "a drill is asked for by a peer") ||
		!strings.Contains(string(log), "by="+asked.Name()) {
		t.Errorf("who asked is not in the log: %v", err)
	}
}
