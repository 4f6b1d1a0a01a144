package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outcome is how a run ended.
type outcome string

const (
	succeeded outcome = "succeeded"
	failed    outcome = "failed"      // with another exit code than 0, or by a signal
	timedOut  outcome = "timeout"     // it was ended
	unstarted outcome = "not_started" // there is no such program, say
)

func outcomes() []outcome { return []outcome{succeeded, failed, timedOut, unstarted} }

// command runs a hook's program.
type command func(h Hook, ctx context.Context, environ []string, out io.Writer) (outcome, error)

// killAfter is between SIGTERM and SIGKILL, and how long output may come once all has
// ended that can be found.
const killAfter = time.Second

// run runs the command, and returns when it has ended, and its process group with it.
// ctx ends it before its time.
func (h Hook) run(ctx context.Context, environ []string, out io.Writer) (outcome, error) {
	cmd := exec.Command(h.Exec[0], h.Exec[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", environ, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = killAfter
	if err := cmd.Start(); err != nil {
		return unstarted, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.Timeout, fmt.Errorf("it took longer than %s, and was ended", h.Timeout))
	defer cancel()
	early := endGroup(ctx, cmd.Process.Pid)
	err := cmd.Wait()
	switch {
	case early:
		return timedOut, context.Cause(ctx)
	case err == nil || errors.Is(err, exec.ErrWaitDelay): // something of its own session still has its output
		return succeeded, nil
	}
	return failed, err
}

// endGroup waits for the leader of a process group to end, or has it end when ctx
// ends, which early says. Then it kills what is left of the group. The leader is not
// reaped before that, so that its number can't be that of others.
func endGroup(ctx context.Context, leader int) (early bool) {
	ended := make(chan struct{})
	go func() {
		awaitEnd(leader)
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		early = true
		_ = unix.Kill(-leader, unix.SIGTERM)
		select {
		case <-ended:
		case <-time.After(killAfter):
		}
	}
	_ = unix.Kill(-leader, unix.SIGKILL) // there may be none left
	<-ended
	return early
}

// awaitEnd waits for a child to end, without reaping it.
func awaitEnd(pid int) {
	for {
		if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
