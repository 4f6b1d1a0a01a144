package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary is what tasks did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (j *diary) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// task ends with err, some time after its context has.
func (j *diary) task(name string, takes time.Duration, err error) task {
	return task{name, func(ctx context.Context) error {
		j.add("+" + name)
		<-ctx.Done()
		time.Sleep(takes) // of the bubble's clock
		j.add("-" + name)
		return err
	}, time.Second, nil}
}

func TestRunTasksStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j diary
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		err := runTasks(ctx, []task{j.task("a", 100*time.Millisecond, nil), j.task("b", 0, nil), j.task("c", 900*time.Millisecond, nil)}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != time.Minute+time.Second {
			t.Errorf("it took %v", took)
		}
		slices.Sort(j.lines[:3]) // they start at the same moment
		if got := strings.Join(j.lines, " "); got != "+a +b +c -c -b -a" {
			t.Error(got)
		}
	})
}

func TestRunTasksFailures(t *testing.T) {
	fail := errors.New("no more")
	at := func(d time.Duration, err error) func(context.Context) error {
		return func(context.Context) error {
			time.Sleep(d) // of the bubble's clock
			return err
		}
	}
	for name, test := range map[string]struct {
		bad  []task
		want string // after "good", which stops well
	}{
		"ends with an error":        {[]task{{"bad", at(time.Second, fail), time.Second, nil}}, "bad: no more"},
		"ends without an error":     {[]task{{"bad", at(time.Second, nil), time.Second, nil}}, "bad: ended by itself"},
		"does not end in time":      {[]task{{"bad", at(time.Hour, nil), time.Second, nil}}, "bad: did not end within 1s"},
		"fails on stop":             {[]task{{"bad", at(time.Minute+time.Millisecond, fail), time.Second, nil}}, "bad: no more"},
		"two with the same error":   {[]task{{"bad", at(time.Second, fail), time.Second, nil}, {"late", at(1100*time.Millisecond, fail), time.Second, nil}}, "bad: no more\nlate: no more"},
		"the cause comes first":     {[]task{{"cause", at(time.Second, fail), time.Second, nil}, {"hung", at(time.Hour, nil), time.Second, nil}}, "cause: no more\nhung: did not end within 1s"},
		"a hung one stops no other": {[]task{{"hung", at(time.Hour, nil), time.Second, nil}, {"hung too", at(time.Hour, nil), 2 * time.Second, nil}}, "hung too: did not end within 2s\nhung: did not end within 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var j diary
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := runTasks(ctx, append([]task{j.task("good", 0, nil)}, test.bad...), slog.New(slog.DiscardHandler))
				if err == nil || err.Error() != test.want {
					t.Errorf("got %v, want %s", err, test.want)
				}
				if strings.Join(j.lines, " ") != "+good -good" {
					t.Error(j.lines)
				}
				time.Sleep(time.Hour) // the hung ones end before the bubble does
			})
		})
	}
}

func TestUndoGoesBackwards(t *testing.T) {
	var j diary
	var u undo
	for _, step := range []string{"a", "b"} {
		u.push(func() error { j.add(step); return errors.New(step) })
	}
	if err := u.run(); err == nil || err.Error() != "b\na" || strings.Join(j.lines, " ") != "b a" {
		t.Errorf("%v, %v", err, j.lines)
	}
}
