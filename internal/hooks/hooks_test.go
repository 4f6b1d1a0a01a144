package hooks

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// rig is hooks whose commands are a test's.
type rig struct {
	*Hooks
	registry *prometheus.Registry
	stop     func() // ends Run and waits

	mu  sync.Mutex
	ran []string // PROGRAM EVENT, in order of their ends
}

// among runs a test with hooks in fake time. Each program takes so long.
func among(t *testing.T, takes map[string]time.Duration, body func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{registry: prometheus.NewRegistry()}
		r.Hooks = New("m1", slog.New(slog.DiscardHandler), r.registry)
		r.command = func(h Hook, ctx context.Context, environ []string, _ io.Writer) (outcome, error) {
			ctx, cancel := context.WithTimeout(ctx, h.Timeout)
			defer cancel()
			how := succeeded
			select {
			case <-time.After(takes[h.Exec[0]]):
			case <-ctx.Done():
				how = timedOut
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ran = append(r.ran, h.Exec[0]+" "+variable(environ, "VIP")+variable(environ, "BACKEND")+" "+string(how))
			return how, context.Cause(ctx)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		r.stop = sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		body(r)
		r.stop()
	})
}

func variable(environ []string, name string) string {
	for _, v := range environ {
		if value, is := strings.CutPrefix(v, "KSHALB_"+name+"="); is {
			return value
		}
	}
	return ""
}

func (r *rig) want(t *testing.T, all ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.ran, all) {
		t.Errorf("ran %q, want %q", r.ran, all)
	}
	r.ran = nil
}

func hook(program string, on ...string) Hook {
	return Hook{On: on, Exec: []string{program}, Timeout: 10 * time.Second}
}

func vip(name string) Event     { return Event{On: Holder, VIP: name} }
func backend(name string) Event { return Event{On: Backend, Backend: name} }

func TestHooksRunForTheirEvents(t *testing.T) {
	among(t, nil, func(r *rig) {
		r.Set([]Hook{hook("a", Holder), hook("b", Backend)})
		r.Tell(vip("v"))
		r.want(t, "a v succeeded")
		r.Tell(backend("x"))
		r.want(t, "b x succeeded")
	})
}

// TestSlowHook: it runs for one event at a time, in order, and neither whoever tells
// nor another hook waits for it.
func TestSlowHook(t *testing.T) {
	among(t, map[string]time.Duration{"slow": time.Second, "slower": time.Minute}, func(r *rig) {
		r.Set([]Hook{hook("slower", Holder), hook("slow", Holder), hook("fast", Holder)})
		begin := time.Now()
		r.Tell(vip("1"))
		r.Tell(vip("2"))
		if !time.Now().Equal(begin) {
			t.Error("who tells had to wait")
		}
		r.want(t, "fast 1 succeeded", "fast 2 succeeded")
		time.Sleep(time.Second)
		r.want(t, "slow 1 succeeded")
		time.Sleep(time.Second)
		r.want(t, "slow 2 succeeded")
		time.Sleep(18 * time.Second)
		r.want(t, "slower 1 timeout", "slower 2 timeout")
		if err := testutil.GatherAndCompare(r.registry, strings.NewReader(`# HELP kshalb_hooks_runs_total Commands that were run for events, by how they ended.
# TYPE kshalb_hooks_runs_total counter
kshalb_hooks_runs_total{on="backend",outcome="failed"} 0
kshalb_hooks_runs_total{on="backend",outcome="not_started"} 0
kshalb_hooks_runs_total{on="backend",outcome="succeeded"} 0
kshalb_hooks_runs_total{on="backend",outcome="timeout"} 0
kshalb_hooks_runs_total{on="holder",outcome="failed"} 0
kshalb_hooks_runs_total{on="holder",outcome="not_started"} 0
kshalb_hooks_runs_total{on="holder",outcome="succeeded"} 4
kshalb_hooks_runs_total{on="holder",outcome="timeout"} 2
`), "kshalb_hooks_runs_total"); err != nil {
			t.Error(err)
		}
	})
}

