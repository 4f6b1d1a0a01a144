// Package labtest gives labs to tests: in a user namespace for ordinary users,
// with the proof of what is missing where the kernel refuses, and with the
// output of the lab's processes when a test has failed.
package labtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab"
)

// Main is the whole TestMain of a package that uses labs. It runs before, if
// any, and then the tests, and exits.
func Main(m *testing.M, before ...func() (after func(), err error)) {
	os.Exit(run(m, before))
}

func run(m *testing.M, before []func() (func(), error)) int {
	ran, code, err := lab.Enter()
	if err != nil { // the tests skip, and say why
		fmt.Fprintln(os.Stderr, err)
	} else if ran {
		return code
	}
	for _, f := range before {
		after, err := f()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer after()
	}
	return m.Run()
}

// Build is for Main: it builds a command of kshalb, such as cmd/kshalb, and puts
// the path of the program into *path.
func Build(command string, path *string) func() (func(), error) {
	return func() (func(), error) {
		root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/kshalb/kshalb").Output()
		if err != nil {
			return nil, fmt.Errorf("find the source of kshalb: %w", err)
		}
		dir, err := os.MkdirTemp("", "kshalb-test-")
		if err != nil {
			return nil, err
		}
		after := func() { _ = os.RemoveAll(dir) }
		*path = filepath.Join(dir, filepath.Base(command))
		cmd := exec.Command("go", "build", "-o", *path, "./"+command)
		cmd.Dir = strings.TrimSpace(string(root))
		if out, err := cmd.CombinedOutput(); err != nil {
			after()
			return nil, fmt.Errorf("build %s: %w\n%s", command, err, out)
		}
		return after, nil
	}
}

// New returns a lab that is closed after the test. The test is skipped when this
// machine lacks something that labs need.
func New(t testing.TB) *lab.Lab {
	t.Helper()
	if lacks := lab.Missing(); len(lacks) > 0 {
		t.Skipf("this machine lacks what a lab needs: %v", lacks)
	}
	l, err := lab.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for name, log := range l.Logs(4000) {
				t.Logf("output of %s:\n%s", name, log)
			}
		}
		if err := l.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return l
}

// Context is the test's context with a time limit.
func Context(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// Background runs a task until stop is called or the test ends. Its error fails the
// test.
func Background(t testing.TB, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// OneOwner fails the test when the watch has seen two owners, or is no proof.
func OneOwner(t testing.TB, w *lab.Watch) {
	t.Helper()
	for _, d := range w.Doubles() {
		t.Errorf("%v both had the address, for %v at least", d.Hosts, d.To.Sub(d.From))
	}
	if err := w.Close(); err != nil {
		t.Errorf("the watch has gaps: %v", err)
	}
}
