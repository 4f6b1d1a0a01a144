package failover

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// TestHooksOfAllNodes: each node tells its hooks what it sees of a change of holder,
// and one that was frozen learns of both ends of it. A hook that hangs on each master
// costs nothing.
func TestHooksOfAllNodes(t *testing.T) {
	c := masters(t, cluster.Options{Hooks: "[{on: [holder, backend], exec: [/bin/sleep, '1000']}, {on: [holder], exec: [/bin/sh, -c," +
		` 'echo "hook: $KSHALB_CHANGE on $KSHALB_NODE, $KSHALB_HOLDER after $KSHALB_WAS"']}]`})
	play(t, c, []act{{"SIGSTOP", func(s *scene) {
		fault := time.Now()
		frozen(s)
		next, _ := s.owner(fault, s.holder.Name())
		for _, m := range s.Masters {
			switch m {
			case s.holder:
				s.says(m, fmt.Sprintf("hook: taken on %s, %[1]s after ", m.Name()))
				s.says(m, fmt.Sprintf("hook: withdrawn on %s, ", m.Name()))
			case next:
				s.says(m, fmt.Sprintf("hook: taken on %s, %[1]s after %s", m.Name(), s.holder.Name()))
			default:
				s.says(m, fmt.Sprintf("hook: elsewhere on %s, %s after %s", m.Name(), next.Name(), s.holder.Name()))
			}
		}
	}}})
}

// says waits until the log of a master has a text.
func (s *scene) says(m *cluster.Master, text string) {
	s.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(m.Kshalb().Tail(1<<20), text) {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.Fatalf("%s never said %q", m.Name(), text)
		}
	}
}
