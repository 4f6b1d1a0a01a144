package fault

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPause: a child stands still, all of it, and goes on by itself; so does one in
// a static pod.
func TestPause(t *testing.T) {
	for name, hardened := range map[string]bool{"process": false, "pod": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if hardened && os.Getuid() != 0 {
				t.Skip("only root makes PID namespaces")
			}
			c := bear(t, "pause 1s", hardened)
			for range 3 { // again, when it is over
				asked := c.begin()
				helper := c.helper()
				over, before := c.until("over:")
				_, after := c.until("lives") // which of them comes first is chance
				if still := max(before, after); over != " <nil>" || still < 900*time.Millisecond {
					t.Errorf("it stood still for %v only:%s", still, over)
				}
				if took := time.Since(asked); took < time.Second || took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
				gone(t, helper)
			}
		})
	}
}

// TestPauseEndsWithItsHelper: whoever kills the helper ends the pause.
func TestPauseEndsWithItsHelper(t *testing.T) {
	t.Parallel()
	c := bear(t, "pause 60s", false)
	c.begin()
	helper := c.helper()
	must(t, unix.Kill(helper, unix.SIGKILL))
	if over, _ := c.until("over:"); !strings.Contains(over, "the helper ended early: signal: killed") {
		t.Error(over)
	}
	c.until("lives")
	gone(t, helper)
}

// TestKilledWhilePaused: a child that is killed while it stands still is gone at
// once, and its helper with it.
func TestKilledWhilePaused(t *testing.T) {
	t.Parallel()
	c := bear(t, "pause 60s", false)
	c.begin()
	helper := c.helper()
	must(t, c.cmd.Process.Kill())
	gone(t, helper)
	for range c.lines {
	}
	select {
	case <-c.ended:
	case <-time.After(5 * time.Second):
		t.Error("the killed child is still there")
	}
}

// TestSignalsWhilePaused: a signal that comes meanwhile waits, and is not lost.
func TestSignalsWhilePaused(t *testing.T) {
	t.Parallel()
	c := bear(t, "pause 1s", false)
	c.begin()
	c.helper()
	must(t, c.cmd.Process.Signal(unix.SIGTERM))
	for range c.lines {
	}
	if err := <-c.ended; err == nil || err.Error() != "signal: terminated" {
		t.Errorf("it ended with %v", err)
	}
}

func TestHelperRefuses(t *testing.T) {
	for text, args := range map[string][]string{
		"not for people":                  {"1"},
		"invalid syntax":                  {"x", "1s"},
		"a fault lasts from 1s to 1m0s":   {"1", "61s"},
		"hold 1ms: a fault lasts":         {"1", "1ms"},
		"hold -1s: a fault lasts":         {"1", "-1s"},
		"it is not the parent of this he": {"1", "1s"},
	} {
		if err := Helper(args); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%q: got %v, want %q", args, err, text)
		}
	}
}
