package fault

import (
	"os"

	"golang.org/x/sys/unix"
)

// killed is the exit code of a process that SIGKILL has ended, as shells tell it.
const killed = 128 + int(unix.SIGKILL)

// die ends this process at once. A signal from inside does not reach the first
// process of a container (pid_namespaces(7)); to the kernel its end is the same.
func die() {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	for {
		_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(killed), 0, 0)
	}
}

// ableKill is nil where something starts this process again.
func (f *Faults) ableKill() error {
	if f.cfg.Supervised {
		return nil
	}
	return supervised("/proc/self/mountinfo", systemdSocket)
}
