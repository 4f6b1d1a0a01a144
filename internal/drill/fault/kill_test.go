package fault

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestKill: a child ends at once, by SIGKILL, and as the first process of its
// namespace, which no signal from inside ends, as if by it.
func TestKill(t *testing.T) {
	for name, hardened := range map[string]bool{"process": false, "pod": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if hardened && os.Getuid() != 0 {
				t.Skip("only root makes PID namespaces")
			}
			c := bear(t, "kill 0s", hardened)
			c.begin()
			for range c.lines {
			}
			exit, failed := errors.AsType[*exec.ExitError](<-c.ended)
			if !failed {
				t.Fatal("it ended as if all was well")
			}
			s := exit.Sys().(syscall.WaitStatus)
			if hardened && s.ExitStatus() != killed || !hardened && s.Signal() != syscall.SIGKILL {
				t.Errorf("it ended with %v", exit)
			}
		})
	}
}
