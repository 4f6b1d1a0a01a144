package hooks

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// lastWords is how long events that wait may take when Run's context has ended.
	lastWords = 5 * time.Second
	// StopTime is what Run takes at most to return then.
	StopTime = lastWords + 2*killAfter
)

// Hooks are the hooks in force. Its methods are safe for concurrent use.
type Hooks struct {
	node    string
	log     *slog.Logger
	metrics *metrics
	command command // Hook.run, but for tests

	mu    sync.Mutex
	lanes []*lane
	begin func(*lane) // nil unless Run runs
}

// New returns no hooks yet; it starts nothing. node is what commands are told that
// this node is called.
func New(node string, log *slog.Logger, reg prometheus.Registerer) *Hooks {
	return &Hooks{node: node, log: log, metrics: newMetrics(reg), command: Hook.run}
}

// Set puts these hooks into force, in place of those before, and says in the log what
// will keep them from being run. What waits for a hook that stays as it is still
// waits; a command that runs goes on, whether its hook stays or not.
func (h *Hooks) Set(hooks []Hook) {
	for _, hook := range hooks { // before the lock: a file system may not answer
		if err := hook.faults(); err != nil {
			h.log.Warn("a hook has a fault", "hook", hook.Exec[0], "err", err)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	were := h.lanes
	h.lanes = nil
	for _, hook := range hooks {
		if i := slices.IndexFunc(were, func(l *lane) bool { return l.hook.equal(hook) }); i >= 0 {
			h.lanes = append(h.lanes, were[i])
			were = slices.Delete(were, i, i+1)
			continue
		}
		l := &lane{
			hook: hook, node: h.node, log: h.log.With("hook", hook.Exec[0]),
			metrics: h.metrics, command: h.command, wake: make(chan struct{}, 1),
		}
		h.lanes = append(h.lanes, l)
		if h.begin != nil {
			h.begin(l)
		}
	}
	for _, l := range were {
		l.end(func(Event) bool { return false })
	}
}

// Tell has the hooks run that are for the event. It does not wait for them.
func (h *Hooks) Tell(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.lanes {
		if slices.Contains(l.hook.On, e.On) {
			l.put(e)
		}
	}
}

// errStopping is why a command is ended when kshalb is.
var errStopping = errors.New("kshalb stops, and does not wait for it any longer")

// Run runs the commands until ctx ends. What then waits on the holder of a VIP is still
// told, for 5 s at most; commands that run longer are ended.
func (h *Hooks) Run(ctx context.Context) error {
	var running sync.WaitGroup
	limit, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	begin := func(l *lane) { running.Go(func() { l.run(limit) }) }
	h.mu.Lock()
	h.begin = begin
	for _, l := range h.lanes {
		begin(l)
	}
	h.mu.Unlock()

	<-ctx.Done()
	h.mu.Lock()
	h.begin = nil
	for _, l := range h.lanes {
		l.end(func(e Event) bool { return e.On == Holder })
	}
	h.mu.Unlock()
	defer time.AfterFunc(lastWords, func() { end(errStopping) }).Stop()
	running.Wait()
	return nil
}
