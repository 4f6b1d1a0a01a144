package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// task is anything that lives until its context ends.
type task struct {
	name string
	run  func(context.Context) error
	stop time.Duration // how long it may take to end

	longer func() time.Duration // how much longer, when it is to end; nil: not at all
}

// limit is how long a task may take to end, if it is told to now.
func (t task) limit() time.Duration {
	if t.longer == nil {
		return t.stop
	}
	return t.stop + t.longer()
}

// runTasks starts tasks in order and waits for ctx to end, or for one of them
// to end by itself, which is a failure. Then it stops them in reverse order,
// one after the other, each within its time, and returns what went wrong.
func runTasks(ctx context.Context, tasks []task, log *slog.Logger) error {
	ended := make(chan int, len(tasks))
	stops := make([]func() error, len(tasks))
	for i, t := range tasks {
		tctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan error, 1)
		go func() {
			done <- t.run(tctx)
			ended <- i
		}()
		stops[i] = func() error {
			cancel()
			return awaitEnd(t, done)
		}
	}

	failed := -1
	select {
	case <-ctx.Done():
		log.Info("stopping", "reason", context.Cause(ctx))
	case failed = <-ended:
		log.Error("stopping", "reason", tasks[failed].name+" ended by itself")
	}
	var errs []error
	for i, stop := range slices.Backward(stops) {
		err := stop()
		if i != failed {
			errs = append(errs, err)
			continue
		}
		if err == nil {
			err = fmt.Errorf("%s: ended by itself", tasks[i].name)
		}
		errs = slices.Insert(errs, 0, err) // the cause first
	}
	return errors.Join(errs...)
}

func awaitEnd(t task, done <-chan error) error {
	limit := t.limit()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		return nil
	case <-timeout.C:
		return fmt.Errorf("%s: did not end within %s", t.name, limit)
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
