package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

func eth0() ([]string, error) { return []string{"lo", "eth0"}, nil }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestCut: nothing comes and nothing goes, for the time and not longer, and the host
// still hears itself.
func TestCut(t *testing.T) {
	for name, egress := range map[string]bool{"egress": true, "older kernel": false} {
		t.Run(name, func(t *testing.T) {
			e := prick(t)
			f := New(Config{Interfaces: eth0, Log: quiet()})
			f.egress = egress
			must(t, e.a.Do(func() error { return f.Able(Cut) }))
			if n := e.tables(); n != 0 {
				t.Errorf("a trial has left %d tables", n)
			}
			begin := time.Now()
			must(t, e.a.Do(func() error { return f.Inflict(t.Context(), Cut, time.Second) }))
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			e.wait(fromA, fromB, selfA, rawA)
			for what, want := range map[string]bool{fromA: true, fromB: true, rawA: egress, selfA: false} {
				if s := e.silence(what, begin); (s > 900*time.Millisecond) != want || s > 10*time.Second {
					t.Errorf("%s: not for %v", what, s)
				}
			}
			if n := e.tables(); n != 0 {
				t.Errorf("%d tables are left", n)
			}
		})
	}
}

// TestOneAtATime: while a fault lasts no other one begins; who stops it ends it.
func TestOneAtATime(t *testing.T) {
	e := prick(t)
	f := New(Config{Interfaces: eth0, Log: quiet(), Supervised: true})
	befall, err := prepared(e, f)
	must(t, err)
	for _, kind := range []Kind{Kill, Pause, Cut} {
		if err := f.Able(kind); !errors.Is(err, ErrLasts) {
			t.Errorf("%s is possible: %v", kind, err)
		}
		if err := f.Inflict(t.Context(), kind, time.Second); !errors.Is(err, ErrLasts) {
			t.Errorf("%s began: %v", kind, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	begin := time.Now()
	go func() { over <- e.a.Do(func() error { return befall(ctx) }) }()
	for !e.cutting() {
	}
	cancel()
	must(t, <-over)
	e.wait(fromA, fromB)
	if s := time.Since(begin); s > 5*time.Second {
		t.Errorf("it lasted for %v", s)
	}
	must(t, e.a.Do(func() error { return f.Able(Cut) }))
	befall, err = prepared(e, f)
	must(t, err)
	if err := befall(ctx); !errors.Is(err, context.Canceled) || e.tables() != 0 {
		t.Errorf("it began although it was stopped before: %v", err)
	}
}

func prepared(e *ears, f *Faults) (befall func(context.Context) error, err error) {
	err = e.a.Do(func() error { befall, err = f.Prepare(Cut, MaxHold); return err })
	return befall, err
}

// TestKilledWhileCut: the kernel ends a cut whose process was killed, and the next
// start removes what is left.
func TestKilledWhileCut(t *testing.T) {
	e := prick(t)
	c := bearIn(t, e.a.Do, "cut 1s", false)
	begin := c.begin()
	for !e.cutting() {
	}
	must(t, c.cmd.Process.Kill())
	for range c.lines {
	}
	<-c.ended
	for e.silence(fromA, begin) < 900*time.Millisecond || e.silence(fromB, begin) < 900*time.Millisecond {
		e.wait(fromA, fromB)
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("it was not cut off: %v from it, %v to it, %v of raw frames; %d tables", e.silence(fromA, begin), e.silence(fromB, begin), e.silence(rawA, begin), e.tables())
		}
	}
	if s := max(e.silence(fromA, begin), e.silence(fromB, begin), e.silence(rawA, begin)); s > 10*time.Second {
		t.Errorf("it was cut off for %v", s)
	}
	if e.tables() == 0 {
		t.Error("who has removed the table?")
	}
	must(t, e.a.Do(func() error { return Cleanup(quiet()) }))
	if n := e.tables(); n != 0 {
		t.Errorf("%d tables are left", n)
	}
}

func TestRefused(t *testing.T) {
	names := func(all ...string) func() ([]string, error) { return func() ([]string, error) { return all, nil } }
	for text, test := range map[string]struct {
		kind       Kind
		hold       time.Duration
		interfaces func() ([]string, error)
	}{
		"cut for 999ms: a fault lasts from 1s to 1m0s":      {Cut, 999 * time.Millisecond, eth0},
		"pause for 1m0.001s: a fault lasts from 1s to 1m0s": {Pause, MaxHold + time.Millisecond, eth0},
		"does not know the fault \"burn\"":                  {"burn", time.Second, eth0},
		"cut: no interface of this host":                    {Cut, time.Second, names("lo")},
		"cut: find interface eth77":                         {Cut, time.Second, names("eth77")},
		"cut: find the interfaces: lost":                    {Cut, time.Second, func() ([]string, error) { return nil, fmt.Errorf("lost") }},
	} {
		f := New(Config{Interfaces: test.interfaces, Log: quiet()})
		if err := f.Inflict(t.Context(), test.kind, test.hold); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
		if f.lasts != "" {
			t.Errorf("%q: what was refused lasts", text)
		}
	}
}

func TestToward(t *testing.T) {
	l := labtest.New(t)
	h, err := l.AddHost("a", netip.MustParsePrefix("10.0.0.1/24"))
	must(t, err)
	var names []string
	must(t, h.Do(func() error {
		names, err = Toward(netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("192.0.2.1"))
		return err
	}))
	if len(names) != 1 || names[0] != "eth0" {
		t.Errorf("%q", names)
	}
}
