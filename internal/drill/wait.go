package drill

import (
	"context"
	"fmt"
	"time"

	"github.com/kshalb/kshalb/internal/status"
)

// look is between two looks at the cluster.
const look = 20 * time.Millisecond

// serving waits until all clients were answered after a moment.
func (d *Drill) serving(ctx context.Context, t trio, after time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for !t.fresh.Answered(after) || !t.kept.Answered(after) || !t.watch.Listening() {
		if err := sleep(ctx, look); err != nil {
			return fmt.Errorf("clients on this host are not answered through %s within 30 s (new connections %t, a kept one %t, a watch %t): %w",
				d.service.Address, t.fresh.Answered(after), t.kept.Answered(after), t.watch.Listening(), err)
		}
	}
	return nil
}

// whole waits until nothing has been wrong with the cluster for some time.
func (d *Drill) whole(ctx context.Context, limit, long time.Duration) (status.Node, error) {
	var since time.Time // zero: something is wrong
	return d.await(ctx, limit+long, func(n status.Node) error {
		all := lacks(n, d.vip.Name)
		switch {
		case len(all) > 0:
			since = time.Time{}
			return &Unhealthy{all}
		case since.IsZero():
			since = time.Now()
		}
		if time.Since(since) < long {
			return fmt.Errorf("the cluster has not been whole for %v yet", long)
		}
		return nil
	})
}

// await waits until the status is as wanted; the error says what it is instead.
func (d *Drill) await(ctx context.Context, limit time.Duration, wanted func(status.Node) error) (n status.Node, err error) {
	for end := time.Now().Add(limit); ; {
		if n, err = d.cluster.Status(ctx); err == nil {
			if err = wanted(n); err == nil {
				return n, nil
			}
		}
		if time.Now().After(end) {
			return n, err
		}
		if ended := sleep(ctx, look); ended != nil {
			return n, ended
		}
	}
}

func heldBy(n status.Node, vip, node string) error {
	if v, _ := vipOf(n, vip); v.Holder != node {
		return fmt.Errorf("%s is held by %q, not by %s", vip, v.Holder, node)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
