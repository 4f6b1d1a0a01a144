package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// keepalivedSetting measures keepalived with an interval of its advertisements.
func keepalivedSetting(program string, advert time.Duration) setting {
	// Priorities count for little: with nopreempt for who is first, and for a skew.
	skew := time.Duration(256-keepalivedPriority) * advert / 256
	return setting{
		key:     fmt.Sprintf("keepalived-%d", advert.Milliseconds()),
		title:   fmt.Sprintf("keepalived, advert_int %g", advert.Seconds()),
		nominal: 3*advert + skew, // Master_Down_Interval, RFC 5798 section 6.1
		make: func(equal bool) (cluster.Options, func(*cluster.Cluster) (system, error)) {
			return cluster.Options{}, func(c *cluster.Cluster) (system, error) {
				k := &keepalived{program: program, running: make(map[string]*lab.Process)}
				return k, k.configure(c, advert, equal)
			}
		},
	}
}

// keepalived is a process a master that starts another, which does VRRP.
type keepalived struct {
	program string
	running map[string]*lab.Process // by master; the last that was started
	started int
}

func (k *keepalived) start(m *cluster.Master) error {
	k.started++
	p, err := m.Host.Start(lab.Spec{
		Name: fmt.Sprintf("keepalived-%d", k.started), Path: k.program,
		Args: []string{
			"--dont-fork", "--vrrp", "--log-console", "--log-detail", "--use-file", k.config(m),
			"--pid", filepath.Join(m.Dir(), "keepalived.pid"), "--vrrp_pid", filepath.Join(m.Dir(), "vrrp.pid"),
		},
	})
	if err == nil {
		k.running[m.Name()] = p
	}
	return err
}

// kill freezes the parent first: else it would start a new child, or its end
// would have the child end in order.
func (k *keepalived) kill(m *cluster.Master) error {
	p := k.running[m.Name()]
	if p == nil || p.State() != nil {
		return nil
	}
	if err := p.Pause(); err != nil {
		return err
	}
	pids, err := children(p)
	return errors.Join(err, signalAll(pids, syscall.SIGKILL), p.Kill())
}

func (k *keepalived) pause(m *cluster.Master) error { return k.signal(m, syscall.SIGSTOP) }

func (k *keepalived) proceed(m *cluster.Master) error { return k.signal(m, syscall.SIGCONT) }

func (k *keepalived) signal(m *cluster.Master, sig syscall.Signal) error {
	p := k.running[m.Name()]
	pids, err := children(p)
	return errors.Join(err, p.Signal(sig), signalAll(pids, sig))
}

func (k *keepalived) terminate(m *cluster.Master) error { return terminate(k.running[m.Name()]) }

func (k *keepalived) ended(ctx context.Context, m *cluster.Master) error {
	return endedWell(ctx, k.running[m.Name()])
}

func (*keepalived) handover(context.Context, *cluster.Master) error {
	return errors.New("keepalived has no handover")
}

// entered is how keepalived tells its state in its log.
var entered = regexp.MustCompile(`Entering (MASTER|BACKUP|FAULT) STATE`)

func (k *keepalived) settled(_ context.Context, m, owner *cluster.Master) error {
	p := k.running[m.Name()]
	if p.State() != nil {
		return fmt.Errorf("%s has ended", p.Name())
	}
	want, is := "BACKUP", ""
	if m == owner {
		want = "MASTER"
	}
	for _, found := range entered.FindAllStringSubmatch(p.Tail(1<<20), -1) {
		is = found[1]
	}
	if is != want {
		return fmt.Errorf("%s is %q, and the address on %s", p.Name(), is, owner.Name())
	}
	return nil
}
