package failover

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
	"github.com/kshalb/kshalb/internal/lab/cluster"
	"github.com/kshalb/kshalb/internal/lab/labtest"
)

var (
	overload = flag.Duration("failover.overload", 5*time.Second, "for how long the processors are kept busy")
	hogs     = flag.Int("failover.hogs", runtime.NumCPU(), "by so many processes")
)

// A host whose processors are all busy keeps the lease: three masters and their
// API servers share this machine with processes that never wait.
func TestOverload(t *testing.T) {
	t.Run("all processors", busy)
	t.Run("GOMAXPROCS=1", func(t *testing.T) {
		t.Setenv("GOMAXPROCS", "1") // the daemons inherit it
		busy(t)
	})
}

func busy(t *testing.T) {
	c := masters(t, cluster.Options{})
	s := observe(t, c)
	for range *hogs {
		_, err := c.Client.Start(lab.Spec{Path: "/bin/sh", Args: []string{"-c", "while :; do :; done"}})
		must(t, err)
	}
	from := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), *overload)
	defer cancel()
	if next, err := s.watch.WaitOwner(ctx, from, s.holder.Name()); err == nil {
		t.Errorf("%s took the address after %v", next.Host, next.From.Sub(from))
	} else if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	for _, m := range c.Masters {
		reportRenewals(t, m.Name(), m.Metric)
	}
	labtest.OneOwner(t, s.watch)
}

// reportRenewals logs how long a master's renewals took.
func reportRenewals(t *testing.T, name string, metric func(context.Context, string) (float64, error)) {
	t.Helper()
	ctx := labtest.Context(t, limit)
	const series = "kshalb_election_renew_duration_seconds"
	for _, le := range []string{"0.0064", "0.0512", "0.2048"} {
		n, err := metric(ctx, fmt.Sprintf("%s_bucket{le=%q}", series, le))
		must(t, err)
		all, err := metric(ctx, series+"_count")
		must(t, err)
		if all > 0 { // else it never held
			t.Logf("%s: %.2f %% of %.0f renewals took up to %s s", name, 100*n/all, all, le)
		}
	}
}
