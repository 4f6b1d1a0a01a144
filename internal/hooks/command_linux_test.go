package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const long = time.Minute // longer than any test waits

// shell runs a script, and returns what it wrote besides.
func shell(ctx context.Context, script string, timeout time.Duration) (outcome, string, error) {
	var out strings.Builder
	h := Hook{Exec: []string{"/bin/sh", "-c", script, "sh", "two words"}, Timeout: timeout}
	how, err := h.run(ctx, []string{"PATH=" + os.Getenv("PATH"), "KSHALB_EVENT=holder"}, &out)
	return how, out.String(), err
}

func TestCommand(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		how    outcome
		out    string
		err    string
	}{
		"arguments and environment": {`echo "$KSHALB_EVENT $1 $(pwd)"; echo err >&2`, succeeded, "holder two words /\nerr\n", "<nil>"},
		"nothing comes in":          {`cat`, succeeded, "", "<nil>"},
		"an exit code":              {`exit 3`, failed, "", "exit status 3"},
		"a signal":                  {`kill -9 $$`, failed, "", "signal: killed"},
	} {
		how, out, err := shell(t.Context(), test.script, long)
		if how != test.how || out != test.out || fmt.Sprint(err) != test.err {
			t.Errorf("%s: %s, %q, %v", name, how, out, err)
		}
	}
	h := Hook{Exec: []string{"/nonexistent"}, Timeout: long}
	if how, err := h.run(t.Context(), nil, &strings.Builder{}); how != unstarted || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s, %v", how, err)
	}
}

// alive reports whether the process whose number a command wrote still runs. A zombie
// that nobody has reaped yet is dead.
func alive(t *testing.T, out string) bool {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatalf("no process was begun: %q", out)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// TestGroupEnds: neither a script's children nor a script that won't hear SIGTERM
// outlive their time.
func TestGroupEnds(t *testing.T) {
	for name, test := range map[string]struct {
		script  string
		timeout time.Duration
		how     outcome
	}{
		"in time, with a child left":  {`sleep 1000 & echo $!`, long, succeeded},
		"too late":                    {`sleep 1000 & echo $!; wait`, 300 * time.Millisecond, timedOut},
		"too late, deaf":              {`trap "" TERM; sleep 1000 & echo $!; while :; do wait; done`, 300 * time.Millisecond, timedOut},
		"too late, its child is deaf": {`(trap "" TERM; sleep 1000) & echo $!; wait`, 300 * time.Millisecond, timedOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			how, out, err := shell(t.Context(), test.script, test.timeout)
			if how != test.how || (err == nil) != (how == succeeded) {
				t.Errorf("%s, %v", how, err)
			}
			for alive(t, out) { // SIGKILL takes a moment, too
				if time.Since(begin) > long/2 {
					t.Fatal("a child is left")
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// TestOwnSession: what has left the group is not ended, and does not hold the hook up
// with the output that it still has.
func TestOwnSession(t *testing.T) {
	how, out, err := shell(t.Context(), `setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2`, long)
	if how != succeeded || err != nil {
		t.Errorf("%s, %v", how, err)
	}
	if !alive(t, out) {
		t.Fatal("it was ended")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err == nil {
		err = unix.Kill(pid, unix.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestCommandEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(errStopping) })
	if how, _, err := shell(ctx, `exec sleep 1000`, long); how != timedOut || !errors.Is(err, errStopping) {
		t.Errorf("%s, %v", how, err)
	}
}
