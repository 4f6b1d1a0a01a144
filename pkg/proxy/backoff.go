package proxy

import (
	"sync"
	"time"
)

// backoff is how long accepting pauses when descriptors or memory have run out.
// Time counts from whenever the caller likes.
type backoff struct {
	pause  time.Duration
	calmAt time.Duration // unless it fails again
}

const (
	minPause = 5 * time.Millisecond
	maxPause = time.Second
	// calm is how long all must have been well for a failure to begin a new
	// episode. It is longer than any pause, and long enough that a process that
	// sways at its limit does not fill the log.
	calm = 10 * time.Second
)

// fail returns the next pause, and whether this failure begins an episode.
func (b *backoff) fail(now time.Duration) (pause time.Duration, begins bool) {
	begins = now >= b.calmAt
	b.calmAt = now + calm
	b.pause = min(max(2*b.pause, minPause), maxPause)
	return b.pause, begins
}

// episode is the backoff that all loops of a listener share: they run out of
// the same descriptors, and it is told once.
type episode struct {
	mu sync.Mutex
	b  backoff
}

func (e *episode) fail(now time.Duration) (pause time.Duration, begins bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.b.fail(now)
}

// well says that accepting goes on.
func (e *episode) well() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.b.pause = 0
}
