package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// task is anything that lives until its context ends.
type task struct {
	name string
	run  func(context.Context) error
	stop time.Duration // how long it may take to end
}

// runTasks starts tasks in order and waits for ctx to end, or for one of them
// to end by itself, which is a failure. Then it stops them in reverse order,
// one after the other, each within its time, and returns what went wrong.
func runTasks(ctx context.Context, tasks []task, log *slog.Logger) error {
	type ending struct {
		name string
		err  error
	}
	ended := make(chan ending, len(tasks))
	stops := make([]func() error, 0, len(tasks))
	for _, t := range tasks {
		tctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan error, 1)
		go func() {
			err := t.run(tctx)
			done <- err
			ended <- ending{t.name, err}
		}()
		stops = append(stops, func() error {
			cancel()
			return awaitEnd(t, done)
		})
	}

	var errs []error
	select {
	case <-ctx.Done():
		log.Info("stopping", "reason", context.Cause(ctx))
	case e := <-ended:
		if e.err == nil {
			e.err = errors.New("ended by itself")
		}
		errs = append(errs, fmt.Errorf("%s: %w", e.name, e.err))
		log.Error("stopping", "reason", errs[0])
	}
	for i := len(stops) - 1; i >= 0; i-- {
		if err := stops[i](); err != nil && (len(errs) == 0 || !errors.Is(errs[0], errors.Unwrap(err))) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func awaitEnd(t task, done <-chan error) error {
	timeout := time.NewTimer(t.stop)
	defer timeout.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		return nil
	case <-timeout.C:
		return fmt.Errorf("%s: did not end within %s", t.name, t.stop)
	}
}

// undo is what takes back the steps that succeeded, in reverse.
type undo []func() error

func (u *undo) push(step func() error) { *u = append(*u, step) }

func (u *undo) run() error {
	var errs []error
	for i := len(*u) - 1; i >= 0; i-- {
		errs = append(errs, (*u)[i]())
	}
	return errors.Join(errs...)
}
