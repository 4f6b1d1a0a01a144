package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// turn waits for the lock on a file (flock(2)), by which several measurements on
// one machine take turns; done gives it back. Without a file there is nothing to
// wait for.
func turn(ctx context.Context, path string) (done func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	for range ticks(ctx, 20*time.Millisecond) { // a blocking lock would not hear of ctx
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
	f.Close()
	return nil, context.Cause(ctx)
}
