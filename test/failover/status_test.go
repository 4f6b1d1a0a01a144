package failover

import (
	"fmt"
	"slices"
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
	others := slices.DeleteFunc(slices.Clone(c.Masters), func(m *cluster.Master) bool { return m == s.holder })
	lost, killed := others[0], others[1]
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
	s.statusSays(fmt.Sprintf("%s: gave no answer\n", lost.Name()))
	must(t, killed.Kshalb().Kill())
	s.statusSays("connection refused\n")
}

// statusSays waits until the status of the holder has words (answers are told again for
// half a second), which then stay while the gossip learns what has happened.
func (s *scene) statusSays(words string) {
	s.Helper()
	for said := 0; said < 3; {
		out, err := asked(s.holder, "status")
		must(s.T, err)
		switch {
		case strings.Contains(out, words):
			said++
		case said > 0 || s.ctx.Err() != nil:
			s.Fatalf("%s does not say %q:\n%s", s.holder.Name(), words, out)
		}
	}
}
