package fault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// HelperCommand is the command of kshalb that [Helper] is behind.
const HelperCommand = "drill-helper"

// ablePause tries to trace, without a stop.
func ablePause() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return runHelper(ctx, 0)
}

// runHelper has this process stand still, and returns when the helper has ended.
func runHelper(ctx context.Context, hold time.Duration) error {
	// The kernel sends the parent-death signal when the thread that forked ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var said bytes.Buffer
	// What runs, even if another file has its place meanwhile.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", HelperCommand, strconv.Itoa(os.Getpid()), hold.String())
	cmd.Args[0] = "kshalb"
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a helper: %w", err)
	}
	// For Yama (kernel.yama.ptrace_scope=1), which lets parents trace only; without
	// it the kernel knows no such thing, and needs none.
	_ = unix.Prctl(unix.PR_SET_PTRACER, uintptr(cmd.Process.Pid), 0, 0, 0)
	defer func() { _ = unix.Prctl(unix.PR_SET_PTRACER, 0, 0, 0, 0) }()
	_, err = in.Write([]byte{1}) // it waits for that
	return judgeHelper(errors.Join(err, cmd.Wait()), said.String())
}

// judgeHelper is why the helper failed, in its words, if it had any.
func judgeHelper(err error, said string) error {
	if err == nil {
		return nil
	}
	words := strings.TrimPrefix(strings.TrimSpace(said), "kshalb: ")
	return errors.New(cmp.Or(words, "the helper ended early: "+err.Error()))
}
