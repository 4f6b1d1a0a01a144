package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/status"
)

// startBalancer starts what stands in front, on all masters, and waits for it.
func (p *controlPlane) startBalancer(ctx context.Context, b balancer) error {
	for _, m := range p.Masters {
		if err := b.start(p, m); err != nil {
			return fmt.Errorf("start %s on %s: %w", b.name(), m.Name(), err)
		}
	}
	return p.settled(ctx, b)
}

// stopBalancer takes it off all masters.
func (p *controlPlane) stopBalancer(ctx context.Context, b balancer) error {
	for _, m := range p.Masters {
		if err := b.stop(ctx, m); err != nil {
			return fmt.Errorf("stop %s on %s: %w", b.name(), m.Name(), err)
		}
	}
	return nil
}

// restored is settled with kshalb.
func (p *controlPlane) restored(ctx context.Context) error { return p.settled(ctx, ours{}) }

// settled waits until every apiserver is ready, what is in front of them serves on
// every master and finds every backend up, and one master has the address.
func (p *controlPlane) settled(ctx context.Context, b balancer) error {
	for _, m := range p.Masters {
		if err := p.waitAPI(ctx, m); err != nil {
			return err
		}
	}
	var err error
	for range ticks(ctx, 50*time.Millisecond) {
		if err = p.unsettled(ctx, b); err == nil {
			return nil
		}
	}
	return fmt.Errorf("wait for %s: %w; last: %w", b.name(), context.Cause(ctx), err)
}

// unsettled says what is not in order now, if anything.
func (p *controlPlane) unsettled(ctx context.Context, b balancer) error {
	for _, m := range p.Masters {
		if err := b.ready(ctx, m); err != nil {
			return fmt.Errorf("on %s: %w", m.Name(), err)
		}
	}
	owners, err := p.Lab.Owners(p.VIP)
	if err == nil && len(owners) != 1 {
		err = fmt.Errorf("%v have the address, want one", owners)
	}
	return err
}

func allUp(n status.Node) error {
	if !n.Ready {
		return fmt.Errorf("not ready: %s", n.Reason)
	}
	for _, l := range n.Listeners {
		for _, b := range l.Backends {
			if b.State != "up" {
				return fmt.Errorf("backend %s is %s: %s", b.Address, b.State, b.Reason)
			}
		}
	}
	return nil
}

// sameStory waits until status and metrics of the masters name the holder that
// the observers see.
func (p *controlPlane) sameStory(ctx context.Context, t *testing.T, holder string, masters []*cluster.Master) {
	t.Helper()
	for _, m := range masters {
		assigned := m.Name() == holder
		must(t, m.WaitStatus(ctx, func(n status.Node) error {
			v := n.VIPs[0]
			if v.Holder != holder || v.Assigned != assigned {
				return fmt.Errorf("status: holder %q, assigned %v; %s answers", v.Holder, v.Assigned, holder)
			}
			return metricsTell(ctx, m, holder, assigned)
		}))
		if has, err := m.Has(p.VIP); err != nil || has != assigned {
			t.Errorf("%s has the address: %v, %v; %s answers", m.Name(), has, err, holder)
		}
	}
}

func metricsTell(ctx context.Context, m *cluster.Master, holder string, assigned bool) error {
	held, err := m.Metric(ctx, fmt.Sprintf(`kshalb_election_holder{node=%q,vip="apiserver"}`, holder))
	if err != nil {
		return err
	}
	on, err := m.Metric(ctx, `kshalb_vip_assigned{vip="apiserver"}`)
	if err != nil {
		return err
	}
	if held != 1 || (on == 1) != assigned {
		return errors.New("metrics: another story than the status")
	}
	return nil
}
