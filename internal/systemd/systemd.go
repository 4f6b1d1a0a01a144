// Package systemd tells the service manager how this process does, when it is a unit
// of systemd's: that it serves, reloads or stops, in one line what it is at, and, for
// the watchdog, that it lives (sd_notify(3), sd_watchdog_enabled(3)).
//
// The watchdog is told by what must live itself: nobody answers for it. See
// [Config.Alive].
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Config is what a unit has to know.
type Config struct {
	// Alive asks everything that must live, and returns when all have answered. As long
	// as it takes, the watchdog is told nothing.
	Alive func()
	// Line is what goes on, in one line. It may wait for whatever it wants.
	Line func() string
	Log  *slog.Logger
}

// Unit is this process as a unit of systemd's. Its methods are safe for concurrent
// use; those but Run don't block. A nil Unit tells nobody anything.
type Unit struct {
	cfg      Config
	watchdog bool
	every    time.Duration // between two looks
	said     chan string   // what is to be sent besides looks
}

// lookEvery is how old the line may be.
const lookEvery = time.Second

// New returns this process's unit, or nil when no service manager wants to hear of
// it: NOTIFY_SOCKET is not set.
func New(cfg Config) *Unit {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		cfg.Log.Warn("systemd's watchdog is told nothing", "err", err)
	}
	u := &Unit{cfg: cfg, watchdog: limit > 0, every: lookEvery, said: make(chan string, 16)}
	if u.watchdog {
		u.every = max(min(u.every, limit/4), time.Millisecond)
	}
	return u
}

// Run tells systemd that the process is ready when all have answered for the first
// time, and from then on that they do, until ctx ends.
func (u *Unit) Run(ctx context.Context) error {
	alive, lines := make(chan struct{}), make(chan string)
	go u.again(ctx, func() { u.cfg.Alive(); pass(ctx, alive, struct{}{}) })
	go u.again(ctx, func() { pass(ctx, lines, u.cfg.Line()) })
	r := report{unit: u}
	for {
		select {
		case <-alive:
			r.alive()
		case line := <-lines:
			r.status(line)
		case state := <-u.said:
			r.send(state)
		case <-ctx.Done():
			r.lastWords()
			return nil
		}
	}
}

// again does something again and again. It is left behind where that never returns.
func (u *Unit) again(ctx context.Context, do func()) {
	tick := time.NewTicker(u.every)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func pass[T any](ctx context.Context, to chan<- T, what T) {
	select {
	case to <- what:
	case <-ctx.Done():
	}
}

// Reloading tells that a reload begins, and what it returns that it has ended, well or
// not: a refused configuration leaves the one before in force.
func (u *Unit) Reloading() (done func()) {
	u.say(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
	return func() { u.say(daemon.SdNotifyReady) }
}

// Stopping tells that the stop begins, and how long it may take at most.
func (u *Unit) Stopping(limit time.Duration) {
	u.say(daemon.SdNotifyStopping)
	u.say(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", limit.Microseconds()))
}

// say has Run send some assignments. What finds no room is lost: then systemd has
// not read for long.
func (u *Unit) say(assignments ...string) {
	if u == nil {
		return
	}
	select {
	case u.said <- strings.Join(assignments, "\n"):
	default:
	}
}

// report is what systemd has been told.
type report struct {
	unit   *Unit
	ready  bool
	line   string
	failed bool
}

// alive is that all have answered.
func (r *report) alive() {
	var all []string
	if !r.ready {
		all = append(all, daemon.SdNotifyReady)
	}
	if r.unit.watchdog {
		all = append(all, daemon.SdNotifyWatchdog)
	}
	if len(all) > 0 && r.send(strings.Join(all, "\n")) {
		r.ready = true
	}
}

func (r *report) status(line string) {
	if line != r.line && r.send("STATUS="+strings.ReplaceAll(line, "\n", " ")) {
		r.line = line
	}
}

// lastWords sends what was said before the end.
func (r *report) lastWords() {
	for {
		select {
		case state := <-r.unit.said:
			r.send(state)
		default:
			return
		}
	}
}

// send reports whether systemd was told. That it can't be is said once in the log.
func (r *report) send(state string) bool {
	_, err := daemon.SdNotify(false, state)
	if err != nil && !r.failed {
		r.unit.cfg.Log.Warn("systemd is not told how this process does, and may start it again", "err", err)
	}
	r.failed = err != nil
	return err == nil
}
