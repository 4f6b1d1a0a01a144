package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/kshalb/kshalb/bench/internal/machine"
	"github.com/kshalb/kshalb/internal/lab"
)

func terminate(p *lab.Process) error { return p.Signal(syscall.SIGTERM) }

// endedWell waits for the end of a process; another exit code than 0 is an error.
func endedWell(ctx context.Context, p *lab.Process) error {
	if err := p.Wait(ctx); err != nil {
		return err
	}
	if !p.State().Success() {
		return fmt.Errorf("%s ended with %v: %s", p.Name(), p.State(), p.Tail(500))
	}
	return nil
}

// children are the processes that a running one has started, and theirs.
func children(p *lab.Process) ([]int, error) {
	all, err := machine.Family(p.PID())
	if err != nil {
		return nil, fmt.Errorf("find the processes of %s: %w", p.Name(), err)
	}
	return all[1:], nil
}

// signalAll sends a signal to processes of which some may have ended.
func signalAll(pids []int, sig syscall.Signal) error {
	for _, pid := range pids {
		if err := unix.Kill(pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("send %v to process %d: %w", sig, pid, err)
		}
	}
	return nil
}
