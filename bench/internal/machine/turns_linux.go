package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Turns lets several measurements on one machine take turns, by a lock on a
// file (flock(2)).
type Turns struct{ file *os.File }

// NewTurns opens the file, which is made if need be. With an empty path
// everybody goes at once.
func NewTurns(path string) (*Turns, error) {
	if path == "" {
		return &Turns{}, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	return &Turns{file: f}, nil
}

// Take waits for the turn until ctx is done; done ends the turn.
func (t *Turns) Take(ctx context.Context) (done func(), err error) {
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
