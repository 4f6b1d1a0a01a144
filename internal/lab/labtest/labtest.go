// Package labtest gives labs to tests: in a user namespace for ordinary users,
// with the proof of what is missing where the kernel refuses, and with the
// output of the lab's processes when a test has failed.
package labtest

import (
	"context"
	"fmt"
	"os"
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
