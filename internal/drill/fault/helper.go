package fault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// helperLook is between two looks whether the parent still lives. The kernel
// kills the helper with its parent; this is for when it did not.
const helperLook = 10 * time.Millisecond

// Helper is the helper of a pause, a process of its own. Its arguments are the
// number of its parent, which stands still, and for how long; not at all, with 0s,
// tries whether it could. When it ends, in any way, the kernel lets the parent go.
func Helper(args []string) error {
	parent, hold, err := helperArgs(args)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // a tracer is a thread
	// The parent says when it has allowed it; the end of it says nothing.
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil || os.Getppid() != parent {
		return fmt.Errorf("stop process %d: it is not the parent of this helper, or has ended", parent)
	}
	if hold == 0 {
		return seize(parent)
	}
	end := time.Now().Add(hold)
	if err := freeze(parent); err != nil {
		return err
	}
	for left := hold; left > 0 && os.Getppid() == parent; left = time.Until(end) {
		time.Sleep(min(left, helperLook))
	}
	return nil
}

func helperArgs(args []string) (parent int, hold time.Duration, err error) {
	if len(args) != 2 {
		return 0, 0, errors.New("this command is kshalb's own, and not for people")
	}
	parent, err1 := strconv.Atoi(args[0])
	hold, err2 := time.ParseDuration(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return 0, 0, err
	}
	if hold != 0 && (hold < MinHold || hold > MaxHold) {
		return 0, 0, fmt.Errorf("hold %v: a fault lasts from %v to %v", hold, MinHold, MaxHold)
	}
	return parent, hold, nil
}

// freeze stops every thread of a process, until the calling thread ends.
func freeze(pid int) error {
	if err := stop(pid); err != nil { // the first one, whose number is the process's
		return err
	}
	held := map[int]bool{pid: true}
	for {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil {
			return err
		}
		before := len(held)
		for _, t := range threads {
			tid, err := strconv.Atoi(filepath.Base(t))
			if err != nil || held[tid] {
				continue
			}
			// What was born of a traced thread is traced, and so refused; it stops
			// before its first step (PTRACE_O_TRACECLONE).
			if err := stop(tid); err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ESRCH) {
				return err
			}
			held[tid] = true
		}
		if len(held) == before {
			return nil
		}
	}
}

func stop(tid int) error {
	if err := seize(tid); err != nil {
		return err
	}
	if err := unix.PtraceInterrupt(tid); err != nil {
		return fmt.Errorf("stop thread %d: %w", tid, err)
	}
	return nil
}

// seize traces a thread, which goes on (ptrace(2), PTRACE_SEIZE).
func seize(tid int) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, unix.PTRACE_O_TRACECLONE, 0, 0)
	if errno == 0 {
		return nil
	}
	return fmt.Errorf("trace process %d: %w; a debugger may be at it, or ptrace is forbidden here:"+
		" by kernel.yama.ptrace_scope (2 and 3 do), or by a seccomp, AppArmor or SELinux profile", tid, errno)
}
