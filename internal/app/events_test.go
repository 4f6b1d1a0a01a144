package app

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kshalb/kshalb/internal/config"
	"github.com/kshalb/kshalb/internal/hooks"
	"github.com/kshalb/kshalb/pkg/health"
)

// TestEventsOfAVIP: what hooks are told of one VIP, as seen by m1.
func TestEventsOfAVIP(t *testing.T) {
	v := config.VIP{Name: "v", Address: netip.MustParseAddr("192.0.2.10")}
	const lapsed = "it was not given up: the lease ended, or the address could not stay"
	for name, test := range map[string]struct {
		befalls func(*events)
		want    []string // CHANGE by HOLDER, was WAS, term TERM, REASON
	}{
		"a start": {func(e *events) { e.held(v, "m2", 4) }, []string{"elsewhere by m2, was , term 4, "}},
		"another holder, and the same again": {func(e *events) {
			e.held(v, "m2", 4)
			e.held(v, "m2", 5)
			e.held(v, "m3", 6)
		}, []string{"elsewhere by m2, was , term 4, ", "elsewhere by m3, was m2, term 6, "}},
		"a handover from here": {func(e *events) {
			e.held(v, "m1", 7)
			e.moved(v, true, 7)
			e.resigning("v", "handed over to m2")
			e.moved(v, false, 7)
			e.held(v, "m2", 8)
		}, []string{"taken by m1, was , term 7, ", "withdrawn by , was m1, term 7, handed over to m2", "elsewhere by m2, was m1, term 8, "}},
		"taken from another": {func(e *events) {
			e.held(v, "m2", 1)
			e.moved(v, true, 2)
		}, []string{"elsewhere by m2, was , term 1, ", "taken by m1, was m2, term 2, "}},
		"a lapse": {func(e *events) {
			e.moved(v, true, 2)
			e.moved(v, false, 2)
			e.moved(v, true, 3)
		}, []string{"taken by m1, was , term 2, ", "withdrawn by , was m1, term 2, " + lapsed, "taken by m1, was m1, term 3, "}},
		"frozen meanwhile": {func(e *events) {
			e.moved(v, true, 2)
			e.held(v, "m2", 3)
			e.moved(v, false, 2)
		}, []string{"taken by m1, was , term 2, ", "elsewhere by m2, was m1, term 3, ", "withdrawn by m2, was m1, term 2, " + lapsed}},
	} {
		var got []string
		test.befalls(newEvents("m1", func(e hooks.Event) {
			if e.On != hooks.Holder || e.VIP != "v" || e.Address != "192.0.2.10" || time.Since(e.At) > time.Minute {
				t.Errorf("%s: %+v", name, e)
			}
			got = append(got, fmt.Sprintf("%s by %s, was %s, term %d, %s", e.Change, e.Holder, e.Was, e.Term, e.Reason))
		}))
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestEventOfABackend(t *testing.T) {
	var got hooks.Event
	at := time.Now()
	newEvents("m1", func(e hooks.Event) { got = e }).backend(config.Listener{Name: "l", VIP: "v"}, health.Transition{
		Target: netip.MustParseAddrPort("192.0.2.1:6443"), From: health.Up, To: health.Down, Reason: "refused", At: at,
	})
	want := hooks.Event{On: hooks.Backend, At: at, VIP: "v", Reason: "refused", Listener: "l", Backend: "192.0.2.1:6443", From: "up", To: "down"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestHooksRun: those of the configuration, of a backend that is not there.
func TestHooksRun(t *testing.T) {
	script := filepath.Join(t.TempDir(), "on-change")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho $1 $KSHALB_BACKEND $KSHALB_FROM-$KSHALB_TO\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := embedded(t, "127.0.0.1:9")
	cfg.Hooks = []config.Hook{{On: []string{config.HookBackend}, Exec: []string{script, "hello"}, Timeout: time.Minute}}
	start(t, cfg).log.wait(t, `line="hello 127.0.0.1:9 unknown-down"`)
}
