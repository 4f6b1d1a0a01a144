package lab

import (
	"os/exec"
	"runtime"
	"syscall"
)

// starter forks every process of a lab from one thread that lives as long as
// the lab does: the kernel sends the parent-death signal when the *thread* that
// forked ends (prctl(2)), and Go's threads come and go.
type starter struct {
	jobs chan startJob
	done chan struct{}
}

type startJob struct {
	cmd *exec.Cmd
	ns  *namespace
	err chan error
}

func newStarter() *starter {
	s := &starter{jobs: make(chan startJob), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *starter) run() {
	defer close(s.done)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for j := range s.jobs {
		j.err <- j.ns.do(j.cmd.Start)
	}
}

// start starts cmd in the namespace. The process is killed with this one, and
// a Ctrl-C at the terminal does not reach it.
func (s *starter) start(ns *namespace, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	j := startJob{cmd, ns, make(chan error, 1)}
	s.jobs <- j
	return <-j.err
}

// close ends the thread. All processes must have been waited for.
func (s *starter) close() {
	close(s.jobs)
	<-s.done
}
