package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kshalb/kshalb/internal/drill/fault"
)

// TestDrillsGiveNotice: a fault begins when the answer has had time to leave, one
// that fails keeps no later one away, and the end of kshalb ends it.
func TestDrillsGiveNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		d := &drills{faults: fault.New(fault.Config{Log: log}), next: make(chan func(context.Context) error, 1), log: log}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.run(ctx) }()

		begun := make(chan time.Time)
		for range 2 {
			asked := time.Now()
			d.next <- func(context.Context) error { begun <- time.Now(); return errors.New("it went wrong") }
			if notice := (<-begun).Sub(asked); notice != drillNotice {
				t.Errorf("it begins %v after the answer, want %v", notice, drillNotice)
			}
		}
		undone := make(chan bool, 1)
		d.next <- func(ctx context.Context) error { begun <- time.Now(); <-ctx.Done(); undone <- true; return nil }
		<-begun
		stop()
		if err := <-ended; err != nil || !<-undone {
			t.Error(err)
		}

		if err := d.obey("stop", fault.Cut, time.Second); err == nil || err.Error() != `does not know the step "stop" of a drill; is it an older kshalb?` {
			t.Error(err)
		}
		d.next <- func(context.Context) error { t.Error("a fault began at the end"); return nil }
		if err := d.run(ctx); err != nil {
			t.Error(err)
		}
	})
}