func TestDroppedIsCounted(t *testing.T) {
	among(t, map[string]time.Duration{"slow": time.Second}, func(r *rig) {
		r.Set([]Hook{hook("slow", Backend)})
		r.Tell(backend("runs"))
		synctest.Wait()
		for range maxQueue + 3 {
			r.Tell(backend("x"))
		}
		if n := testutil.ToFloat64(r.metrics.dropped.WithLabelValues(Backend)); n != 3 {
			t.Errorf("%v", n)
		}
		if problems, err := testutil.GatherAndLint(r.registry); len(problems) > 0 || err != nil {
			t.Error(problems, err)
		}
		r.Set(nil)
		time.Sleep(time.Second)
		r.want(t, "slow runs succeeded")
	})
}

// TestSet: what waits for a hook that stays still runs, what waits for another one
// does not.
func TestSet(t *testing.T) {
	among(t, map[string]time.Duration{"stays": time.Second, "goes": time.Second}, func(r *rig) {
		r.Set([]Hook{hook("goes", Holder), hook("stays", Holder)})
		r.Tell(vip("1"))
		r.Tell(vip("2"))
		synctest.Wait()
		r.Set([]Hook{hook("stays", Holder), hook("comes", Holder)})
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		slices.Sort(r.ran)
		r.want(t, "goes 1 succeeded", "stays 1 succeeded")
		r.Tell(vip("3"))
		r.want(t, "comes 3 succeeded")
		time.Sleep(2 * time.Second)
		r.want(t, "stays 2 succeeded", "stays 3 succeeded")
	})
}

// TestStop: what waits on the holder still runs, as far as there is time.
func TestStop(t *testing.T) {
	among(t, map[string]time.Duration{"a": time.Second, "b": time.Minute}, func(r *rig) {
		r.Set([]Hook{hook("a", Holder, Backend), hook("b", Holder)})
		r.Tell(backend("runs"))
		r.Tell(backend("waits"))
		r.Tell(vip("1"))
		r.Tell(vip("2"))
		synctest.Wait()
		begin := time.Now()
		r.stop()
		if took := time.Since(begin); took != lastWords || took > StopTime {
			t.Errorf("the stop took %v", took)
		}
		r.want(t, "a runs succeeded", "a 1 succeeded", "a 2 succeeded", "b 1 timeout")
		r.Tell(vip("late"))
		r.Set([]Hook{hook("a", Holder)})
		time.Sleep(time.Minute)
		r.want(t)
	})
}

// TestBeforeRun: what is told before Run waits for it.
func TestBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New("", slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		ran := 0
		h.command = func(Hook, context.Context, []string, io.Writer) (outcome, error) { ran++; return succeeded, nil }
		h.Set([]Hook{hook("a", Holder)})
		h.Tell(vip("v"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.Run(ctx); err != nil || ran != 1 {
			t.Errorf("%v, it ran %d times", err, ran)
		}
	})
}

// TestLogTells: of a program that is really run.
func TestLogTells(t *testing.T) {
	var log strings.Builder
	h := New("m1", slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
	script := filepath.Join(t.TempDir(), "on-change")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$KSHALB_VIP $1\"\nexit $KSHALB_TERM\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set := []Hook{{On: []string{Holder}, Exec: []string{script, "x"}, Timeout: long}}
	h.Set(set)
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	h.Tell(Event{On: Holder, VIP: "v", Change: Taken})
	h.Tell(Event{On: Holder, VIP: "v", Change: Withdrawn, Term: 3})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=WARN msg="a hook has a fault" hook=` + script, "chmod +x",
		`level=INFO msg="a hook says" hook=` + script + ` event="VIP v taken" line="v x"`,
		`level=INFO msg="a hook ran" hook=` + script + ` event="VIP v taken" exit=0 took=`,
		`level=WARN msg="a hook failed" hook=` + script + ` event="VIP v withdrawn" outcome=failed err="exit status 3"`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s:\n%s", want, &log)
		}
	}
}
