package proxy

import (
	"sync"
	"time"
)

// stillness decides whether something that is looked at now and then has not
// moved for too long.
type stillness struct {
	limit time.Duration
	moved uint64    // as last seen
	since time.Time // when it was first seen so
}

// observe takes what has moved until now. It returns when to look again, or
// that nothing has moved for the limit. As a move is dated by the look that saw
// it and looks are a quarter of the limit apart, the end comes between one and
// 1.25 limits after the last move.
func (s *stillness) observe(now time.Time, moved uint64) (again time.Duration, over bool) {
	if moved != s.moved || s.since.IsZero() {
		s.moved, s.since = moved, now
	}
	left := s.limit - now.Sub(s.since)
	return min(left, max(s.limit/4, time.Millisecond)), left <= 0
}

// watch ends a connection that has been silent for too long: Timeouts.Idle
// always, Timeouts.HalfClosed once one direction has ended. It asks the kernel
// what has moved and so costs nothing per packet. Deadlines on the sockets
// could not do it: one that ends a splice loses the bytes in its pipe.
type watch struct {
	conn *conn
	half time.Duration

	mu      sync.Mutex
	still   stillness
	timer   *time.Timer // nil while there is no limit
	stopped bool
}

func newWatch(c *conn, t Timeouts) *watch {
	w := &watch{conn: c, half: t.HalfClosed}
	w.begin(t.Idle)
	return w
}

// halfClosed says that one direction has ended.
func (w *watch) halfClosed() {
	w.mu.Lock()
	limit := w.still.limit
	w.mu.Unlock()
	if w.half > 0 && (limit == 0 || w.half < limit) {
		w.begin(w.half)
	}
}

// begin starts watching with limit, from now on; 0 is no limit.
func (w *watch) begin(limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if limit <= 0 || w.stopped {
		return
	}
	if w.timer != nil {
		w.timer.Stop() // one that fires nevertheless only looks once more
	}
	w.still = stillness{limit: limit}
	w.timer = time.AfterFunc(limit/4, w.look) // most half-closed connections have ended by then
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	n, err := moved(w.conn.client, w.conn.backend)
	if err != nil {
		return // closed already
	}
	again, over := w.still.observe(time.Now(), n)
	if over {
		w.conn.reset()
		return
	}
	w.timer.Reset(again)
}
