package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// kshalbSetting measures a build of kshalb with a lease.
func kshalbSetting(binary string, lease, renew time.Duration) setting {
	return setting{
		key:   fmt.Sprintf("kshalb-%d", lease.Milliseconds()),
		title: fmt.Sprintf("kshalb, lease %v, renewed every %v", lease, renew), lease: lease, nominal: lease,
		make: func(bool) (cluster.Options, func(*cluster.Cluster) (system, error)) {
			o := cluster.Options{
				Election: fmt.Sprintf("{lease: %v, renew: %v}", lease, renew),
				Backends: fmt.Sprintf("{addresses: ['127.0.0.1:%d']}", cluster.Port),
				// The probe is quick, so that the last row is about the election.
				Check: fmt.Sprintf("{type: tcp, interval: %v, timeout: 1s, rise: 1, fall: 1}", probeEvery),
			}
			return o, func(*cluster.Cluster) (system, error) { return &kshalb{binary: binary}, nil }
		},
	}
}

// probeEvery is how often a master's kshalb probes the master's server.
const probeEvery = 100 * time.Millisecond

// kshalb runs as internal/lab/cluster starts it. It is one process a master.
type kshalb struct {
	binary    string
	handovers int // for the names of their outputs
}

func (*kshalb) start(m *cluster.Master) error { return m.Start() }

func (*kshalb) kill(m *cluster.Master) error {
	if m.Kshalb() == nil {
		return nil // not started yet
	}
	return m.Kshalb().Kill()
}

func (*kshalb) pause(m *cluster.Master) error { return m.Kshalb().Pause() }

func (*kshalb) proceed(m *cluster.Master) error { return m.Kshalb().Continue() }

func (*kshalb) terminate(m *cluster.Master) error { return terminate(m.Kshalb()) }

func (*kshalb) ended(ctx context.Context, m *cluster.Master) error {
	return endedWell(ctx, m.Kshalb())
}

func (k *kshalb) handover(ctx context.Context, m *cluster.Master) error {
	k.handovers++
	p, err := m.Host.Start(lab.Spec{
		Name: fmt.Sprintf("handover-%d", k.handovers), Path: k.binary, Args: []string{"handover", "--socket", m.Socket()},
	})
	if err != nil {
		return err
	}
	return endedWell(ctx, p)
}

// knows reports whether this build has a command.
func (k *kshalb) knows(command string) (bool, error) {
	help, err := exec.Command(k.binary, "--help").Output()
	if err != nil {
		return false, fmt.Errorf("ask %s for its commands: %w", k.binary, err)
	}
	return strings.Contains(string(help), "\n  "+command+" "), nil
}

func (*kshalb) settled(ctx context.Context, m, owner *cluster.Master) error {
	n, err := m.Status(ctx)
	if err != nil {
		return err
	}
	if !n.Ready || len(n.VIPs) != 1 {
		return fmt.Errorf("kshalb on %s is not ready: %s", m.Name(), n.Reason)
	}
	v, state := n.VIPs[0], "standby"
	if m == owner {
		state = "holding"
	}
	if v.Holder != owner.Name() || v.State != state {
		return fmt.Errorf("kshalb on %s is %s and says that %q holds the address, which is on %s", m.Name(), v.State, v.Holder, owner.Name())
	}
	for _, p := range n.Peers {
		if p.State != "alive" && p.State != "self" {
			return fmt.Errorf("kshalb on %s finds %s %s", m.Name(), p.Name, p.State)
		}
	}
	return nil
}
