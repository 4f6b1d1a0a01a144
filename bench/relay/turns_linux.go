package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// turns lets several measurements on one machine take turns, by a lock on a
// file (flock(2)). With a nil file everybody goes.
type turns struct{ file *os.File }

func newTurns(path string) (*turns, error) {
	if path == "" {
		return &turns{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	return &turns{file: f}, nil
}

// take waits for the turn; done ends it.
func (t *turns) take(ctx context.Context) (done func(), err error) {
	if t.file == nil {
		return func() {}, nil
	}
	fd := int(t.file.Fd())
	for {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = unix.Flock(fd, unix.LOCK_UN) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", t.file.Name(), err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond): // a blocking lock would not hear of ctx
		}
	}
}
