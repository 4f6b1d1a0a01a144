package e2e

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
)

// trouble is a way to lose an API server, and the way back.
type trouble struct {
	name   string
	short  bool     // a part of every run of the tests
	holder bool     // of the master that has the address; else of another one
	flags  []string // with which the API server runs before
	do     func(context.Context, *controlPlane, *cluster.Master) error
	undo   func(context.Context, *controlPlane, *cluster.Master) error
	lasts  bool // requests count from its beginning; else from when it is done
	bars   bars
}

// bars are what kshalb has set itself; 0 is nothing.
type bars struct {
	mayFail bool          // new connections, and requests on them
	mayDrop bool          // requests that have reached an API server
	new     time.Duration // for which a request on a new connection waits, and after which none fails
	kept    time.Duration // until who has a connection is told that it is over
	watch   time.Duration // until an informer goes on
}

var (
	refusing = bars{kept: 2 * time.Second, watch: 3 * time.Second}
	// Who stops without a delay leaves those whom it has greeted and not yet heard,
	// and answers 503 to some: no balancer can know before.
	stopping = bars{mayDrop: true, kept: 2 * time.Second, watch: 3 * time.Second}
	silent   = bars{mayFail: true, new: 1500 * time.Millisecond, kept: 2 * time.Second, watch: 3 * time.Second}
)

func troubles() []trouble {
	return []trouble{
		{name: "API server: kill -9", short: true, do: killed, undo: started, bars: refusing},
		{name: "API server: SIGSTOP", short: true, do: paused, undo: continued, bars: silent},
		{name: "API server: SIGTERM", short: true, do: terminated, undo: started, bars: stopping},
		{name: "API server: SIGTERM, --shutdown-delay-duration=5s", flags: []string{"--shutdown-delay-duration=5s"},
			do: terminated, undo: started, bars: refusing},
		{name: "API servers: rolling restart", short: true, lasts: true, do: rolled, undo: nothing, bars: stopping},
		{name: "host cut off", do: isolated, undo: healed, bars: silent},
		{name: "host cut off, which has the address", holder: true, do: isolated, undo: healed, bars: silent},
		{name: "link down", do: unplugged, undo: healed, bars: silent},
		{name: "link down, of who has the address", holder: true, do: unplugged, undo: healed, bars: silent},
	}
}

func killed(_ context.Context, p *controlPlane, m *cluster.Master) error {
	return p.running[m.Name()].Kill()
}

func paused(_ context.Context, p *controlPlane, m *cluster.Master) error {
	return p.running[m.Name()].Pause()
}

func continued(_ context.Context, p *controlPlane, m *cluster.Master) error {
	return p.running[m.Name()].Continue()
}

// terminated does not wait: clients see it go.
func terminated(_ context.Context, p *controlPlane, m *cluster.Master) error {
	return p.running[m.Name()].Signal(syscall.SIGTERM)
}

// started waits until the last one has ended.
func started(ctx context.Context, p *controlPlane, m *cluster.Master) error {
	return errors.Join(p.running[m.Name()].Wait(ctx), p.startAPIServer(m))
}

// rolled restarts all, one after the other, as an upgrade does.
func rolled(ctx context.Context, p *controlPlane, _ *cluster.Master) error {
	for _, m := range p.Masters {
		if err := p.running[m.Name()].Stop(ctx); err != nil {
			return err
		}
		if err := p.startAPIServer(m); err != nil {
			return err
		}
		if err := p.waitAPI(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func nothing(context.Context, *controlPlane, *cluster.Master) error { return nil }

func isolated(_ context.Context, _ *controlPlane, m *cluster.Master) error { return m.Cut(lab.Isolate) }

func unplugged(_ context.Context, _ *controlPlane, m *cluster.Master) error {
	return m.Cut(lab.LinkDown)
}

func healed(_ context.Context, _ *controlPlane, m *cluster.Master) error { return m.Heal() }
