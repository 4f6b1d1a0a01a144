package main

import (
	"context"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// setting is what is measured, in a table of its own.
type setting struct {
	key     string        // for -only
	title   string        // of the table
	lease   time.Duration // of kshalb, else 0
	nominal time.Duration // in which another master should have the address
	make    func(equal bool) (cluster.Options, func(*cluster.Cluster) (system, error))
}

// system is the programs that give the address to one of the masters. Its
// methods are called by one goroutine.
type system interface {
	// start starts it on a master, where it does not run.
	start(m *cluster.Master) error
	// kill ends all its processes on a master by SIGKILL, also frozen ones.
	kill(m *cluster.Master) error
	// pause and proceed send SIGSTOP and SIGCONT to all of them.
	pause(m *cluster.Master) error
	proceed(m *cluster.Master) error
	// terminate sends SIGTERM; ended waits until that has worked.
	terminate(m *cluster.Master) error
	ended(ctx context.Context, m *cluster.Master) error
	// handover has a master that holds the address give it away.
	handover(ctx context.Context, m *cluster.Master) error
	// settled says what is not yet in order on a master, if anything, when the
	// address is on the owner.
	settled(ctx context.Context, m, owner *cluster.Master) error
}
