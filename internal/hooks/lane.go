package hooks

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// lane is a hook with what waits for it.
type lane struct {
	hook    Hook
	node    string
	log     *slog.Logger
	metrics *metrics
	command command
	wake    chan struct{} // one slot: something has changed below

	mu    sync.Mutex // never held while a command runs
	queue queue
	ended bool // no event comes any more
}

// put adds an event. It does not block.
func (l *lane) put(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	lost := l.queue.put(e)
	l.poke()
	for _, e := range lost {
		l.metrics.dropped.WithLabelValues(e.On).Inc()
		l.log.Warn("a hook is too slow, so it is not run for each event", "left_out", e.String())
	}
}

// end has run return when the events are done that stay.
func (l *lane) end(stays func(Event) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.queue = slices.DeleteFunc(l.queue, func(e Event) bool { return !stays(e) })
	l.poke()
}

// poke wakes run; l.mu is held.
func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default: // it will wake already
	}
}

// next waits for the next event; false: there will be none.
func (l *lane) next() (Event, bool) {
	for {
		l.mu.Lock()
		e, is := l.queue.take()
		ended := l.ended
		l.mu.Unlock()
		if is || ended {
			return e, is
		}
		<-l.wake
	}
}

// run runs the command for one event after the other, until end. When ctx ends, the
// one that runs is ended, and no other one begins.
func (l *lane) run(ctx context.Context) {
	for {
		e, is := l.next()
		if !is {
			return
		}
		if ctx.Err() != nil {
			l.log.Warn("a hook was not run: kshalb had no time left to wait for it", "event", e.String())
			continue
		}
		l.do(ctx, e)
	}
}

// do runs the command once.
func (l *lane) do(ctx context.Context, e Event) {
	log := l.log.With("event", e.String())
	said := &lines{say: func(line string) { log.Info("a hook says", "line", line) }}
	begin := time.Now()
	how, err := l.command(l.hook, ctx, e.environ(l.node), said)
	said.end()
	l.metrics.runs.WithLabelValues(e.On, string(how)).Inc()
	took := time.Since(begin).Round(time.Millisecond)
	if how != succeeded {
		log.Warn("a hook failed", "outcome", string(how), "err", err, "took", took)
		return
	}
	log.Info("a hook ran", "exit", 0, "took", took)
}
