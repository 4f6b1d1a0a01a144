package e2e

import (
	"context"
	"errors"
	"fmt"

	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// balancer is what stands in front of the API servers.
type balancer interface {
	name() string
	port() uint16 // of the address, to which clients connect
	start(*controlPlane, *cluster.Master) error
	// stop takes it off a master, with the address.
	stop(context.Context, *cluster.Master) error
	// ready says what is not in order on a master, if anything: that it does not
	// serve, or finds a backend other than up.
	ready(context.Context, *cluster.Master) error
}

const kshalbName = "kshalb"

// balancerOf returns the one of a name. That a program is missing is an error that
// is an exec.ErrNotFound.
func balancerOf(name string) (balancer, error) {
	switch name {
	case kshalbName:
		return ours{}, nil
	case "haproxy-guide":
		return newRival(name, "guide")
	case "haproxy-tuned":
		return newRival(name, "tuned")
	}
	return nil, fmt.Errorf("there is no balancer %q", name)
}

// ours is the kshalb that TestMain built, with its defaults.
type ours struct{}

func (ours) name() string { return kshalbName }

func (ours) port() uint16 { return cluster.Port }

func (ours) start(_ *controlPlane, m *cluster.Master) error { return m.Start() }

func (ours) stop(ctx context.Context, m *cluster.Master) error { return m.Kshalb().Stop(ctx) }

func (ours) ready(ctx context.Context, m *cluster.Master) error {
	if m.Kshalb().State() != nil {
		return errors.New("kshalb has ended")
	}
	n, err := m.Status(ctx)
	if err != nil {
		return err
	}
	return allUp(n)
}
