package failover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// The status of one master tells what the others see, and does not wait for one
// that cannot be reached: the command itself gives up after a second.
func TestStatusOfAll(t *testing.T) {
	c := masters(t, cluster.Options{})
	s := observe(t, c)
	var lost *cluster.Master
	for _, m := range c.Masters {
		if m != s.holder {
			lost = m
		}
	}
	out, err := asked(s.holder, "status")
	must(t, err)
	for _, m := range c.Masters {
		seen := false
		for line := range strings.Lines(out) {
			words := strings.Fields(line)
			seen = seen || len(words) == 6 && words[0] == m.Name() && words[3] == "alive" && words[5] != "-"
		}
		if !seen || strings.Contains(out, "gave no answer") {
			t.Errorf("%s is not seen alive by the others, with its configuration:\n%s", m.Name(), out)
		}
	}
	must(t, lost.Cut(lab.LinkDown))
	want := fmt.Sprintf("%s: gave no answer\n", lost.Name())
	for !strings.Contains(out, want) { // answers are told again for half a second
		must(t, s.ctx.Err())
		out, err = asked(s.holder, "status")
		must(t, err)
	}
	for range 3 { // and so it stays while the gossip learns that it is gone
		out, err := asked(s.holder, "status")
		must(t, err)
		if !strings.Contains(out, want) {
			t.Errorf("%s does not say %q:\n%s", s.holder.Name(), want, out)
		}
	}
}
