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

// restored waits until every apiserver is ready, and the balancer of every master
// is and sees every backend up.
func (p *controlPlane) restored(ctx context.Context) error {
	for _, m := range p.Masters {
		if err := p.waitAPI(ctx, m); err != nil {
			return err
		}
	}
	if err := p.balancer.restored(ctx, p); err != nil {
		return err
	}
	for {
		owners, err := p.Lab.Owners(p.VIP)
		if err != nil || len(owners) == 1 {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("wait for a holder: %w; %v have the address", context.Cause(ctx), owners)
		}
	}
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
