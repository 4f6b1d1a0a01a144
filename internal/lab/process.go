package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	Name string   // of the process in messages and of its output file; default: the base of Path
	Path string   // of the program
	Args []string // without the program's name
	Env  []string // added to this process's environment
}

// Process is a program that runs, or ran, on a host. Its methods are safe for
// concurrent use.
type Process struct {
	name string
	host *Host
	log  string
	cmd  *exec.Cmd

	done  chan struct{}
	ended time.Time // valid when done is closed
}

// Start starts a process inside the host. Its standard output and error go to
// one file in the host's directory, behind what earlier processes of that name
// wrote. It ends with this process at the latest.
func (h *Host) Start(s Spec) (*Process, error) {
	if s.Name == "" {
		s.Name = filepath.Base(s.Path)
	}
	p := &Process{
		name: s.Name, host: h, log: filepath.Join(h.dir, s.Name+".log"),
		cmd: exec.Command(s.Path, s.Args...), done: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), s.Env...)
	if err := h.lab.start(p); err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", s.Name, h.name, err)
	}
	go p.wait()
	return p, nil
}

// start holds the lab's lock, so that Close finds each process that it started.
func (l *Lab) start(p *Process) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := l.starter.start(p.host.ns, p.cmd); err != nil {
		return err
	}
	l.procs = append(l.procs, p)
	return nil
}

func (p *Process) wait() {
	_ = p.cmd.Wait() // its verdict is in ProcessState
	p.ended = time.Now()
	close(p.done)
}

// Name of the process, and its host's.
func (p *Process) Name() string { return p.name + " on " + p.host.name }

// PID is the number of the process in /proc. It may belong to another process
// once Done is closed.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how the process ended, and nil while it runs.
func (p *Process) State() *os.ProcessState {
	select {
	case <-p.done:
		return p.cmd.ProcessState
	default:
		return nil
	}
}

// Ended is when the process was found to have ended, and zero while it runs.
func (p *Process) Ended() time.Time {
	if p.State() == nil {
		return time.Time{}
	}
	return p.ended
}

// Wait waits until the process has ended or ctx is done.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s to end: %w", p.Name(), context.Cause(ctx))
	}
}

// Signal sends a signal. For a process that has ended it does nothing.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s: %w", sig, p.Name(), err)
	}
	return nil
}

// Kill sends SIGKILL and waits until the process has ended.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop sends SIGTERM and waits until the process has ended or ctx is done. The
// exit code is in State.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Pause freezes the process (SIGSTOP) until Continue.
func (p *Process) Pause() error { return p.Signal(syscall.SIGSTOP) }

// Continue lets a frozen process go on (SIGCONT).
func (p *Process) Continue() error { return p.Signal(syscall.SIGCONT) }

// Tail returns the last bytes of the output, at most so many, from the
// beginning of a line.
func (p *Process) Tail(bytes int) string { return tail(p.log, bytes) }
